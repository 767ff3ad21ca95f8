"""Probabilities from a `.keras` file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import MissingExtraError, ModelError


def keras_predict(path: Path, batch: int = 256) -> Callable[[NDArray[np.uint8]], NDArray[np.float32]]:
    """A function from faces uint8 (N, H, W), gray levels 0..255, to probabilities float32 (N, classes).

    Keras' backend is TensorFlow unless KERAS_BACKEND says otherwise. Raises MissingExtraError without
    Keras, ModelError for a file that is no Keras model.
    """
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from fer_edge.interpreter import quiet_stderr

    try:
        with quiet_stderr():
            import keras
    except ImportError as error:
        raise MissingExtraError("tensorflow", "train", "evaluating a .keras model") from error
    try:
        with quiet_stderr():
            model = keras.models.load_model(path, compile=False)
    except (ValueError, OSError, KeyError, TypeError) as error:
        first = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ModelError(f"{path} is not a Keras model that loads here: {first[:200]}") from error

    def predict(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        out: NDArray[np.float32] = model.predict(faces[..., None], batch_size=batch, verbose=0)
        return out.astype(np.float32)

    return predict
