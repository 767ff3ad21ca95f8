"""The device that trains: found, prepared and described, on whichever backend Keras runs."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

import keras

from fer_edge.errors import UsageError
from fer_edge.model.interpreter import quiet_stderr
from fer_edge.training import workers

PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Device:
    """kind: `gpu` or `cpu`. name: for the user. backend: Keras' backend. precision: of computation."""

    kind: str
    name: str
    backend: str
    precision: str

    def __str__(self) -> str:
        where = f"{self.kind.upper()} {self.name}"
        return f"training on {where}, Keras {keras.__version__} on {self.backend}, {self.precision}"


def cpu_name() -> str:
    """The processor's model and the number of cores that this process may use."""
    model = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        model = lines[0].partition(":")[2].strip() if lines else model
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{model} ({cores} cores)"


def _gpus() -> list[str]:
    backend = keras.backend.backend()
    if backend == "tensorflow":
        import tensorflow

        found = tensorflow.config.list_physical_devices("GPU")
        for gpu in found:
            tensorflow.config.experimental.set_memory_growth(gpu, True)
        details = [tensorflow.config.experimental.get_device_details(gpu) for gpu in found]
        return [str(d.get("device_name", gpu.name)) for d, gpu in zip(details, found, strict=True)]
    if backend == "jax":
        import jax

        return [str(d.device_kind) for d in jax.devices() if d.platform in ("gpu", "cuda", "rocm")]
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


def _automatic_precision(gpu: bool) -> str:
    if gpu:
        return "bfloat16"
    if keras.backend.backend() != "torch":
        return "float32"  # measured: bfloat16 is no faster on a CPU in TensorFlow, XLA slower
    info = Path("/proc/cpuinfo")
    has_bfloat16 = info.exists() and ("avx512_bf16" in info.read_text() or "amx_bf16" in info.read_text())
    return "bfloat16" if has_bfloat16 else "float32"


def prepare(precision: str = "auto") -> Device:
    """Joins other processes (`workers`), finds the device, lets a GPU's memory grow as needed, sets Keras'
    global precision policy.

    Raises UsageError for an unknown precision.
    """
    if precision not in PRECISIONS:
        raise UsageError(f"no precision {precision!r}: there are {', '.join(PRECISIONS)}")
    workers.begin()
    with quiet_stderr():  # a driver that is absent is told in words of its own
        gpus = _gpus()
    chosen = _automatic_precision(bool(gpus)) if precision == "auto" else precision
    keras.mixed_precision.set_global_policy("float32" if chosen == "float32" else f"mixed_{chosen}")
    return Device("gpu" if gpus else "cpu", gpus[0] if gpus else cpu_name(), keras.backend.backend(), chosen)
