"""Faces that the program draws itself: seven expressions, for trying the whole chain without data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.cartoon import draw_face
from fer_edge.data.dataset import Dataset, content_sha256
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE, LABELS

DEFAULT_COUNT = 4200
"""Pictures of `drawn`: two thirds Training, a sixth each PublicTest and PrivateTest."""


def drawn_faces(n: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draws n faces: images uint8 (n, 48, 48), labels int64 (n,), each class n/7 times (one more or less).

    The same n and seed give the same pictures (with the same NumPy and OpenCV). Shapes, pose, light and
    noise vary; strengths of an expression vary so that neighbours come close to each other.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n, dtype=np.int64) % len(LABELS))
    images = np.empty((n, *INPUT_SHAPE[:2]), np.uint8)
    for row, label in enumerate(labels):
        images[row] = draw_face(LABELS[label], random)
    return images, labels


def dataset(name: str, seed: int) -> Dataset:
    """`drawn`, or `drawn:N` with N pictures, as a data set with all three splits, classes even in each.

    Raises DataError for an N that is no number of at least 42.
    """
    text = name.partition(":")[2] or str(DEFAULT_COUNT)
    if not text.isdecimal() or not 42 <= int(text) <= 1_000_000:
        raise DataError(f"{name}: give 'drawn' or 'drawn:N', N from 42 to 1000000 pictures")
    n = int(text)
    images, labels = drawn_faces(n, seed)
    split = np.empty(n, np.uint8)
    for label in range(len(LABELS)):
        rows = np.flatnonzero(labels == label)
        sixth = len(rows) // 6
        split[rows] = 0
        split[rows[:sixth]] = 1
        split[rows[sixth : 2 * sixth]] = 2
    return Dataset(
        images=images,
        labels=labels,
        split=split,
        ids=np.arange(1, n + 1, dtype=np.int64),
        path=name,
        sha256=content_sha256(images, labels, split),
    )
