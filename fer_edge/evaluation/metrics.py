"""Scores of a classifier from its confusion matrix, and the agreement of two models. Needs only numpy."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray


def confusion_matrix(labels: NDArray[np.integer], found: NDArray[np.integer], n: int) -> NDArray[np.int64]:
    """Counts, int64 (n, n): rows are true classes, columns predicted ones.

    labels, found: integers (N,) in 0..n-1. Raises IndexError for larger ones, and for unequal lengths.
    """
    cm = np.zeros((n, n), np.int64)
    np.add.at(cm, (labels, found), 1)
    return cm


def scores(cm: NDArray[Any], label_names: Sequence[Any]) -> dict[str, Any]:
    """The part of metrics.json that follows from the matrix, in plain Python types: `accuracy`, the macro
    averages, and `per_class` precision, recall (the paper's equations 3 and 4), F1 and support.

    cm: pictures by true class (rows) and predicted class, fractions of them if only shares are known.
    A class that was never predicted has precision 0, one without pictures recall 0; both count in averages.
    """
    right, support, named = cm.diagonal(), cm.sum(axis=1), cm.sum(axis=0)
    by_class = {
        "precision": right / np.where(named, named, 1),
        "recall": right / np.where(support, support, 1),
        "f1": 2 * right / np.where(named + support, named + support, 1),
    }
    per_class = {
        label: {name: float(values[i]) for name, values in by_class.items()} | {"support": int(support[i])}
        for i, label in enumerate(label_names)
    }
    macro = {f"macro_{name}": float(values.mean()) for name, values in by_class.items()}
    return {"accuracy": float(right.sum() / (cm.sum() or 1)), **macro, "per_class": per_class}


def wilson_interval(correct: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion, as (low, high) in 0..1.

    E. B. Wilson, Journal of the American Statistical Association 22 (1927). No pictures: (0, 1).
    """
    if n == 0:
        return 0.0, 1.0
    z = 1.959964
    p, squared = correct / n, z * z
    centre = (p + squared / (2 * n)) / (1 + squared / n)
    half = z / (1 + squared / n) * math.sqrt(p * (1 - p) / n + squared / (4 * n * n))
    return max(0.0, centre - half), min(1.0, centre + half)


def agreement(p: NDArray[np.floating], q: NDArray[np.floating]) -> float:
    """Fraction of rows whose largest column is the same in both; p, q: (N, classes), N at least 1."""
    return float((p.argmax(axis=1) == q.argmax(axis=1)).mean())


def max_abs_diff(p: NDArray[np.floating], q: NDArray[np.floating]) -> float:
    """Largest absolute difference of two arrays of one shape, at least one value each."""
    return float(np.abs(np.asarray(p, np.float64) - np.asarray(q, np.float64)).max())
