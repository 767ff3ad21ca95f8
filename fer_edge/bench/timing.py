"""Latency of several models side by side in one process: interleaved rounds, and their statistics."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fer_edge.bench import intervals, watch

BLOCK = 10
"""Timed inferences of one model in a row, before the next model's turn."""
SETTLE = 2
"""Untimed ones before each block, which bring the model's weights back into the caches."""


@dataclass
class Timings:
    """What one process measured of one subject, one entry an inference, in the order of measuring, in ns.

    wall_ns: elapsed. cpu_ns: CPU time of the whole process. queued_ns: how long the calling thread waited
    for a core in all blocks together, None where the system does not tell.
    """

    wall_ns: list[int] = field(default_factory=list)
    cpu_ns: list[int] = field(default_factory=list)
    queued_ns: int | None = 0


def interleaved(
    subjects: Sequence[Callable[[], object]],
    warmup: int,
    runs: int,
    seed: int = 0,
    after_block: Callable[[], object] = lambda: None,
) -> list[Timings]:
    """Times each subject `runs` times after `warmup` untimed calls, in blocks that take turns.

    The order of the turns is drawn anew in each round, so that drift and neighbours hit all alike.
    """
    timings = [Timings() for _ in subjects]
    order = np.random.default_rng(seed)
    for subject in subjects:
        for _ in range(warmup):
            subject()
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
    return timings


def _time_block(subject: Callable[[], object], timings: Timings, count: int) -> None:
    before = watch.queued_ns()
    for _ in range(SETTLE):
        subject()
    for _ in range(count):
        cpu, wall = time.process_time_ns(), time.perf_counter_ns()
        subject()
        timings.wall_ns.append(time.perf_counter_ns() - wall)
        timings.cpu_ns.append(time.process_time_ns() - cpu)
    after = watch.queued_ns()
    if timings.queued_ns is None or before is None or after is None:
        timings.queued_ns = None
    else:
        timings.queued_ns += after - before


def summary(processes: Sequence[Timings]) -> dict[str, Any]:
    """`latency_ms`, `process_p50_ms` (of each process), `cpu_ms` (mean, all threads), `fps` (1000 / p50).

    processes: what each process measured of one subject. `p50_low` to `p50_high` is the 95 % interval of
    `intervals.of_median`, which holds what differs from process to process.
    """
    each = [np.array(timings.wall_ns, np.float64) / 1e6 for timings in processes]
    wall = np.concatenate(each)
    p50, p90, p99 = (float(value) for value in np.percentile(wall, (50, 90, 99)))
    low, high = intervals.of_median(each) if len(each) > 1 else intervals.of_median_within(each[0], BLOCK)
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
        "process_p50_ms": [float(np.median(values)) for values in each],
        "cpu_ms": float(np.mean(np.concatenate([timings.cpu_ns for timings in processes]))) / 1e6,
        "fps": 1000 / p50,
    }


def disturbed(processes: Sequence[Timings], others_share: float | None) -> bool:
    """Whether the figures are those of a busy machine.

    Either other processes took a noticeable share of the machine meanwhile, or the timing thread was kept
    waiting for a core.
    """
    wall, cpu = (sum(sum(getattr(one, key)) for one in processes) for key in ("wall_ns", "cpu_ns"))
    queues = [one.queued_ns for one in processes]
    queued = None if None in queues else sum(queue or 0 for queue in queues)
    return watch.is_busy(others_share) or watch.kept_waiting(wall, cpu, queued)
