"""The gate: a converted file against the float32 Keras model, on real pictures, through `Classifier`.

A limit is a share of the pictures, but one picture may always differ. With fewer than `ENOUGH` pictures, a
file fails only if more of them differ than chance explains; the same always goes for losses of accuracy or
recall. So a small data set fails no file for a tie or two. On FER-2013, the share decides agreement.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.evaluation import metrics
from fer_edge.files import Share
from fer_edge.spec import LABELS

LEAST_PICTURES = 50
ENOUGH = 1000  # from this many pictures on, agreement is clear of chance: of 56, two near ties are 3.6 %
Classes = NDArray[np.int64]  # of N pictures, (N,)


@dataclass(frozen=True)
class Thresholds:
    """Limits of a format compared with the float32 Keras model on real pictures.

    agreement: least share of pictures with the same label, 0..1. max_abs_diff, mean_abs_diff: largest and
    mean difference of a probability. accuracy_loss: share of all pictures that may be lost; recall_loss:
    share of one class's pictures. Both count only fewer right answers.
    """

    agreement: Share = 0.99
    max_abs_diff: Share = 0.2
    mean_abs_diff: Share = 0.005
    accuracy_loss: Share = 0.002
    recall_loss: Share = 0.05


@dataclass(frozen=True)
class Parity:
    """measured: plain values, as in a card. failures: the limits that were not met, as text: of what, the
    figure found, and the one required."""

    measured: dict[str, Any]
    failures: tuple[str, ...]


def compare(
    converted: NDArray[np.float32],
    reference: NDArray[np.float32],
    labels: Classes,
    limits: Thresholds,
    names: tuple[str, ...] = LABELS,
) -> Parity:
    """Compares probabilities, float32 (N, len(names)), of the same pictures from the file and from Keras."""
    now, before = converted.argmax(axis=1), reference.argmax(axis=1)
    scores = metrics.scores(metrics.confusion_matrix(labels, now, len(names)), names)
    differences = np.abs(converted.astype(np.float64) - reference)
    if not np.isfinite(differences).all():
        differences = np.array([math.inf])
    found = {
        "pictures": len(labels),
        "agreement": metrics.agreement(converted, reference),
        "max_abs_diff": float(differences.max()),
        "mean_abs_diff": float(differences.mean()),
        "accuracy": scores["accuracy"],
        "accuracy_fp32": float((before == labels).mean()),
        "macro_f1": scores["macro_f1"],
        "recall": {label: row["recall"] for label, row in scores["per_class"].items()},
    }
    return Parity(found, tuple(_failures(found, now, before, labels, limits)))


def _failures(
    found: dict[str, Any], now: Classes, before: Classes, labels: Classes, limits: Thresholds
) -> Iterator[str]:
    if math.isinf(found["max_abs_diff"]):
        yield "values NaN or infinite, required numbers"
        return
    share, n = 1 - limits.agreement, len(labels)
    chance = 0 if n >= ENOUGH else round(share * n + 2 * math.sqrt(share * n))  # two sigma
    if (now != before).sum() > max(_allowed(share, n), chance):
        yield f"agreement {found['agreement']:.2%}, required at least {limits.agreement:.2%}"
    if found["max_abs_diff"] > limits.max_abs_diff:
        yield f"largest difference {found['max_abs_diff']:.4f}, required at most {limits.max_abs_diff:g}"
    if found["mean_abs_diff"] > limits.mean_abs_diff:
        yield f"mean difference {found['mean_abs_diff']:.5f}, required at most {limits.mean_abs_diff:g}"
    right, right_fp32 = now == labels, before == labels
    if lost := _loss(right, right_fp32, limits.accuracy_loss):
        yield f"accuracy lost {lost / n:.2%}, required at most {limits.accuracy_loss:.2%}"
    for index, label in enumerate(found["recall"]):  # a class may collapse even if the mean does not
        of, of_fp32 = right[labels == index], right_fp32[labels == index]
        if _loss(of, of_fp32, limits.recall_loss):
            wanted = f"about the Keras model's {of_fp32.sum()}"
            yield f"{label} recognised {of.sum()} of {len(of)}, required {wanted}"


def _loss(right: NDArray[np.bool_], right_fp32: NDArray[np.bool_], limit: float) -> int:
    """Net number of pictures lost; 0 if within `limit`, a share, or chance."""
    lost = int(right_fp32.sum()) - int(right.sum())
    # McNemar, of those that changed sides. A file has eight such figures: two sigma would refuse one in six.
    chance = 2.5 * math.sqrt(int((right != right_fp32).sum()))
    return lost if lost > max(_allowed(limit, len(right)), chance) else 0


def _allowed(share: float, n: int) -> int:
    return max(1, math.floor(share * n + 1e-9))


def check_probabilities(reference: NDArray[np.float32], name: str) -> None:
    """Raises ModelError unless the Keras model returns probabilities on real pictures."""
    sums = reference.sum(axis=1)
    if not (np.abs(sums - 1).max() <= 1e-3 and reference.min() >= 0):  # NaN fails too
        raise ModelError(
            f"{name} gives values from {reference.min():.3g} to {reference.max():.3g} with sums of "
            f"{sums.min():.3g} to {sums.max():.3g}, not probabilities: end the model with a softmax layer"
        )
