"""Training that gives the same weights each time, on the same machine, at some cost in speed."""

from __future__ import annotations

import importlib
import os

from fer_edge.quiet import quiet_training


def enable() -> None:
    """Loads Keras with every operation of its backend deterministic, for the rest of the process.

    Called before anything else touches the backend: CUDA and XLA read their settings once. Same seed,
    data, versions, machine and number of threads: same weights, in one go or resumed. Raises
    MissingExtraError without Keras or its backend.
    """
    # https://docs.nvidia.com/cuda/cublas/#results-reproducibility
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    flags = os.environ.get("XLA_FLAGS", "")
    if "xla_gpu_deterministic_ops" not in flags:
        os.environ["XLA_FLAGS"] = f"{flags} --xla_gpu_deterministic_ops=true".strip()
    quiet_training()
    backend = importlib.import_module("keras").backend.backend()
    if backend == "tensorflow":
        importlib.import_module("tensorflow").config.experimental.enable_op_determinism()
    elif backend == "torch":
        torch = importlib.import_module("torch")
        torch.use_deterministic_algorithms(True)
        torch.backends.cudnn.benchmark = False
