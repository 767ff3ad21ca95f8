"""The pictures on which a target is compared with LiteRT: real ones where data is given, else drawn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation
from fer_edge.data import ferplus, load
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS

SPLIT = "PublicTest"
"""The split that one may choose on."""

DRAWN = 70
"""Drawn faces where no data is given: ten of each expression."""


@dataclass(frozen=True)
class Pictures:
    """images uint8 (N, height, width); labels int64 (N,) of spec.LABELS, None for drawn faces, whose
    expressions a model of real ones need not know. name: for tables. ferplus: int64 (N,), of FER+'s labels,
    -1 where its voters did not agree; None without votes."""

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    name: str
    ferplus: NDArray[np.int64] | None = None

    def accuracy(self, p: NDArray[np.float32], labels: tuple[str, ...]) -> float | None:
        """Of probabilities (N, len(labels)), by the labels of the same expressions; None without any."""
        for names, truth in ((LABELS, self.labels), (ferplus.LABELS, self.ferplus)):
            if truth is not None and sorted(labels) == sorted(names):
                right = p[:, [labels.index(name) for name in names]].argmax(axis=1) == truth
                return float(right[truth >= 0].mean())
        return None


def drawn(count: int = DRAWN) -> Pictures:
    """Faces that the program draws, the same in every call."""
    from fer_edge.data import drawn_faces

    return Pictures(drawn_faces(count, seed=0)[0], None, f"{count} drawn faces")


def of(
    data: str, limit: int, *, seed: int = 0, skip_bad_rows: bool = False, votes: Path | None = None
) -> Pictures:
    """At most `limit` pictures of PublicTest, drawn by the seed. votes: FER+'s table. Raises DataError."""
    dataset = ferplus.chosen(load(data, skip_bad_rows=skip_bad_rows, seed=seed), votes=votes)
    chosen = evaluation.select(dataset, "official", SPLIT, limit=limit, seed=seed).dataset
    other = None
    if votes is not None:
        agreed = ferplus.relabelled(chosen)
        other = np.full(len(chosen), -1)
        other[np.isin(chosen.ids, agreed.ids)] = agreed.labels
    return Pictures(chosen.images, chosen.labels, f"{len(chosen)} pictures of {SPLIT}", other)


def fitted(pictures: Pictures, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """The images at the size that a model takes, uint8 (N, *size_hw)."""
    from fer_edge.vision.crop import resize_face

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
    return Agreement(
        len(p),
        metrics.agreement(p, q),
        float(difference.max()),
        float(difference.mean()),
        pictures.accuracy(p, labels),
    )
