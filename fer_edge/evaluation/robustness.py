"""Accuracy of a model on pictures that a camera has spoilt: one row a condition of `corruptions`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_edge.data.dataset import Dataset
from fer_edge.evaluation import corruptions, metrics
from fer_edge.evaluation import scores as evaluation
from fer_edge.evaluation.predictors import Predictor

if TYPE_CHECKING:
    from rich.table import Table

PICTURES = 1500
"""How many pictures are drawn by default."""


def measure(
    model: Predictor,
    dataset: Dataset,
    *,
    pictures: int = PICTURES,
    seed: int = 0,
    flip: bool = False,
    step: Callable[[int], object] = lambda done: None,
) -> dict[str, Any]:
    """Accuracy and macro-F1 of `model` under each condition, in plain Python types.

    dataset: the rows of one split; `pictures` of them (at most) are drawn by the seed, and the noise after
    them by the same generator, so that seed, split and number name the pictures exactly. flip, step: as in
    `evaluation.probabilities_of`. Raises ModelError where the model names other expressions.
    """
    rng = np.random.default_rng(seed)
    chosen = dataset.rows(rng.permutation(len(dataset))[:pictures])
    faces = np.asarray(chosen.images)
    conditions: dict[str, dict[str, float]] = {}
    for name, change in corruptions.CONDITIONS.items():
        probabilities = evaluation.probabilities_of(
            model, change(faces, rng), labels=dataset.label_names, flip=flip, step=step
        )
        classes = probabilities.shape[1]
        cm = metrics.confusion_matrix(chosen.labels, probabilities.argmax(axis=1), classes)
        right = int(np.trace(cm))
        low, high = metrics.wilson_interval(right, len(chosen))
        conditions[name] = {
            "accuracy": right / len(chosen),
            "low": low,
            "high": high,
            "macro_f1": float(metrics.f1(cm).mean()),
        }
    return {"seed": seed, "n": len(chosen), "conditions": conditions}


def table(result: dict[str, Any], model: str, split: str) -> Table:
    """The value of `measure` as a table: accuracy with its 95 % interval, points lost, macro-F1."""
    from fer_edge.tables import new_table, percent

    clean = result["conditions"]["clean"]["accuracy"]
    out = new_table(f"robustness of {model}, {result['n']} pictures of {split}, seed {result['seed']}")
    out.add_column("condition")
    for name in ("accuracy %", "95 % interval", "against clean", "macro-F1 %"):
        out.add_column(name, justify="right")
    for name, row in result["conditions"].items():
        lost = "" if name == "clean" else f"{100 * (row['accuracy'] - clean):+.1f}"
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        out.add_row(name, percent(row["accuracy"]), interval, lost, percent(row["macro_f1"]))
    return out
