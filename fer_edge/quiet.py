"""Keras and its backend, imported in one place: quiet, and with one line where they are absent."""

from __future__ import annotations

import importlib.util
import os

from fer_edge.errors import MissingExtraError
from fer_edge.model.interpreter import quiet_stderr


def quiet_training(deterministic: bool = False) -> None:
    """Imports Keras on its backend, TensorFlow unless KERAS_BACKEND says otherwise, without chatter.

    deterministic: every operation, for the rest of the process, at some cost in speed. Same seed, data,
    versions, machine and number of threads then give the same weights. Asked for before anything else touches
    the backend: CUDA and XLA read their settings once.
    Raises MissingExtraError where Keras or the backend is absent.
    """
    if deterministic:  # https://docs.nvidia.com/cuda/cublas/#results-reproducibility
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        flags = os.environ.get("XLA_FLAGS", "")
        if "xla_gpu_deterministic_ops" not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    for package in ("keras", backend):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "jax" if backend == "jax" else "train", "this command")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with quiet_stderr():
        importlib.import_module("keras")
    if deterministic and backend == "tensorflow":
        importlib.import_module("tensorflow").config.experimental.enable_op_determinism()
    if deterministic and backend == "torch":
        torch = importlib.import_module("torch")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
