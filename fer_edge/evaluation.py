"""Accuracy of a model on a data set: probabilities from any kind of model, and metrics.json from them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import metrics
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError
from fer_edge.spec import LABELS


def report(
    probabilities: NDArray[np.floating],
    dataset: Dataset,
    *,
    model: str,
    protocol: str,
    split: str,
    seen: NDArray[np.bool_] | None = None,
) -> dict[str, Any]:
    """The value of metrics.json (DESIGN, "Command line"), in plain Python types.

    probabilities: (N, 7) in the order of spec.LABELS, for the N rows of `dataset`.
    seen: bool (N,), rows whose picture is also in Training, which `accuracy_without_duplicates` leaves
    out; None (or all rows seen) makes that figure null.
    Raises DataError if there are no rows, ModelError for probabilities of another shape or not finite.
    """
    if len(dataset) == 0:
        raise DataError(f"{dataset.path} has no rows in {split}: choose another --split")
    if probabilities.shape != (len(dataset), len(LABELS)):
        raise ModelError(
            f"{model} gave an array of shape {probabilities.shape} for {len(dataset)} pictures of "
            f"{len(LABELS)} classes"
        )
    if not np.isfinite(probabilities).all():
        raise ModelError(
            f"{model} gives values that are not numbers (NaN or infinite): its weights are broken"
        )
    predicted = probabilities.argmax(axis=1)
    cm = metrics.confusion_matrix(dataset.labels, predicted, len(LABELS))
    scores = metrics.scores(cm, LABELS)
    unseen = None if seen is None or seen.all() else float((predicted == dataset.labels)[~seen].mean())
    return {
        "model": model,
        "data": {
            "path": dataset.path,
            "sha256": dataset.sha256,
            "protocol": protocol,
            "split": split,
            "n": len(dataset),
        },
        "accuracy": scores.pop("accuracy"),
        "accuracy_without_duplicates": unseen,
        **scores,
        "confusion_matrix": cm.tolist(),
    }
