"""The float32 Keras model as the measure of its files: its probabilities on the pictures that prove them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation, predictors, tables
from fer_edge.classifier import Classifier
from fer_edge.conversion import needs, parity, source
from fer_edge.conversion.recipes import Recipe
from fer_edge.data.dataset import Dataset
from fer_edge.spec import LABELS, Format, ModelCard


@dataclass(frozen=True)
class Reference:
    """A Keras model, its card if it has one, and what it says.

    probabilities: float32 (N, labels), in the order of the data set's `label_names`.
    """

    path: Path
    card: ModelCard | None
    model: Any
    pictures: evaluation.Selection
    probabilities: NDArray[np.float32]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels of the faces that the model takes."""
        return _size(self.model)

    @property
    def accuracy(self) -> float:
        """Of the Keras model, 0..1."""
        return float((self.probabilities.argmax(axis=1) == self.pictures.dataset.labels).mean())


def measure(path: Path, dataset: Dataset, recipe: Recipe, seed: int) -> Reference:
    """Loads the Keras model and runs it on at most `recipe.parity_pictures` of what proves a file (`needs`).

    Raises ModelError for a model that cannot be converted, DataError for data without those pictures.
    """
    card = predictors.keras_card(path)
    labels = LABELS if card is None else card.labels
    model = source.load(path, labels)
    split = needs.proving_split(dataset)
    pictures = evaluation.select(dataset, "official", split, limit=recipe.parity_pictures, seed=seed)
    parity.check_count(len(pictures.dataset))

    def predict(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(model(faces[..., None].astype(np.float32), training=False), np.float32)

    subject = predictors.Predictor(path.name, labels, _size(model), predict)
    probabilities = _on_all(subject, pictures, "float32 in Keras")
    parity.check_probabilities(probabilities, str(path))
    return Reference(path, card, model, pictures, probabilities)


def verify(converted: Classifier, against: Reference, recipe: Recipe, format_: Format) -> parity.Parity:
    """Runs the file on the same pictures, as `run` does, and judges it by the limits of `format_`."""
    name = converted.path.stem
    subject = predictors.Predictor(name, tuple(converted.labels), converted.input_size, converted.predict)
    probabilities = _on_all(subject, against.pictures, f"verifying {format_.value}")
    part = against.pictures.dataset
    return parity.compare(
        probabilities, against.probabilities, part.labels, recipe.limits(format_), part.label_names
    )


def _on_all(subject: predictors.Predictor, pictures: evaluation.Selection, what: str) -> NDArray[np.float32]:
    part = pictures.dataset
    with tables.progress(what, len(part)) as step:
        return evaluation.probabilities_of(subject, part.images, labels=part.label_names, step=step)


def _size(model: Any) -> tuple[int, int]:
    return int(model.inputs[0].shape[1]), int(model.inputs[0].shape[2])
