"""Time of each stage of the loop, in memory that does not grow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence

import numpy as np

KEPT = 4096  # latest times of a stage, for its percentiles


class StageTimes:
    """Durations by stage; the count is of all, mean and percentiles are of the latest KEPT."""

    def __init__(self, names: Sequence[str]) -> None:
        self._times_s = {name: np.zeros(KEPT) for name in names}
        self._counts = dict.fromkeys(names, 0)

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measures the block, whether it succeeds or not."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """One duration of the stage."""
        self._times_s[name][self._counts[name] % KEPT] = seconds
        self._counts[name] += 1

    def table(self) -> dict[str, dict[str, float]]:
        """Stage to n, mean_ms, p50_ms, p95_ms; stages that never ran are left out."""
        rows = {}
        for name, count in self._counts.items():
            if count:
                ms = np.sort(self._times_s[name][:count]) * 1000
                # np.percentile would load numpy.ma: 2 MiB on a device, for two numbers.
                p50, p95 = np.interp((0.5 * (len(ms) - 1), 0.95 * (len(ms) - 1)), np.arange(len(ms)), ms)
                rows[name] = {
                    "n": count,
                    "mean_ms": round(float(ms.mean()), 3),
                    "p50_ms": round(float(p50), 3),
                    "p95_ms": round(float(p95), 3),
                }
        return rows
