"""Scores of a classifier from its confusion matrix, and how near two models are. Needs numpy only.

A class that was never predicted has precision 0, one without pictures has recall 0, and both count in
the macro averages, which run over all classes alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.int64] | NDArray[np.float64]
"""Pictures by true class (rows) and predicted one; fractions of pictures where only shares are known."""
Floats = NDArray[np.float64]


def confusion_matrix(
    labels: NDArray[np.integer], predicted: NDArray[np.integer], n: int
) -> NDArray[np.int64]:
    """Counts, int64 (n, n): rows are true classes, columns predicted ones.

    labels, predicted: integers (N,) in 0..n-1. Raises IndexError for larger ones, and for unequal lengths.
    """
    cm = np.zeros((n, n), np.int64)
    np.add.at(cm, (labels, predicted), 1)
    return cm


def accuracy(cm: Matrix) -> float:
    """Fraction of all pictures whose class was named rightly, 0..1; 0 for no pictures."""
    return float(np.trace(cm) / max(int(cm.sum()), 1))


def precision(cm: Matrix) -> Floats:
    """TP / (TP + FP) per class, the paper's equation (3); 0 where a class was never predicted."""
    return _ratio(cm.diagonal(), cm.sum(axis=0))


def recall(cm: Matrix) -> Floats:
    """TP / (TP + FN) per class, the paper's equation (4); 0 where a class has no pictures."""
    return _ratio(cm.diagonal(), cm.sum(axis=1))


def f1(cm: Matrix) -> Floats:
    """2 TP / (2 TP + FP + FN) per class: the harmonic mean of precision and recall."""
    return _ratio(2 * cm.diagonal(), cm.sum(axis=0) + cm.sum(axis=1))


def one_vs_rest_accuracy(cm: Matrix) -> Floats:
    """(TP + TN) / all per class, the paper's equation (2) with one class against the rest.

    It counts true negatives: a class of 55 in 3,589 that is never predicted still scores 0.98. `accuracy`
    is the plain one.
    """
    wrong = cm.sum(axis=0) + cm.sum(axis=1) - 2 * cm.diagonal()
    return _ratio(cm.sum() - wrong, np.full(len(cm), cm.sum()))


def scores(cm: Matrix, label_names: Sequence[str]) -> dict[str, Any]:
    """The part of metrics.json that follows from the matrix, in plain Python types."""
    by_class = {"precision": precision(cm), "recall": recall(cm), "f1": f1(cm)}
    support = cm.sum(axis=1)
    return {
        "accuracy": accuracy(cm),
        **{f"macro_{name}": float(values.mean()) for name, values in by_class.items()},
        "per_class": {
            label: {name: float(values[i]) for name, values in by_class.items()}
            | {"support": int(support[i])}
            for i, label in enumerate(label_names)
        },
    }


def wilson_interval(correct: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """Wilson's score interval of a proportion (95 % by default), as (low, high) in 0..1.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927). No pictures: (0, 1).
    """
    if n == 0:
        return 0.0, 1.0
    p, squared = correct / n, z * z
    centre = (p + squared / (2 * n)) / (1 + squared / n)
    half = z / (1 + squared / n) * math.sqrt(p * (1 - p) / n + squared / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def macro_f1_interval(cm: Matrix, resamples: int = 2000, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of macro-F1, as (low, high) in 0..1; no pictures: (0, 1).

    As many pictures of each class are drawn anew from that class's row (B. Efron, Annals of Statistics 7,
    1979; percentiles).
    """
    support = cm.sum(axis=1)
    if not support.any():
        return 0.0, 1.0
    shares = np.where(support[:, None] > 0, cm / np.maximum(support, 1)[:, None], 1 / len(cm))
    drawn = np.random.default_rng(seed).multinomial(support, shares, size=(resamples, len(cm)))
    low, high = np.percentile([f1(matrix).mean() for matrix in drawn], (2.5, 97.5))
    return float(low), float(high)


def agreement(p: NDArray[np.floating], q: NDArray[np.floating]) -> float:
    """Fraction of rows whose largest column is the same in both; p, q: (N, classes), N at least 1."""
    return float((p.argmax(axis=1) == q.argmax(axis=1)).mean())


def max_abs_diff(p: NDArray[np.floating], q: NDArray[np.floating]) -> float:
    """Largest absolute difference of two arrays of one shape, at least one value each."""
    return float(np.abs(np.asarray(p, np.float64) - np.asarray(q, np.float64)).max())


def _ratio(part: Matrix, whole: Matrix) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part), np.float64), where=whole != 0)
