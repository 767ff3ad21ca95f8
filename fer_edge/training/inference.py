"""Probabilities from a `.keras` file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.model import keras_files


def keras_predict(
    path: Path, size_hw: tuple[int, int], classes: int, batch: int = 256
) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function from faces uint8 (N, *size_hw), gray levels 0..255, to probabilities float32 (N, classes).

    Keras' backend is TensorFlow unless KERAS_BACKEND says otherwise. Raises MissingExtraError without
    Keras, ModelError for a file that is no Keras model or one of other shapes.
    """
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
