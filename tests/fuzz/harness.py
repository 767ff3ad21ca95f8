"""Tries inputs in a process that may die; says which crashed, hung or got past our errors."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from random import Random

from fer_edge.errors import FerEdgeError

FINDS = Path(__file__).parent / "finds"
OUTCOMES = ("taken", "refused", "fault", "crash", "hang")
_IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk takes longer than most inputs


@dataclass(frozen=True)
class Kind:
    """make: an input from a seed. read: reads it as the program does; only FerEdgeError may come out.

    hang_s: seconds after which an input counts as a hang. bounded: whether memory is limited, which
    TensorFlow does not bear.
    """

    make: Callable[[Random], bytes]
    read: Callable[[bytes, Path], None]
    hang_s: float = 20.0
    bounded: bool = True


def generated(kind: str, seed: int, number: int) -> bytes:
    """Input `number` of the kind: the same for the same seed."""
    from fuzz.kinds import KINDS

    return KINDS[kind].make(Random(f"{seed} {kind} {number}"))


def tried(
    kind: str, names: Sequence[str], seed: int = 0, until: float = float("inf")
) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """Tries inputs, given by number or by path, until the monotonic time `until`.

    Gives how often each outcome came, and (input, outcome, first line) of what went wrong. A child that dies,
    hangs or has tried 2,000 is replaced.
    """
    from fuzz.kinds import KINDS

    counts, faults, child = Counter[str](), [], None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_IN_MEMORY) as place:
        for name in names:
            if time.monotonic() > until:
                break
            child = child or _Child(kind, seed, place)
            outcome, text = child.answer(name, KINDS[kind].hang_s)
            counts[outcome] += 1
            if outcome not in ("taken", "refused"):
                faults.append((name, outcome, text))
            if outcome in ("crash", "hang") or counts.total() % 2000 == 0:
                child = child.process.kill()
        if child:
            child.process.kill()
            child.process.join()
    return counts, faults


class _Child:
    """place: the folder that all its temporary files go to."""

    def __init__(self, kind: str, seed: int, place: str) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self.process = context.Process(target=_serve, args=(kind, seed, place, theirs))
        self.process.start()
        theirs.close()
        if not self._connection.poll(180):
            raise RuntimeError("the child does not start")
        self._connection.recv()

    def answer(self, name: str, seconds: float) -> tuple[str, str]:
        try:
            self._connection.send(name)
            if self._connection.poll(seconds):
                return self._connection.recv()
        except (EOFError, OSError):
            self.process.join()
            return "crash", f"exit {self.process.exitcode}"
        return "hang", f"over {seconds:.0f} s"


def _serve(kind: str, seed: int, place: str, connection: Connection) -> None:
    """In the child: tries what it is sent, in silence."""
    from fuzz.kinds import KINDS

    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    os.environ["TMPDIR"] = tempfile.tempdir = place
    if KINDS[kind].bounded:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    connection.send("ready")
    while True:
        name, folder = connection.recv(), Path(tempfile.mkdtemp())
        data = generated(kind, seed, int(name)) if name.isdecimal() else Path(name).read_bytes()
        connection.send(_outcome(KINDS[kind], data, folder))
        shutil.rmtree(folder)


def _outcome(kind: Kind, data: bytes, folder: Path) -> tuple[str, str]:
    try:
        kind.read(data, folder)
    except FerEdgeError as error:
        text = str(error)
        if not text.strip() or "\n" in text or len(text) > 2000:
            return "fault", f"{type(error).__name__}: not one line of bounded length: {text!r:.200}"
        return "refused", ""
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return "fault", f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error!r:.200}"
    return "taken", ""
