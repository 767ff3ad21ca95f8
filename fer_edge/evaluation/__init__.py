"""How good a model is on a data set: any model file as one function, and metrics.json of what it gives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import data
from fer_edge.data.dataset import SPLITS, Dataset
from fer_edge.errors import DataError, ModelError, UsageError
from fer_edge.evaluation import metrics
from fer_edge.model import shipped
from fer_edge.spec import INPUT_SHAPE, LABELS, ModelCard
from fer_edge.vision.crop import resize_face


@dataclass(frozen=True)
class Predictor:
    """A model that is ready: faces uint8 (N, *input_size) to probabilities float32 (N, len(labels))."""

    name: str
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def open_model(name_or_path: str, num_threads: int = 1, card: Path | None = None) -> Predictor:
    """Opens a shipped model or network by name, or the file or run's folder of that path.

    num_threads and card are for `.tflite` files; a `.keras` file's card is looked for beside it unless
    `card` names one. Raises ModelError, MissingExtraError.
    """
    path = shipped.find_either(name_or_path)
    if path.suffix == ".keras":
        return _open_keras(path, card)
    from fer_edge.model.classifier import Classifier

    classifier = Classifier(path, num_threads=num_threads, card=card)
    return Predictor(path.stem, tuple(classifier.labels), classifier.input_size, classifier.predict)


def keras_card(path: Path) -> ModelCard | None:
    """The card of a `.keras` file: NAME.json beside it, else card.json beside it, else None."""
    for candidate in (path.with_suffix(".json"), path.with_name("card.json")):
        if candidate.is_file():
            return ModelCard.from_json(candidate.read_bytes(), str(candidate))
    return None


def _open_keras(path: Path, card: Path | None) -> Predictor:
    """Keras' backend is TensorFlow unless KERAS_BACKEND says otherwise."""
    if card is not None and not card.is_file():
        raise ModelError(f"there is no card {card}")
    known = keras_card(path) if card is None else ModelCard.from_json(card.read_bytes(), str(card))
    labels = LABELS if known is None else known.labels
    shape = INPUT_SHAPE if known is None else known.input.shape[-3:]
    if len(shape) != len(INPUT_SHAPE):
        raise ModelError(f"{path}: its card's input {shape} is not (1, height, width, 1)")
    from fer_edge.model import keras_files

    model = keras_files.load(path)

    def predict(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(model.predict(faces[..., None], batch_size=CHUNK, verbose=0), np.float32)

    try:
        found = np.shape(predict(np.zeros((1, *shape[:2]), np.uint8)))
    except Exception as error:  # Keras and its backends agree on no exception for shapes
        raise ModelError(f"{path} does not take gray faces of {shape[1]}x{shape[0]} pixels") from error
    if found != (1, len(labels)):
        raise ModelError(f"{path} gives {found[1:]} values for a face, and there are {len(labels)} labels")
    return Predictor(path.stem, labels, (shape[0], shape[1]), predict)


CHUNK = 256
"""Pictures between two steps of a progress bar."""


@dataclass(frozen=True)
class Selection:
    """The rows that are evaluated, and what metrics.json says of them.

    seen: bool (N,), rows whose picture is also in Training; None where there is no Training.
    sample_seed: what drew the rows, where they are only some of the split's; else None.
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

    limit: so many of them at most, drawn by the seed, in the data's order.
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
    chosen_rows, training = part.sample(limit, seed), dataset.part("Training")
    seen = data.seen_in_training(chosen_rows, training) if len(training) else None
    return Selection(chosen_rows, name, split, seen, seed if len(chosen_rows) < len(part) else None)


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
    return result_of(probabilities, selection, model.name)


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
        faces = np.stack([resize_face(face, model.input_size) for face in images[start : start + CHUNK]])
        p = model.predict(faces)
        if flip:
            p += model.predict(np.ascontiguousarray(faces[:, :, ::-1]))
            p /= 2
        out[start : start + CHUNK] = p[:, columns]
        step(len(faces))
    return out


def result_of(probabilities: NDArray[np.floating], selection: Selection, model: str) -> dict[str, Any]:
    """The value of metrics.json (DESIGN, "Command line"), in plain Python types.

    probabilities: (N, classes) in the order of the data set's `label_names`, for its N rows. Where no row is
    known to be new, `accuracy_without_duplicates` is null. model: its name.
    Raises DataError if there are no rows, ModelError for probabilities of another shape or not finite.
    """
    dataset, seen = selection.dataset, selection.seen
    if len(dataset) == 0:
        raise DataError(f"{dataset.path} has no rows in {selection.split}: choose another --split")
    shape = (len(dataset), len(dataset.label_names))
    if probabilities.shape != shape:
        raise ModelError(f"{model} gave an array of shape {probabilities.shape}, not {shape}")
    if not np.isfinite(probabilities).all():
        raise ModelError(
            f"{model} gives values that are not numbers (NaN or infinite): its weights are broken"
        )
    predicted = probabilities.argmax(axis=1)
    cm = metrics.confusion_matrix(dataset.labels, predicted, shape[1])
    scores = metrics.scores(cm, dataset.label_names)
    unseen = None if seen is None or seen.all() else float((predicted == dataset.labels)[~seen].mean())
    return {
        "model": model,
        "data": {
            "path": dataset.path,
            "sha256": dataset.sha256,
            "protocol": selection.protocol,
            "split": selection.split,
            "n": len(dataset),
        },
        "accuracy": scores.pop("accuracy"),
        "accuracy_without_duplicates": unseen,
        **scores,
        "confusion_matrix": cm.tolist(),
    }
