"""How a model is converted and what its files must hold: frozen dataclasses, filled from a TOML recipe."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.errors import UsageError
from fer_edge.spec import Format


@dataclass(frozen=True)
class Thresholds:
    """What one format must hold against the float32 Keras model on real pictures.

    agreement: least share of pictures with the same label, 0..1. max_abs_diff, mean_abs_diff: largest
    allowed difference of a probability, over all and on average. accuracy_loss: share of all pictures
    that may be lost; recall_loss: share of one class's pictures. Both count fewer right answers only.
    """

    agreement: float = 0.99
    max_abs_diff: float = 0.2
    mean_abs_diff: float = 0.005
    accuracy_loss: float = 0.002
    recall_loss: float = 0.05

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if not 0 <= value <= 1:
                raise UsageError(f"thresholds: {name} must lie in 0..1, not {value!r}")


@dataclass(frozen=True)
class Recipe:
    """One way of converting; recipes/*.toml hold what is used.

    calibration_samples: pictures of Training that set the ranges of integer files. parity_pictures: at
    most so many of PublicTest prove a file. float_layers, fold_tail, narrow_ranges, equalise (0..1) and
    refine: see `integer`, `tail`, `ranges`, `equalising`, `rounding`. logit_floor_percentile: see
    `tail.AffineTail`. qat_*: see `tuning.Tuning`. sparsity, clusters: see `compressing`.
    """

    name: str = "default"
    calibration_samples: int = 490
    parity_pictures: int = 4000
    float_layers: int = 1
    fold_tail: bool = True
    narrow_ranges: bool = True
    equalise: float = 0.75
    refine: bool = True
    qat_steps: int = 200
    qat_batch: int = 64
    qat_rate: float = 0.005
    sparsity: float = 0.0
    clusters: int = 0
    logit_floor_percentile: float = 1.0
    thresholds: dict[str, Thresholds] = field(default_factory=dict)

    def __post_init__(self) -> None:
        checks = {
            "calibration_samples must be at least 1": self.calibration_samples >= 1,
            "parity_pictures must be at least 1": self.parity_pictures >= 1,
            "float_layers must be at least 0": self.float_layers >= 0,
            "qat_steps and qat_batch must be at least 1": min(self.qat_steps, self.qat_batch) >= 1,
            "qat_rate must lie in 0..1": 0 < self.qat_rate <= 1,
            "sparsity must lie in 0..1": 0 <= self.sparsity < 1,
            "clusters must be 0 or 2 to 256": self.clusters == 0 or 2 <= self.clusters <= 256,
            "equalise must lie in 0..1": 0 <= self.equalise <= 1,
            "logit_floor_percentile must lie in 0..100": 0 <= self.logit_floor_percentile <= 100,
        }
        files.require(checks, f"recipe {self.name}")

    def override(self, **values: Any) -> Recipe:
        """The recipe with the values that are not None."""
        return dataclasses.replace(self, **{k: v for k, v in values.items() if v is not None})

    def limits(self, format_: Format) -> Thresholds:
        """The thresholds of one format. Raises UsageError if the recipe has none for it."""
        if format_.value not in self.thresholds:
            raise UsageError(
                f"recipe {self.name} has no thresholds for {format_.value}: add [{format_.value}]"
            )
        return self.thresholds[format_.value]


def read(path: Path) -> Recipe:
    """Reads a TOML recipe; its file's name is the recipe's name unless it holds another.

    Raises UsageError naming the file and the key for anything that is no recipe.
    """
    table = files.read_toml(path)
    thresholds = {
        str(format_.value): Thresholds(
            **files.checked(Thresholds, table.pop(format_.value), f"{path} [{format_.value}]")
        )
        for format_ in Format
        if format_.value in table
    }
    values = {"name": path.stem, **files.checked(Recipe, table, str(path))}
    return Recipe(**values, thresholds=thresholds)
