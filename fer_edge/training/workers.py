"""Several devices, and several processes, that train one network: Keras' own data parallelism on JAX.

Every process runs the same command with its number in the environment (see docs/several-machines.md). All of
them see whole batches' statistics: JAX computes one program over all devices, so batch normalisation and the
loss are those of one process with the same batch.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass

import keras

from fer_edge.errors import UsageError

COUNT, INDEX, ADDRESSES = (
    "KERAS_DISTRIBUTION_NUM_PROCESSES",
    "KERAS_DISTRIBUTION_PROCESS_ID",
    "KERAS_DISTRIBUTION_JOB_ADDRESSES",
)


@dataclass(frozen=True)
class Workers:
    """This process is number `index`, from 0, of `count`, which have `devices` in all."""

    index: int = 0
    count: int = 1
    devices: int = 1

    @property
    def first(self) -> bool:
        """Whether this process writes what the training leaves."""
        return self.index == 0

    @property
    def mark(self) -> tuple[int, ...]:
        """What tells this process's random numbers from those of the others; nothing where it is alone."""
        return (self.index,) if self.count > 1 else ()

    def share(self, size: int) -> slice:
        """This process's part of a batch of `size`. Raises UsageError where it does not divide evenly."""
        if size % self.devices:
            raise UsageError(f"a batch of {size} does not divide among {self.devices} devices")
        part = size // self.count
        return slice(self.index * part, (self.index + 1) * part)


def begin() -> Workers:
    """Joins the other processes that the environment names, and spreads the work over all devices.

    Called before anything is computed. Raises UsageError for a backend that cannot, and for numbers that
    are none.
    """
    wanted = os.environ.get(COUNT, "1")
    if not wanted.isdecimal() or int(wanted) < 1:
        raise UsageError(f"{COUNT} is {wanted!r}: give the number of processes")
    several = int(wanted) > 1
    if keras.backend.backend() != "jax":
        if several:
            raise UsageError(
                f"several processes train one network on KERAS_BACKEND=jax only, not on "
                f"{keras.backend.backend()} (docs/several-machines.md)"
            )
        return Workers()
    if several and current().count == 1:
        for name in (INDEX, ADDRESSES):
            if not os.environ.get(name):
                raise UsageError(f"{COUNT} is {wanted}, and {name} is not set (docs/several-machines.md)")
        keras.distribution.initialize()
    devices = keras.distribution.list_devices()
    if len(devices) > 1:
        # Each process makes its own part of a batch, so Keras has none to cut.
        spread = keras.distribution.DataParallel(devices=devices, auto_shard_dataset=False)
        keras.distribution.set_distribution(spread)
    return current()


def current() -> Workers:
    """Which process this is; the only one where `begin` found no others."""
    if keras.backend.backend() != "jax" or keras.distribution.distribution() is None:
        return Workers()
    import jax

    return Workers(jax.process_index(), jax.process_count(), jax.device_count())


def together(what: str) -> None:
    """Waits until all processes are here."""
    if current().count > 1:
        from jax.experimental import multihost_utils

        multihost_utils.sync_global_devices(what)


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Within it each process computes the whole by itself; all must compute the same."""
    spread = keras.distribution.distribution() if keras.backend.backend() == "jax" else None
    if spread is None:
        yield
        return
    keras.distribution.set_distribution(None)
    try:
        yield
    finally:
        keras.distribution.set_distribution(spread)
