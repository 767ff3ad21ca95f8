"""Suppresses native messages; imports Keras and its backend silently, with one line if they are missing."""

import contextlib
import importlib.util
import os
import sys
import threading
from collections.abc import Iterator

from fer_edge.errors import MissingExtraError, UsageError

_stderr_lock = threading.RLock()  # blocks nest


def quiet_training(deterministic: bool = False) -> None:
    """Imports Keras on its backend, TensorFlow unless KERAS_BACKEND says otherwise, silently.

    deterministic: makes every operation deterministic for the rest of the process, at some cost in speed.
    Same seed, data, versions, machine and number of threads then give the same weights. Must come before
    anything else uses the backend: CUDA and XLA read their settings once. Raises MissingExtraError if Keras
    or the backend is missing, UsageError for another backend.
    """
    if deterministic:  # https://docs.nvidia.com/cuda/cublas/#results-reproducibility
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        flags = os.environ.get("XLA_FLAGS", "")
        if "xla_gpu_deterministic_ops" not in flags:
            os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    backend = os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    if backend not in ("tensorflow", "jax", "torch"):
        raise UsageError(f"KERAS_BACKEND is {backend!r}: use tensorflow, jax or torch")
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


@contextlib.contextmanager
def quiet_stderr(into: int | None = None) -> Iterator[None]:
    """Hides what native code prints on standard error (delegates, log levels).

    into: a file descriptor that gets it instead; libjpeg and libpng report damage only there. This affects
    the whole process, so keep it short; Python's own exceptions are not affected.
    """
    with _stderr_lock:
        try:
            sys.stderr.flush()
            kept = os.dup(2)
        except (OSError, ValueError, AttributeError):  # standard error is closed: nothing to keep quiet
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere if into is None else into, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
