"""What a sweep tries: the stages' values, and the recipe of each trial."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fer_edge import paper
from fer_edge.errors import UsageError
from fer_edge.training.recipes import Recipe
from fer_edge.training.schedule import best_epoch

STAGES = ("batch", "epochs", "dropout")
VALUES = ("table3", "reported", "both")


@dataclass(frozen=True)
class Setting:
    """One training of the sweep, as the paper would name it (before any scaling of the epochs)."""

    batch_size: int
    epochs: int
    dropout: float

    @property
    def name(self) -> str:
        return f"batch{self.batch_size}-epochs{self.epochs}-dropout{self.dropout:g}"


@dataclass(frozen=True)
class Reduction:
    """How a sweep is smaller than the paper's. epochs_scale: of epochs and patience. subset: pictures of
    Training, and of validation, at most; None for all."""

    epochs_scale: float = 1.0
    subset: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.epochs_scale <= 1:
            raise UsageError(f"--epochs-scale must lie above 0 and at most at 1, not {self.epochs_scale:g}")

    def epochs(self, nominal: int) -> int:
        return max(1, round(nominal * self.epochs_scale))

    def patience(self, nominal: int) -> int:
        """Scaled as the epochs, but not below 4 (or what it was): less would stop a training on noise."""
        return max(round(nominal * self.epochs_scale), min(nominal, 4))

    def __str__(self) -> str:
        parts = []
        if self.epochs_scale != 1:
            parts.append(f"{self.epochs_scale:g} of the epochs and of the patience (4 at least)")
        if self.subset is not None:
            parts.append(f"{self.subset:,} pictures at most to train on, and to validate on")
        return "reduced: " + ", ".join(parts) if parts else "whole"


def values(stage: str, which: str) -> tuple[float, ...]:
    """The values of a stage in ascending order. which: of VALUES. Raises UsageError for another."""
    if which not in VALUES:
        raise UsageError(f"there is no --values {which!r}: choose from {', '.join(VALUES)}")
    chosen = {"table3": paper.TABLE_3, "reported": paper.REPORTED}
    tables = list(chosen.values()) if which == "both" else [chosen[which]]
    return tuple(sorted({value for table in tables for value in table[stage]}))


def fixed(stage: str, best: Mapping[str, float]) -> dict[str, float]:
    """The two hyperparameters that a stage does not vary; `best`: the winners of the stages before it."""
    start = {"epochs": paper.BATCH_STAGE_EPOCHS, "dropout": paper.CHOSEN["dropout"]}
    return {name: {**start, **best}[name] for name in STAGES if name != stage}


def setting(stage: str, value: float, best: Mapping[str, float]) -> Setting:
    """The training that stands for `value` in a stage."""
    chosen = {**fixed(stage, best), stage: value}
    return Setting(int(chosen["batch"]), int(chosen["epochs"]), float(chosen["dropout"]))


@dataclass(frozen=True)
class Plan:
    """A sweep's trials: `base` with the values of `which` (of VALUES), made smaller by `reduction`."""

    base: Recipe
    which: str = "both"
    reduction: Reduction = Reduction()

    def __post_init__(self) -> None:
        values(STAGES[0], self.which)

    def values(self, stage: str) -> tuple[float, ...]:
        return values(stage, self.which)

    @property
    def nests(self) -> bool:
        """Whether a longer training holds the shorter ones: under schedule `plateau` nothing in an epoch
        depends on how many will follow."""
        return self.base.schedule == "plateau"

    def trained(self, stage: str, value: float) -> float:
        """The value whose training is read for `value`: of the nesting epochs the longest, else itself."""
        return self.values(stage)[-1] if stage == "epochs" and self.nests else value

    def recipe(self, of: Setting) -> Recipe:
        """The recipe of one training."""
        return dataclasses.replace(
            self.base,
            batch_size=of.batch_size,
            epochs=self.reduction.epochs(of.epochs),
            dropout=paper.kept(of.dropout),
            patience=self.reduction.patience(self.base.patience),
        )


def score(history: list[dict[str, float]], epochs: int, monitor: str) -> dict[str, Any]:
    """What a training of `epochs` epochs came to, from the history of one at least as long.

    val_accuracy and val_loss are those of the best epoch by `monitor`, last_val_accuracy is the last's;
    ran_epochs is below `epochs` where the training stopped early.
    """
    rows = history[:epochs]
    best = rows[best_epoch([row[monitor] for row in rows], monitor)]
    return {
        "epochs": epochs,
        "ran_epochs": len(rows),
        "best_epoch": int(best["epoch"]),
        "val_accuracy": best["val_accuracy"],
        "val_loss": best["val_loss"],
        "last_val_accuracy": rows[-1]["val_accuracy"],
    }
