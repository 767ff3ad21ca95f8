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

OTHERS_LIMIT = 0.1
"""Above this share of the machine's cores, other processes were at work."""
OTHERS_CORES = 0.5
"""Above so many cores as well, on a machine with so many that one busy program is a small share."""
WAITING_LIMIT = 0.1
"""Above this share of the wall time, the timing thread was kept waiting for a core."""
_LEAST_S = 0.3  # the system counts CPU time in steps of 10 ms
_QUEUE = Path("/proc/thread-self/schedstat")


class Watch:
    """Adds up, over the stretches of time in which it is entered (`with`), what others take meanwhile.

    elapsed_s: wall time of the stretches. cpu_s: CPU time of this process, all its threads. Processes
    that were started within a stretch must have been waited for at its end.
    """

    def __init__(self) -> None:
        self.elapsed_s = self.cpu_s = 0.0
        self._others_s: float | None = 0.0
        self._queued_ns: float | None = 0.0

    def __enter__(self) -> Watch:
        self._began = _clocks()
        return self

    def __exit__(self, *_: object) -> None:
        (wall, cpu, others, queued), (wall_, cpu_, others_, queued_) = self._began, _clocks()
        self.elapsed_s, self.cpu_s = self.elapsed_s + wall_ - wall, self.cpu_s + cpu_ - cpu
        self._others_s = _added(self._others_s, others, others_)
        self._queued_ns = _added(self._queued_ns, queued, queued_)

    def others_share(self) -> float | None:
        """0..1 of all cores; None if it is not known or the time was too short to tell."""
        if self._others_s is None or self.elapsed_s < _LEAST_S:
            return None
        return max(0.0, self._others_s) / (self.elapsed_s * _cores())

    def waited(self) -> bool:
        """Whether this thread had to wait for a core: see `kept_waiting`."""
        return kept_waiting(self.elapsed_s * 1e9, self.cpu_s * 1e9, self._queued_ns)

    def disturbed(self) -> bool:
        """Whether others disturbed what this thread did in these stretches, with its process's threads."""
        return is_busy(self.others_share()) or self.waited()


def _clocks() -> tuple[float, float, float | None, float | None]:
    """Wall and CPU seconds, the others' seconds, and nanoseconds of waiting for a core."""
    cpu_s, times, busy_s = time.process_time(), os.times(), machine.busy_seconds()
    ours_s = cpu_s + times.children_user + times.children_system
    return time.perf_counter(), cpu_s, None if busy_s is None else busy_s - ours_s, queued_ns()


def _added(total: float | None, began: float | None, ended: float | None) -> float | None:
    return None if total is None or began is None or ended is None else total + ended - began


def is_busy(others_share: float | None) -> bool:
    """Whether other processes took a noticeable share of the machine."""
    return others_share is not None and others_share > min(OTHERS_LIMIT, OTHERS_CORES / _cores())


def queued_ns() -> int | None:
    """How long this thread has waited for a core since it began; None where the system does not tell."""
    try:
        return int(_QUEUE.read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None


def kept_waiting(wall_ns: float, cpu_ns: float, queued: float | None) -> bool:
    """Whether a thread that was timed for `wall_ns` had to wait for others.

    cpu_ns: CPU time of its whole process meanwhile. queued: as `queued_ns` tells, meanwhile. A process that
    filled all cores by itself waited for its own threads. Where `queued` is None, the time in which none
    of the process's threads ran is taken for waiting.
    """
    wall_ns = max(wall_ns, 1)
    if queued is None:
        return cpu_ns < (1 - WAITING_LIMIT) * wall_ns
    filled = cpu_ns > (1 - WAITING_LIMIT) * wall_ns * machine.usable_cores()
    return queued > WAITING_LIMIT * wall_ns and not filled


def _cores() -> int:
    return os.cpu_count() or 1
