"""Hyperparameters: a frozen dataclass, filled from a TOML recipe, where an unknown key is an error.

Learning rates and stopping depend only on the recipe and the history, so resuming needs no other state.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from fer_edge import files
from fer_edge.data import Dataset, Protocol, ferplus, protocol_splits
from fer_edge.files import BelowOne, Count, Share
from fer_edge.model import shipped
from fer_edge.spec import INPUT_SHAPE

History = Sequence[dict[str, float]]
"""A row an epoch: epoch (from 1), loss, accuracy, val_loss, val_accuracy, learning_rate, seconds."""


@dataclass(frozen=True)
class Augmentation:
    """Ranges of random augmentation; each picture is warped once."""

    one_change: bool = False  # a picture, each of five as likely, as in the paper's Figure 6; else all
    rotation_deg: float = 0.0  # largest turn either way
    shift_px: float = 0.0  # largest shift either way, each axis
    zoom_min: float = 1.0
    zoom_max: float = 1.0
    flip: bool = False
    brightness: float = 0.0  # largest addition either way, gray levels
    contrast: float = 0.0  # largest relative change either way
    erase_probability: Share = 0.0
    erase_px: Annotated[int, (0, INPUT_SHAPE[0])] = 0  # largest side of a rectangle of noise
    dark_probability: Share = 0.0
    dark_min: Share = 1.0  # all levels times dark_min..1
    gamma_probability: Share = 0.0
    gamma_max: Annotated[float, (1, 100)] = 1.0  # exponent 1 / gamma_max..gamma_max, even on a log scale
    blur_probability: Share = 0.0
    blur_sigma: float = 0.0  # Gaussian of 0..blur_sigma pixels
    noise_probability: Share = 0.0
    noise_sigma: float = 0.0  # Gaussian of 0..noise_sigma gray levels, each pixel by itself

    def __post_init__(self) -> None:
        sizes = {"zoom_min must be above 0 and at most zoom_max": 0 < self.zoom_min <= self.zoom_max}
        files.check(self, "[augmentation]", sizes)


@dataclass(frozen=True)
class Recipe:
    """One complete training. The defaults are plain; recipes/*.toml have the values in use.

    schedule `plateau`: learning_rate until the validation loss has not improved for patience / 4 epochs, then
    a tenth, and so on; stops after `patience` epochs without improvement. `one_cycle`: a rise over
    warmup_fraction of all steps, then half a cosine down to 0; no early stop.
    """

    name: str
    network: str = "paper"
    protocol: str = "official"
    epochs: Count = 100
    batch_size: Annotated[int, (2, 1e6)] = 32
    dropout: BelowOne = 0.6
    optimizer: Literal["adam", "sgd"] = "adam"
    learning_rate: float = 1e-3
    learning_rate_floor: float = 0.0  # of plateau
    momentum: Share = 0.9  # of sgd
    weight_decay: float = 0.0  # decoupled, times the learning rate (Loshchilov & Hutter 2019)
    schedule: Literal["plateau", "one_cycle"] = "plateau"
    warmup_fraction: Share = 0.25
    patience: Count = 20
    label_smoothing: BelowOne = 0.0
    balance_classes: Share = 0.0  # weights each class by its count to minus this power; 1: all the same
    mixup: float = 0.0  # alpha of the Beta distribution of the part of another picture in each; 0: none
    votes_weight: float = 0.0  # of a second head that learns FER+'s votes and does not ship; 0: none
    teacher_weight: Share = 0.0  # the share of the target that comes from teachers
    monitor: Literal["val_loss", "val_accuracy"] = "val_loss"  # selects the best epoch
    reference_agreement: float = 0.97  # between training device and float32 on the CPU
    reference_loss_difference: float = 0.02
    augmentation: Augmentation = Augmentation()

    def __post_init__(self) -> None:
        rates = {
            "learning_rate must be above 0": self.learning_rate > 0,
            "learning_rate must be at least its floor": self.learning_rate_floor <= self.learning_rate,
        }
        files.check(self, f"recipe {self.name}", rates)

    def check_given(self, teachers: Sequence[str] = (), labels: str | None = None) -> None:
        """Raises UsageError if teachers and teacher_weight do not match, or if FER+'s votes are learned and
        `labels` (as in ferplus.chosen) lacks them."""
        taught, votes = self.teacher_weight > 0, (labels or "").startswith("ferplus:")
        checks = {
            "has a teacher_weight: give --teacher MODEL": bool(teachers) or not taught,
            "has no teacher_weight: leave out --teacher": taught or not teachers,
            "learns from FER+'s votes: add --labels ferplus:fer2013new.csv": votes or not self.votes_weight,
        }
        files.check(self, f"recipe {self.name}", checks)

    def split(self, dataset: Dataset, labels: str | None = None) -> Protocol:
        """The parts to train, validate and report on, with the labels of `--labels`.

        With votes_weight, FER+'s votes are learned in addition to FER-2013's labels; otherwise its majorities
        replace them. Raises as ferplus.chosen and protocol_splits do.
        """
        if self.votes_weight and labels is not None:
            dataset = ferplus.attach(dataset, Path(labels.removeprefix("ferplus:")))
        else:
            dataset = ferplus.chosen(dataset, labels)
        return protocol_splits(dataset, self.protocol)

    def override(self, **values: Any) -> Recipe:
        """The recipe with the values that are not None."""
        return dataclasses.replace(self, **{k: v for k, v in values.items() if v is not None})


def read(name_or_path: str | Path) -> Recipe:
    """Reads an included recipe or a TOML file; the file's name is the recipe's unless it says another.

    Raises UsageError, naming file and key, for anything that is not a recipe.
    """
    path = shipped.recipe("train", str(name_or_path))
    table = files.read_toml(path)
    changes = files.checked(Augmentation, table.pop("augmentation", {}), f"{path} [augmentation]")
    values = {"name": path.stem, **files.checked(Recipe, table, str(path))}
    return Recipe(**values, augmentation=Augmentation(**changes))


def to_toml(recipe: Recipe) -> str:
    """The recipe as TOML that `read` reads back unchanged."""
    table = dataclasses.asdict(recipe)
    changes = table.pop("augmentation")

    def lines(part: dict[str, Any]) -> str:  # a plain value is the same in JSON and in TOML
        return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in part.items())

    return f"{lines(table)}\n[augmentation]\n{lines(changes)}"


def best_epoch(history: History, monitor: str) -> int:
    """Index of the best row: the lowest loss or the highest accuracy, the earlier of equals."""
    sign = 1.0 if monitor == "val_loss" else -1.0
    return min(range(len(history)), key=lambda i: (sign * history[i][monitor], i))


def score(history: History, epochs: int, monitor: str) -> dict[str, Any]:
    """The best epoch's figures, by `monitor`, of a training of `epochs` epochs, from the history of one at
    least as long. ran_epochs is below `epochs` where it stopped early."""
    rows = history[:epochs]
    best = rows[best_epoch(rows, monitor)]
    about = {"epochs": epochs, "ran_epochs": len(rows), "best_epoch": int(best["epoch"])}
    return about | {name: best[name] for name in ("accuracy", "val_accuracy", "loss", "val_loss")}


def should_stop(recipe: Recipe, history: History) -> bool:
    """Early stopping of schedule `plateau`: no lower validation loss for `patience` epochs."""
    if recipe.schedule != "plateau" or not history:
        return False
    return len(history) - 1 - best_epoch(history, "val_loss") >= recipe.patience


def learning_rate(recipe: Recipe, step: int, steps: int, history: History) -> float:
    """The rate of step `step` (from 0) of `steps` in all, after the epochs of `history`."""
    if recipe.schedule == "plateau":
        factor, best, waited = 1.0, math.inf, 0
        for row in history:
            waited = 0 if row["val_loss"] < best else waited + 1
            best = min(best, row["val_loss"])
            if waited >= max(1, recipe.patience // 4):
                factor, waited = factor / 10, 0
        return max(recipe.learning_rate * factor, recipe.learning_rate_floor)
    rise = max(1, round(recipe.warmup_fraction * steps))
    if step < rise:
        return recipe.learning_rate * (0.04 + 0.96 * step / rise)
    return recipe.learning_rate * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(1, steps - rise)))
