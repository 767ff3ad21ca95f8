"""Tries inputs in a child process that may die; says which crashed, hung or got past our errors."""

from __future__ import annotations

import os
import queue
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from fer_edge.errors import FerEdgeError
from fuzz.mutation import Random

FINDS = Path(__file__).parent / "finds"
MEMORY_BYTES = 3 << 30
IN_MEMORY = Path("/dev/shm")
"""Where inputs are written: making and removing a folder on a disk takes longer than reading most of them."""
OUTCOMES = ("taken", "refused", "fault", "crash", "hang")


@dataclass(frozen=True)
class Kind:
    """make: an input from a seed. attempt: reads it as the program does; only FerEdgeError may come out.

    hang_s: seconds after which an input counts as a hang. bounded: whether memory is limited, which
    TensorFlow does not bear.
    """

    name: str
    make: Callable[[Random], bytes]
    attempt: Callable[[bytes, Path], None]
    hang_s: float = 20.0
    bounded: bool = True


@dataclass
class Tally:
    """Outcomes counted, and the first line of what went wrong by input."""

    kind: str
    counts: Counter[str] = field(default_factory=Counter)
    faults: list[tuple[str, str, str]] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def tried(self) -> int:
        return sum(self.counts.values())


def generated(kind: Kind, seed: int, number: int) -> bytes:
    """Input `number` of the kind: the same for the same seed."""
    return kind.make(np.random.default_rng((seed, *kind.name.encode(), number)))


def _outcome(kind: Kind, data: bytes, folder: Path) -> tuple[str, str]:
    """folder: empty, and empty again at the end."""
    try:
        kind.attempt(data, folder)
    except FerEdgeError as error:
        text = str(error)
        if not text.strip() or "\n" in text or len(text) > 2000:
            return "fault", f"{type(error).__name__}: not one line of bounded length: {text!r:.200}"
        return "refused", ""
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(last.filename).name}:{last.lineno}"
        return "fault", f"{type(error).__name__} in {where}: {str(error)!r:.200}"
    finally:
        for entry in os.scandir(folder):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
    return "taken", ""


def work(kind: Kind, seed: int, names: Iterable[str]) -> None:
    """In the child: tries inputs, given by number or by path, and prints a line before and after each."""
    if kind.bounded:
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    out = os.fdopen(os.dup(1), "w")
    silent = os.open(os.devnull, os.O_WRONLY)
    os.dup2(silent, 1)
    os.dup2(silent, 2)
    folder = Path(tempfile.mkdtemp())
    for name in names:
        data = generated(kind, seed, int(name)) if name.isdecimal() else Path(name).read_bytes()
        print(f"begin\t{name}", file=out, flush=True)
        outcome, text = _outcome(kind, data, folder)
        print(f"end\t{name}\t{outcome}\t{text!r}", file=out, flush=True)


def _lines(child: subprocess.Popen[str]) -> queue.Queue[str | None]:
    lines: queue.Queue[str | None] = queue.Queue()

    def pump() -> None:
        assert child.stdout is not None
        for line in child.stdout:
            lines.put(line)
        lines.put(None)

    threading.Thread(target=pump, daemon=True).start()
    return lines


def tried(kind: Kind, names: Sequence[str], seed: int = 0, until: float = float("inf")) -> Tally:
    """Tries every input of `names` until the monotonic time `until`; a child that dies is replaced."""
    tally, began, left = Tally(kind.name), time.monotonic(), list(names)
    while left and time.monotonic() < until:
        batch = left[:2000]
        with tempfile.TemporaryDirectory(
            prefix="fuzz-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None
        ) as place:
            child = _started(kind, seed, place)
            left = _watched(kind, child, batch, tally, until) + left[2000:]
    tally.seconds = time.monotonic() - began
    return tally


def tried_apart(
    kind: Kind, names: Sequence[str], seed: int = 0, until: float = float("inf"), jobs: int = 1
) -> Tally:
    """As `tried`, by so many children at a time."""
    began = time.monotonic()
    with ThreadPoolExecutor(jobs) as pool:
        parts = list(pool.map(lambda k: tried(kind, names[k::jobs], seed, until), range(jobs)))
    counts = sum((part.counts for part in parts), Counter[str]())
    faults = [fault for part in parts for fault in part.faults]
    return Tally(kind.name, counts, faults, time.monotonic() - began)


def _started(kind: Kind, seed: int, place: str) -> subprocess.Popen[str]:
    """place: the folder that all its temporary files go to."""
    command = [sys.executable, str(Path(__file__).parent), "--work", kind.name, "--seed", str(seed)]
    pipe, env = subprocess.PIPE, {**os.environ, "TMPDIR": place}
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, text=True, env=env)


def _watched(
    kind: Kind, child: subprocess.Popen[str], batch: list[str], tally: Tally, until: float
) -> list[str]:
    """Follows one child to its end; gives the inputs that it did not come to."""
    assert child.stdin is not None
    child.stdin.write("\n".join(batch) + "\n")
    child.stdin.close()
    lines, running, done = _lines(child), None, 0
    try:
        while True:
            try:
                line = lines.get(timeout=kind.hang_s if running else 180.0)
            except queue.Empty:
                _count(tally, running or "start", "hang", f"over {kind.hang_s:.0f} s")
                return batch[done + 1 :]
            if line is None:
                break
            word, name, *rest = line.rstrip("\n").split("\t")
            if word == "begin":
                running = name
            else:
                _count(tally, name, *rest)
                running, done = None, done + 1
                if time.monotonic() > until:
                    return []
    finally:
        child.kill()
        child.wait()
    if running:
        _count(tally, running, "crash", f"exit {child.returncode}")
        return batch[done + 1 :]
    if done < len(batch):
        _count(tally, "start", "crash", "the child cannot start")
    return []


def _count(tally: Tally, name: str, outcome: str, text: str = "") -> None:
    tally.counts[outcome] += 1
    if outcome not in ("taken", "refused"):
        tally.faults.append((name, outcome, text))
