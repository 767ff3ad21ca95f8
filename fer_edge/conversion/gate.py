"""The gate: a converted file against the float32 Keras model, on real pictures, through `Classifier`.

A limit is a share of the pictures. Where that is less than one picture, one may still differ; fewer than
`ENOUGH` pictures must differ by more than chance, and so must a loss of accuracy or recall, so that a small
data set fails no file for a tie or two. On FER-2013's 3,589 pictures it is the shares that decide.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import DataError, ModelError, UsageError
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS

LEAST_PICTURES = 50
ENOUGH = 1000
"""Pictures whose agreement is told from chance well enough: of 56, two near ties are 3.6 %."""
_CONFIDENCE = 0.95


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
class Failure:
    """One limit that was broken: of what, the figure found, and the one wanted, for people."""

    of: str
    found: str
    wanted: str

    def __str__(self) -> str:
        return f"{self.of} {self.found}, {self.wanted} wanted"


@dataclass(frozen=True)
class Parity:
    """What was measured on `pictures` pictures with labels; recall by label. compared: the pictures of
    agreement and differences, those of Training that helped out included."""

    pictures: int
    compared: int
    agreement: float
    max_abs_diff: float
    mean_abs_diff: float
    accuracy: float
    accuracy_fp32: float
    macro_f1: float
    recall: dict[str, float]
    failures: tuple[Failure, ...]

    @property
    def passed(self) -> bool:
        return not self.failures

    def measured(self) -> dict[str, Any]:
        """Plain values for the card."""
        left_out = {"failures"} | ({"compared"} if self.compared == self.pictures else set())
        return {key: value for key, value in asdict(self).items() if key not in left_out}


def compare(
    converted: NDArray[np.float32],
    reference: NDArray[np.float32],
    labels: NDArray[np.int64],
    limits: Thresholds,
    names: tuple[str, ...] = LABELS,
) -> Parity:
    """Judges probabilities, float32 (M, len(names)), of the same M pictures by the file and by Keras.

    labels: int64 (N,), of the first N pictures; those after them count for agreement and differences alone.
    Raises DataError for too few pictures to judge by.
    """
    n = len(labels)
    check_count(n)
    scores = metrics.scores(metrics.confusion_matrix(labels, converted[:n].argmax(axis=1), len(names)), names)
    right, right_fp32 = (p[:n].argmax(axis=1) == labels for p in (converted, reference))
    finite = bool(np.isfinite(converted).all())
    differences = np.abs(converted.astype(np.float64) - reference) if finite else np.array([math.inf])
    failures: tuple[Failure, ...] = (Failure("values", "NaN or infinite", "numbers"),)
    if finite:
        others = converted.argmax(axis=1) != reference.argmax(axis=1)
        failures = (*_far(others, differences, limits, n), *_lost(right, right_fp32, labels, limits, names))
    return Parity(
        pictures=n,
        compared=len(converted),
        agreement=metrics.agreement(converted, reference),
        max_abs_diff=float(differences.max()),
        mean_abs_diff=float(differences.mean()),
        accuracy=float(right.mean()),
        accuracy_fp32=float(right_fp32.mean()),
        macro_f1=scores["macro_f1"],
        recall={label: row["recall"] for label, row in scores["per_class"].items()},
        failures=failures,
    )


def _far(
    others: NDArray[np.bool_], differences: NDArray[np.float64], limits: Thresholds, n: int
) -> Iterator[Failure]:
    """What is wrong with the probabilities. others: pictures that got another label, of which the first n are
    outside Training."""
    groups = {f"{len(others)} pictures": others}
    if n < len(others):  # a network is surer of what it was trained on: the rest must hold by itself
        groups[f"the {n} pictures outside Training"] = others[:n]
    for which, other in groups.items():
        if other.sum() > _differing(1 - limits.agreement, len(other)):
            wanted = f"at least {limits.agreement:.2%}"
            yield Failure(f"agreement on {which}", f"{1 - other.mean():.2%}", wanted)
    if (most := differences.max()) > limits.max_abs_diff:
        yield Failure("largest difference", f"{most:.4f}", f"at most {limits.max_abs_diff:g}")
    if (mean := differences.mean()) > limits.mean_abs_diff:
        yield Failure("mean difference", f"{mean:.5f}", f"at most {limits.mean_abs_diff:g}")


def _lost(
    right: NDArray[np.bool_],
    right_fp32: NDArray[np.bool_],
    labels: NDArray[np.int64],
    limits: Thresholds,
    names: tuple[str, ...],
) -> Iterator[Failure]:
    """What is wrong with the labels: accuracy, or one class that collapses though the mean holds."""
    if lost := _loss(right, right_fp32, limits.accuracy_loss):
        yield Failure("accuracy lost", f"{lost / len(labels):.2%}", f"at most {limits.accuracy_loss:.2%}")
    for index, label in enumerate(names):
        now, before = right[labels == index], right_fp32[labels == index]
        if _loss(now, before, limits.recall_loss):
            found = f"{now.sum()} of {len(now)}"
            yield Failure(f"{label} named", found, f"about the Keras model's {before.sum()}")


def _loss(right: NDArray[np.bool_], right_fp32: NDArray[np.bool_], limit: float) -> int:
    """How many pictures were lost on balance; 0 if `limit`, a share, or chance covers them."""
    lost = int(right_fp32.sum()) - int(right.sum())
    # McNemar: of so many pictures that changed sides, this many more go one way by chance (two sigma).
    chance = 2 * math.sqrt(int((right != right_fp32).sum()))
    return lost if lost > max(_allowed(limit, len(right)), chance) else 0


def _differing(share: float, n: int) -> int:
    """How many of n pictures may differ. Of few: what chance makes of `share` in 19 of 20 such sets."""
    if n >= ENOUGH:
        return _allowed(share, n)
    below, k = (1 - share) ** n, 0
    while below < _CONFIDENCE:
        k += 1
        below += math.comb(n, k) * share**k * (1 - share) ** (n - k)
    return max(k, _allowed(share, n))


def _allowed(share: float, n: int) -> int:
    return max(1, math.floor(share * n + 1e-9))


def check_count(pictures: int) -> None:
    """Raises DataError for too few pictures to judge by."""
    if pictures < LEAST_PICTURES:
        raise DataError(
            f"{pictures} pictures to verify on: at least {LEAST_PICTURES} are needed in PublicTest and "
            "PrivateTest (of a folder tree: a tenth of train/ unless there is validation/, and test/)"
        )


def check_probabilities(reference: NDArray[np.float32], name: str) -> None:
    """Raises ModelError unless the Keras model gives probabilities on real pictures."""
    sums = reference.sum(axis=1)
    if not np.isfinite(reference).all():
        raise ModelError(
            f"{name} gives values that are not numbers (NaN or infinite): its weights are broken"
        )
    if np.abs(sums - 1).max() > 1e-3 or reference.min() < 0:
        raise ModelError(
            f"{name} gives values from {reference.min():.3g} to {reference.max():.3g} that sum up to "
            f"{sums.min():.3g} .. {sums.max():.3g}, no probabilities: end the model with a softmax layer"
        )
