"""The pictures on which a target is compared with LiteRT: real ones where data is given, else drawn."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation, metrics
from fer_edge.classifier import Classifier
from fer_edge.predictors import Predictor
from fer_edge.spec import LABELS

SPLIT = "PublicTest"
"""The split that one may choose on."""

DRAWN = 70
"""Drawn faces where no data is given: ten of each expression."""


@dataclass(frozen=True)
class Pictures:
    """images uint8 (N, height, width); labels int64 (N,) of spec.LABELS, None for drawn faces, whose
    expressions a model of real ones need not know. name: for tables."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    name: str


def drawn(count: int = DRAWN) -> Pictures:
    """Faces that the program draws, the same in every call."""
    from fer_edge.data import drawn_faces

    return Pictures(drawn_faces(count, seed=0)[0], None, f"{count} drawn faces")


def of(data: str, limit: int, *, seed: int = 0, skip_bad_rows: bool = False) -> Pictures:
    """At most `limit` pictures of PublicTest, drawn by the seed. Raises DataError."""
    from fer_edge.data import load

    dataset = load(data, skip_bad_rows=skip_bad_rows, seed=seed)
    chosen = evaluation.select(dataset, "official", SPLIT, limit=limit, seed=seed).dataset
    return Pictures(chosen.images, chosen.labels, f"{len(chosen)} pictures of {SPLIT}")


def fitted(pictures: Pictures, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The images at the size that a model takes, uint8 (N, *size_hw)."""
    from fer_edge.preprocess import resize_face

    if pictures.images.shape[1:] == size_hw:
        return pictures.images
    return np.stack([resize_face(image, size_hw) for image in pictures.images])


@dataclass(frozen=True)
class Agreement:
    """Two runtimes on the same pictures: share of pictures with the same label, largest and mean difference
    of a probability, and accuracy of the first where labels are known."""

    pictures: int
    agreement: float
    max_abs_diff: float
    mean_abs_diff: float
    accuracy: float | None


def compare(
    p: NDArray[np.float32], q: NDArray[np.float32], pictures: Pictures, labels: tuple[str, ...]
) -> Agreement:
    """p, q: probabilities float32 (N, len(labels)) of the runtime in question and of the one to go by."""
    difference = np.abs(p.astype(np.float64) - q)
    right = None
    if pictures.labels is not None and sorted(labels) == sorted(LABELS):
        columns = [labels.index(label) for label in LABELS]
        right = float((p[:, columns].argmax(axis=1) == pictures.labels).mean())
    return Agreement(
        len(p), metrics.agreement(p, q), float(difference.max()), float(difference.mean()), right
    )


def probabilities(classifier: Classifier, pictures: Pictures) -> NDArray[np.float32]:
    """What LiteRT says here, float32 (N, labels)."""
    return classifier.predict(fitted(pictures, classifier.input_size))


def predictor(classifier: Classifier) -> Predictor:
    """The classifier as evaluation takes it."""
    return Predictor(classifier.path.stem, classifier.labels, classifier.input_size, classifier.predict)
