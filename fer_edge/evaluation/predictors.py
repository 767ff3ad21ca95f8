"""Any model file as one function from faces to probabilities: `.tflite` and `.keras` alike."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.model import shipped
from fer_edge.spec import INPUT_SHAPE, LABELS, ModelCard


@dataclass(frozen=True)
class Predictor:
    """A model that is ready: faces uint8 (N, *input_size) to probabilities float32 (N, len(labels))."""

    name: str
    labels: tuple[str, ...]
    input_size: tuple[int, int]
    predict: Callable[[NDArray[np.uint8]], NDArray[np.float32]]


def open_model(name_or_path: str, num_threads: int = 1, card: Path | None = None) -> Predictor:
    """Opens a shipped model by name, or a file by path.

    num_threads and card are for `.tflite` files; a `.keras` file's card is looked for beside it unless
    `card` names one. Raises ModelError, MissingExtraError.
    """
    path = shipped.find_model(name_or_path)
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
    if card is not None and not card.is_file():
        raise ModelError(f"there is no card {card}")
    known = keras_card(path) if card is None else ModelCard.from_json(card.read_bytes(), str(card))
    labels = LABELS if known is None else known.labels
    shape = INPUT_SHAPE if known is None else known.input.shape[-3:]
    if len(shape) != len(INPUT_SHAPE):
        raise ModelError(f"{path}: its card's input {shape} is not (1, height, width, 1)")
    size = (shape[0], shape[1])
    return Predictor(path.stem, labels, size, _keras_predict(path, size, len(labels)))


def _keras_predict(
    path: Path, size_hw: tuple[int, int], classes: int, batch: int = 256
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function from faces uint8 (N, *size_hw), gray levels 0..255, to probabilities float32 (N, classes).

    Keras' backend is TensorFlow unless KERAS_BACKEND says otherwise. Raises MissingExtraError without
    Keras, ModelError for a file that is no Keras model or one of other shapes.
    """
    from fer_edge.model import keras_files

    model = keras_files.load(path)

    def predict(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        out: NDArray[np.float32] = model.predict(faces[..., None], batch_size=batch, verbose=0)
        return out.astype(np.float32)

    try:
        found = np.shape(predict(np.zeros((1, *size_hw), np.uint8)))
    except Exception as error:  # Keras and its backends agree on no exception for shapes
        raise ModelError(f"{path} does not take gray faces of {size_hw[1]}x{size_hw[0]} pixels") from error
    if found != (1, classes):
        raise ModelError(f"{path} gives {found[1:]} values for a face, and there are {classes} labels")
    return predict
