"""The training device and its number format, and several devices or processes that train one network.

The latter is Keras' data parallelism on JAX (docs/several-machines.md): one program runs over all devices, so
batch normalisation and the loss are the same as in one process with the same batch.
"""

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import keras

from fer_edge import machine
from fer_edge.errors import UsageError
from fer_edge.quiet import quiet_stderr

COUNT, INDEX = "KERAS_DISTRIBUTION_NUM_PROCESSES", "KERAS_DISTRIBUTION_PROCESS_ID"
ADDRESSES = "KERAS_DISTRIBUTION_JOB_ADDRESSES"


def prepare(precision: str = "auto") -> str:
    """Joins other processes, finds the device, sets Keras' global precision policy; returns them in words.

    precision: auto, float32, bfloat16 or float16. Call it before computing anything. Raises as `join` does.
    """
    join()
    backend, cpu = keras.backend.backend(), Path("/proc/cpuinfo")
    with quiet_stderr():  # each backend reports a missing driver differently
        found = gpus()
        keras.utils.set_random_seed(0)  # on any backend, its first call loads TensorFlow
    if precision == "auto":  # of the backends, only PyTorch is faster in a processor's bfloat16
        pays = found or (backend == "torch" and cpu.exists() and "_bf16" in cpu.read_text())
        precision = "bfloat16" if pays else "float32"
    keras.mixed_precision.set_global_policy("float32" if precision == "float32" else f"mixed_{precision}")
    where = f"GPU {found[0]}" if found else f"CPU {machine.cpu_name()} ({machine.usable_cores()} cores)"
    return f"training on {where}, Keras {keras.__version__} on {backend}, {precision}"


def gpus() -> list[str]:
    """The names of the GPUs that Keras' backend sees; lets TensorFlow's memory grow as needed."""
    backend = keras.backend.backend()
    if backend == "tensorflow":
        from tensorflow import config

        found = config.list_physical_devices("GPU")
        for gpu in found:
            config.experimental.set_memory_growth(gpu, True)
        return [config.experimental.get_device_details(gpu).get("device_name", gpu.name) for gpu in found]
    if backend == "jax":
        import jax

        return [str(d.device_kind) for d in jax.devices() if d.platform in ("gpu", "cuda", "rocm")]
    import torch

    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


@dataclass(frozen=True)
class Workers:
    """This process is number `index` of `count`, which have `devices` in total; number 0 writes results."""

    index: int = 0
    count: int = 1
    devices: int = 1

    def share(self, size: int) -> slice:
        """This process's part of a batch of `size`. Raises UsageError if it does not divide evenly."""
        if size % self.devices:
            raise UsageError(f"a batch of {size} cannot be divided among {self.devices} devices")
        part = size // self.count
        return slice(self.index * part, (self.index + 1) * part)


def join() -> None:
    """Joins the processes named in the environment, and spreads the work over all devices.

    Raises UsageError for a backend that cannot do this, and for invalid numbers.
    """
    count, backend = os.environ.get(COUNT, "1"), keras.backend.backend()
    if not count.isdecimal() or int(count) < 1:
        raise UsageError(f"{COUNT} is {count!r}: give the number of processes")
    if backend != "jax":
        if int(count) > 1:
            raise UsageError(f"several processes need KERAS_BACKEND=jax, not {backend}")
        return
    if int(count) > 1 and workers().count == 1:
        for name in (INDEX, ADDRESSES):
            if not os.environ.get(name):
                raise UsageError(f"{COUNT} is {count}, and {name} is not set (docs/several-machines.md)")
        keras.distribution.initialize()
    devices = keras.distribution.list_devices()
    if len(devices) > 1:
        # Each process makes its own part of a batch, so Keras must not split it.
        spread = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
        keras.distribution.set_distribution(spread)


def workers() -> Workers:
    """This process; the only one if `join` found no others."""
    if keras.distribution.distribution() is None:
        return Workers()
    import jax

    return Workers(jax.process_index(), jax.process_count(), jax.device_count())


def wait_for_all() -> None:
    """Waits until all processes get here."""
    if workers().count > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices("fer-edge")


@contextlib.contextmanager
def undistributed() -> Iterator[None]:
    """Inside, each process computes everything itself; all must compute the same."""
    spread = keras.distribution.distribution()
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(spread)
