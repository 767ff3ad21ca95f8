"""Keeps TensorFlow's and Keras' chatter off standard error. Called before they are imported."""

from __future__ import annotations

import importlib.util
import os

from fer_edge.errors import MissingExtraError


def quiet_training() -> None:
    """Sets the environment that silences the libraries. Raises MissingExtraError where Keras is absent."""
    if importlib.util.find_spec("keras") is None:
        raise MissingExtraError("keras", "train", "this command")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    os.environ.setdefault("ABSL_MIN_LOG_LEVEL", "3")
