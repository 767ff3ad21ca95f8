"""Keras and its backend, imported in one place: quiet, and with one line where they are absent."""

from __future__ import annotations

import importlib.util
import os

from fer_edge.errors import MissingExtraError
from fer_edge.model.interpreter import quiet_stderr


def quiet_training() -> None:
    """Imports Keras on its backend, TensorFlow unless KERAS_BACKEND says otherwise, without chatter.

    Raises MissingExtraError where Keras or the backend is absent.
    """
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "jax" if backend == "jax" else "train", "this command")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        importlib.import_module("keras")
