"""When a command is killed, and what it was at then.

Some of the moments are drawn over the whole time that the command takes, the others over what it does to its
files: writing is a small part of that time, and the moments within it are those that matter. A command that
is forked stops by itself, right before it opens or renames a file, or at a byte of one: what kills it from
outside comes too late for small files.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import random
import select
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

PHASES = ("nothing yet", "half-written", "files finished")
ENDED = "ended before"
_CREATE_MODIFY_CLOSE_MOVE = 0x100 | 0x2 | 0x8 | 0x80  # of <sys/inotify.h>
_AT_MOST = 2000  # changes that are drawn from: a log has one for each line


class Met(NamedTuple):
    """What a command was at when disturbed; amid: between the first change to its files and the last."""

    phase: str
    amid: bool = False


class Changes:
    """Counts what happens to files in a folder, as the kernel tells it (inotify); locks are no files."""

    def __init__(self, fd: int) -> None:
        self._fd, self.count = fd, 0

    @classmethod
    @contextlib.contextmanager
    def of(cls, folder: Path) -> Iterator[Changes]:
        """Of the folder and of those that are in it now."""
        libc = ctypes.CDLL(None, use_errno=True)
        fd = libc.inotify_init1(os.O_NONBLOCK)
        try:
            for place in [folder, *(path for path in folder.rglob("*") if path.is_dir())]:
                if libc.inotify_add_watch(fd, os.fsencode(place), _CREATE_MODIFY_CLOSE_MOVE) < 0:
                    raise OSError(ctypes.get_errno(), f"cannot watch {place}")
            yield cls(fd)
        finally:
            os.close(fd)

    def wait(self, seconds: float) -> None:
        """Until something happens, at most so long."""
        if not select.select([self._fd], [], [], seconds)[0]:
            return
        data, at = os.read(self._fd, 1 << 16), 0
        while at < len(data):
            name = data[at + 16 : at + 16 + int.from_bytes(data[at + 12 : at + 16], "little")]
            at += 16 + len(name)
            self.count += name.rstrip(b"\0") != b".lock"

    def rest(self) -> None:
        """All that happened until now."""
        while select.select([self._fd], [], [], 0)[0]:
            self.wait(0)


@dataclass
class Usual:
    """What an undisturbed run of a command takes and does; largest: bytes of its largest file."""

    seconds: float
    changes: int
    largest: int

    def moment(self, rng: random.Random, by_itself: bool) -> Moment:
        """One at random; by_itself: of a command that can stop itself."""
        if by_itself and self.changes and rng.random() < 0.75:
            step = rng.randint(1, max(1, self.changes // 2))
            size = rng.choice((None, rng.randint(0, self.largest)))
            return Moment(10 * self.seconds, None, step=step, size=size)
        if self.changes and rng.random() < 0.5:
            change = rng.randint(1, min(self.changes, _AT_MOST))
            return Moment(10 * self.seconds, change, rng.choice((0.0, 0.001)))
        return Moment(rng.uniform(0, self.seconds), None)


@dataclass(frozen=True)
class Moment:
    """After so many seconds, or so long after the change of that number.

    step, size: as in preloaded.stop_at.
    """

    seconds: float
    change: int | None
    pause_s: float = 0.0
    step: int | None = None
    size: int | None = None

    def come(self, alive: Callable[[], bool], changes: Changes) -> bool:
        """Waits for it; False if the command ended before."""
        until = time.monotonic() + self.seconds
        while alive() and time.monotonic() < until:
            changes.wait(min(0.05, max(0.0, until - time.monotonic())))
            if self.change is not None and changes.count >= self.change:
                time.sleep(self.pause_s)
                break
        return alive()


NEVER = Moment(600.0, None)


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in files}


def phase(before: dict[Path, tuple[int, int]], folder: Path) -> str:
    """What the command was at, from what it left. Asides begin with a dot, or lie in a folder that does."""
    new = [path for path, stat in state(folder).items() if before.get(path) != stat and path.name != ".lock"]
    if any(part.startswith(".") for path in new for part in path.relative_to(folder).parts):
        return PHASES[1]
    return PHASES[2] if new else PHASES[0]
