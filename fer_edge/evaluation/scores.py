"""Accuracy of a model on a data set: probabilities from any kind of model, and metrics.json from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import data
from fer_edge.data.dataset import SPLITS, Dataset
from fer_edge.errors import DataError, ModelError, UsageError
from fer_edge.evaluation import metrics
from fer_edge.evaluation.predictors import Predictor
from fer_edge.spec import LABELS

CHUNK = 256
"""Pictures between two steps of a progress bar."""


@dataclass(frozen=True)
class Selection:
    """The rows that are evaluated, and what metrics.json says of them.

    sample_seed: what drew them, where they are only some of the split's; else None.
    """

    dataset: Dataset
    protocol: str
    split: str
    seen: NDArray[np.bool_] | None
    sample_seed: int | None = None


def select(
    dataset: Dataset, protocol: str, split: str | None, *, limit: int | None = None, seed: int = 0
) -> Selection:
    """The rows of `split` (several joined by `+`), by default those that `protocol` reports on.

    limit: so many of them at most, drawn by the seed, in the data's order. `seen` marks rows whose
    picture is also in Training; it is None where the data set has no Training.
    Raises UsageError for a split that does not exist, DataError for one without rows.
    """
    if split is None:
        chosen = data.protocol_splits(dataset, protocol)
        part, name = chosen.report, chosen.name
        split = "+".join(SPLITS[index] for index in np.unique(part.split))
    else:
        named = split.split("+")
        if unknown := [one for one in named if one not in SPLITS]:
            raise UsageError(f"there is no split {unknown[0]!r}: choose from {', '.join(SPLITS)}")
        part, name = dataset.part(*named), protocol if dataset.protocol == "official" else dataset.protocol
    if len(part) == 0:
        raise DataError(f"{dataset.path} has no {split} rows: choose another --split")
    sample_seed = None
    if limit is not None and limit < len(part):
        sample_seed = seed
        part = part.sample(limit, seed)
    training = dataset.part("Training")
    seen = data.seen_in_training(part, training) if len(training) else None
    return Selection(part, name, split, seen, sample_seed)


def evaluate(
    model: Predictor,
    selection: Selection,
    *,
    flip: bool = False,
    step: Callable[[int], object] = lambda pictures: None,
) -> dict[str, Any]:
    """The metrics.json value of a model on a selection; the parameters as in `probabilities_of`."""
    part = selection.dataset
    probabilities = probabilities_of(model, part.images, labels=part.label_names, flip=flip, step=step)
    return report(
        probabilities,
        part,
        model=model.name,
        protocol=selection.protocol,
        split=selection.split,
        seen=selection.seen,
    )


def probabilities_of(
    model: Predictor,
    images: NDArray[np.uint8],
    *,
    labels: tuple[str, ...] = LABELS,
    flip: bool = False,
    step: Callable[[int], object] = lambda pictures: None,
) -> NDArray[np.float32]:
    """Probabilities, float32 (N, len(labels)) in the order of `labels`, of images uint8 (N, 48, 48).

    flip: averages each picture with its mirror image. step: called with the number of pictures done.
    Raises ModelError where the model names other expressions.
    """
    if sorted(model.labels) != sorted(labels):
        raise ModelError(
            f"{model.name} names {', '.join(model.labels)}, and the data {', '.join(labels)}: "
            "its accuracy cannot be measured on them (a model of FER+ needs --labels ferplus:FILE)"
        )
    columns = [model.labels.index(label) for label in labels]
    out = np.empty((len(images), len(labels)), np.float32)
    for start in range(0, len(images), CHUNK):
        faces = _resized(np.asarray(images[start : start + CHUNK]), model.input_size)
        p = model.predict(faces)
        if flip:
            p += model.predict(np.ascontiguousarray(faces[:, :, ::-1]))
            p /= 2
        out[start : start + CHUNK] = p[:, columns]
        step(len(faces))
    return out


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

    probabilities: (N, classes) in the order of `dataset.label_names`, for the N rows of `dataset`.
    seen: bool (N,), rows whose picture is also in Training, which `accuracy_without_duplicates` leaves
    out; None (or all rows seen) makes that figure null.
    Raises DataError if there are no rows, ModelError for probabilities of another shape or not finite.
    """
    if len(dataset) == 0:
        raise DataError(f"{dataset.path} has no rows in {split}: choose another --split")
    names = dataset.label_names
    if probabilities.shape != (len(dataset), len(names)):
        raise ModelError(
            f"{model} gave an array of shape {probabilities.shape} for {len(dataset)} pictures of "
            f"{len(names)} classes"
        )
    if not np.isfinite(probabilities).all():
        raise ModelError(
            f"{model} gives values that are not numbers (NaN or infinite): its weights are broken"
        )
    predicted = probabilities.argmax(axis=1)
    cm = metrics.confusion_matrix(dataset.labels, predicted, len(names))
    scores = metrics.scores(cm, names)
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


def _resized(faces: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if faces.shape[1:] == size:
        return faces
    from fer_edge.vision.crop import resize_face

    return np.stack([resize_face(face, size) for face in faces])
