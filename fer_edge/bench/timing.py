"""Latency of several models side by side: interleaved rounds, their statistics, and who disturbed them."""

from __future__ import annotations

import gc
import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import machine

BLOCK = 10
"""Timed inferences of one model in a row, before the next model's turn."""
SETTLE = 2
"""Untimed ones before each block, which bring the model's weights back into the caches."""
WAITING_LIMIT = 0.9
"""Below this share of CPU time in wall time, the timing thread was kept waiting."""
OTHERS_LIMIT = 0.1
"""Above this share of the machine's cores, other processes were at work."""
_OTHERS_MIN_S = 0.3  # the system counts CPU time in steps of 10 ms
_RESAMPLES = 1000


@dataclass
class Timings:
    """What was measured of one subject, one entry an inference, in the order of measuring, in ns.

    wall_ns: elapsed. thread_ns: CPU time of the calling thread; cpu_ns: of the whole process.
    """

    wall_ns: list[int] = field(default_factory=list)
    thread_ns: list[int] = field(default_factory=list)
    cpu_ns: list[int] = field(default_factory=list)


def interleaved(
    subjects: Sequence[Callable[[], object]],
    warmup: int,
    runs: int,
    seed: int = 0,
    after_block: Callable[[], object] = lambda: None,
) -> tuple[list[Timings], float | None]:
    """Times each subject `runs` times after `warmup` untimed calls, in blocks that take turns.

    The order of the turns is drawn anew in each round, so that drift and neighbours hit all alike.
    Returns the timings and the share of the machine that other processes took meanwhile (0..1; None if
    it is not known or the time was too short to tell).
    """
    timings = [Timings() for _ in subjects]
    order = np.random.default_rng(seed)
    for subject in subjects:
        for _ in range(warmup):
            subject()
    watch = Watch()
    collecting = gc.isenabled()
    gc.disable()
    try:
        for first in range(0, runs, BLOCK):
            for index in order.permutation(len(subjects)):
                _time_block(subjects[index], timings[index], min(BLOCK, runs - first))
                after_block()
    finally:
        if collecting:
            gc.enable()
    return timings, watch.others_share()


def _time_block(subject: Callable[[], object], timings: Timings, count: int) -> None:
    for _ in range(SETTLE):
        subject()
    for _ in range(count):
        cpu, thread, wall = time.process_time_ns(), time.thread_time_ns(), time.perf_counter_ns()
        subject()
        timings.wall_ns.append(time.perf_counter_ns() - wall)
        timings.thread_ns.append(time.thread_time_ns() - thread)
        timings.cpu_ns.append(time.process_time_ns() - cpu)


class Watch:
    """Watches from now on how much of the machine other processes take."""

    def __init__(self) -> None:
        self._start_s, self._others_s = time.perf_counter(), _others_seconds()

    def others_share(self) -> float | None:
        """0..1 of all cores; None if it is not known or the time was too short to tell."""
        elapsed, others_end = time.perf_counter() - self._start_s, _others_seconds()
        if self._others_s is None or others_end is None or elapsed < _OTHERS_MIN_S:
            return None
        return max(0.0, others_end - self._others_s) / (elapsed * (os.cpu_count() or 1))


def is_busy(others_share: float | None) -> bool:
    """Whether other processes took a noticeable share of the machine."""
    return others_share is not None and others_share > OTHERS_LIMIT


def _others_seconds() -> float | None:
    busy = machine.busy_seconds()
    return None if busy is None else busy - time.process_time()


def summary(timings: Timings) -> dict[str, Any]:
    """`latency_ms`, `cpu_ms` (mean of the whole process, all threads) and `fps` (1000 / p50)."""
    wall = np.array(timings.wall_ns, np.float64) / 1e6
    p50, p90, p99 = (float(value) for value in np.percentile(wall, (50, 90, 99)))
    low, high = median_interval(wall)
    return {
        "latency_ms": {
            "min": float(wall.min()),
            "p50": p50,
            "p50_low": low,
            "p50_high": high,
            "p90": p90,
            "p99": p99,
            "mean": float(wall.mean()),
        },
        "cpu_ms": float(np.mean(timings.cpu_ns)) / 1e6,
        "fps": 1000 / p50,
    }


def median_interval(values: NDArray[np.float64], block: int = BLOCK, seed: int = 0) -> tuple[float, float]:
    """95 % bootstrap interval of the median of `values` (N,), N at least 1, as (low, high).

    Whole blocks are drawn, since inferences that follow each other share the machine's state; single
    values where there are fewer than eight blocks. A last block that is not full stays out of it.
    """
    blocks = len(values) // block
    units = values[: blocks * block].reshape(blocks, block) if blocks >= 8 else values.reshape(-1, 1)
    rng = np.random.default_rng(seed)
    medians = [np.median(units[rng.integers(0, len(units), len(units))]) for _ in range(_RESAMPLES)]
    low, high = np.percentile(medians, (2.5, 97.5))
    return float(low), float(high)


def disturbed(timings: Timings, others_share: float | None) -> bool:
    """Whether the figures are those of a busy machine.

    Either the timing thread was kept waiting (its CPU time falls short of the wall time), or other
    processes took a noticeable share of the machine meanwhile.
    """
    ran = sum(timings.thread_ns) / max(sum(timings.wall_ns), 1)
    return ran < WAITING_LIMIT or is_busy(others_share)
