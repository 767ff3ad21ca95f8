"""The float32 Keras model as the measure of its files: its probabilities on the pictures that prove them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation, tables
from fer_edge.conversion import needs, parity, source
from fer_edge.conversion.recipes import Recipe
from fer_edge.data.dataset import Dataset
from fer_edge.model.classifier import Classifier, softmax
from fer_edge.spec import LABELS, Format, ModelCard


@dataclass(frozen=True)
class Reference:
    """A Keras model, its card if it has one, and what it says.

    images: what the file and the model are compared on, uint8 (N + M, height, width): the N of `pictures`,
    and M of Training, which help to tell agreement from chance where N is small. probabilities: float32
    (N + M, labels), in the order of the data set's `label_names`.
    """

    path: Path
    card: ModelCard | None
    model: Any
    pictures: evaluation.Selection
    images: NDArray[np.uint8]
    probabilities: NDArray[np.float32]

    @property
    def size_hw(self) -> tuple[int, int]:
        """Height and width in pixels of the faces that the model takes."""
        return _size(self.model)

    @property
    def accuracy(self) -> float:
        """Of the Keras model, 0..1."""
        labels = self.pictures.dataset.labels
        return float((self.probabilities[: len(labels)].argmax(axis=1) == labels).mean())


def measure(
    path: Path, dataset: Dataset, recipe: Recipe, seed: int, made: ModelCard | None = None
) -> Reference:
    """Loads the Keras model and runs it on at most `recipe.parity_pictures` of what proves a file (`needs`).

    made: the card of a file made of it. A model without a card of its own takes and gives the same values;
    its labels are in FER-2013's order then.
    Raises ModelError for a model that cannot be converted, DataError for data without those pictures.
    """
    card = evaluation.keras_card(path)
    values = card or made
    labels = LABELS if card is None else card.labels
    model = source.load(path, labels)
    split = needs.proving_split(dataset)
    pictures = evaluation.select(dataset, "official", split, limit=recipe.parity_pictures, seed=seed)
    parity.check_count(len(pictures.dataset))
    lacking = min(parity.ENOUGH, recipe.parity_pictures) - len(pictures.dataset)
    training = dataset.part("Training")
    more = training.sample(min(max(lacking, 0), len(training)), seed).images

    def predict(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        real = faces if values is None else values.input.real_of(faces)
        given = np.asarray(model(real[..., None].astype(np.float32), training=False), np.float32)
        return softmax(given) if values is not None and values.output.content == "logits" else given

    subject = evaluation.Predictor(path.name, labels, _size(model), predict)
    images = np.concatenate([pictures.dataset.images, more])
    probabilities = _on_all(subject, images, dataset.label_names, "float32 in Keras")
    parity.check_probabilities(probabilities, str(path))
    return Reference(path, card, model, pictures, images, probabilities)


def verify(converted: Classifier, against: Reference, recipe: Recipe, format_: Format) -> parity.Parity:
    """Runs the file on the same pictures, as `run` does, and judges it by the limits of `format_`."""
    name = converted.path.stem
    subject = evaluation.Predictor(name, tuple(converted.labels), converted.input_size, converted.predict)
    part = against.pictures.dataset
    probabilities = _on_all(subject, against.images, part.label_names, f"verifying {format_.value}")
    return parity.compare(
        probabilities, against.probabilities, part.labels, recipe.limits(format_), part.label_names
    )


def _on_all(
    subject: evaluation.Predictor, images: NDArray[np.uint8], labels: tuple[str, ...], what: str
) -> NDArray[np.float32]:
    with tables.progress(what, len(images)) as step:
        return evaluation.probabilities_of(subject, images, labels=labels, step=step)


def _size(model: Any) -> tuple[int, int]:
    return int(model.inputs[0].shape[1]), int(model.inputs[0].shape[2])
