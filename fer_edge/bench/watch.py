"""Whether a measurement was disturbed: what other processes took of the machine, and waiting for a core.

One's own threads are no disturbance. The machine's CPU time less that of this process and of the processes
that it started is what others took; and a thread that waits in the system's queue for a core waits for
somebody, while one that sleeps until its own workers are done does not.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from fer_edge import machine

OTHERS_LIMIT, OTHERS_CORES = 0.1, 0.5
"""Above this share of the machine's cores, and above so many cores, other processes were at work."""
WAITING_LIMIT = 0.1
"""Above this share of the wall time, the timing thread was kept waiting for a core."""
_LEAST_S = 0.3  # the system counts CPU time in steps of 10 ms


class Watch:
    """Adds up, over the stretches of time in which it is entered (`with`), what others take meanwhile.

    elapsed_s: wall time of the stretches. cpu_s: CPU time of this process, all its threads. Processes
    that were started within a stretch must have been waited for at its end.
    """

    def __init__(self) -> None:
        self.elapsed_s = self.cpu_s = 0.0
        self._others_s: float | None = 0.0
        self._queued_s: float | None = 0.0

    def __enter__(self) -> Watch:
        self._began = _clocks()
        return self

    def __exit__(self, *_: object) -> None:
        (wall, cpu, others, queued), (wall_, cpu_, others_, queued_) = self._began, _clocks()
        self.elapsed_s, self.cpu_s = self.elapsed_s + wall_ - wall, self.cpu_s + cpu_ - cpu
        self._others_s = _added(self._others_s, others, others_)
        self._queued_s = _added(self._queued_s, queued, queued_)

    def others_share(self) -> float | None:
        """0..1 of all cores; None if it is not known or the time was too short to tell."""
        if self._others_s is None or self.elapsed_s < _LEAST_S:
            return None
        return max(0.0, self._others_s) / (self.elapsed_s * (os.cpu_count() or 1))

    def others_at_work(self) -> bool:
        """Whether other processes took a noticeable share of the machine."""
        limit = min(OTHERS_LIMIT, OTHERS_CORES / (os.cpu_count() or 1))
        return (self.others_share() or 0.0) > limit

    def waited(self) -> bool:
        """Whether this thread had to wait for a core, and not for its own process, which filled all cores.

        Where the system has no queue to read, the time in which no thread of the process ran is waiting.
        """
        if self._queued_s is None:
            return self.cpu_s < (1 - WAITING_LIMIT) * self.elapsed_s
        filled = self.cpu_s > (1 - WAITING_LIMIT) * self.elapsed_s * machine.usable_cores()
        return self._queued_s > WAITING_LIMIT * self.elapsed_s and not filled

    def disturbed(self) -> bool:
        """Whether others disturbed what this thread did in these stretches, with its process's threads."""
        return self.others_at_work() or self.waited()


def queued_s() -> float | None:
    """How long this thread has waited for a core since it began; None where the system does not tell."""
    try:
        return int(Path("/proc/thread-self/schedstat").read_text().split()[1]) / 1e9
    except (OSError, ValueError, IndexError):
        return None


def _clocks() -> tuple[float, float, float | None, float | None]:
    """Wall and CPU seconds, the others' seconds, and seconds of waiting for a core."""
    cpu_s, times, busy_s = time.process_time(), os.times(), machine.busy_seconds()
    ours_s = cpu_s + times.children_user + times.children_system
    return time.perf_counter(), cpu_s, None if busy_s is None else busy_s - ours_s, queued_s()


def _added(total: float | None, began: float | None, ended: float | None) -> float | None:
    return None if total is None or began is None or ended is None else total + ended - began
