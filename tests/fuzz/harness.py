"""Makes inputs from seeds and tries them in a process that may die; says what got past our errors."""

from __future__ import annotations

import multiprocessing
import os
import resource
import shutil
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
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


def kinds() -> dict[str, Kind]:
    """All, by name."""
    from fuzz import data_kinds, model_kinds

    return data_kinds.KINDS | model_kinds.KINDS


def generated(kind: str, seed: int, number: int) -> bytes:
    """Input `number` of the kind: the same for the same seed."""
    return kinds()[kind].make(Random(f"{seed} {kind} {number}"))


def tried(name: str, inputs: Sequence[str], seed: int) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """Tries inputs, given by number or by path.

    Gives how often each outcome came, and (input, outcome, first line) of what went wrong. A child that dies,
    hangs or has tried 2,000 is replaced.
    """
    kind, counts, faults, child = kinds()[name], Counter[str](), [], None
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=_IN_MEMORY) as place:
        for one in inputs:
            if child is None:
                ours, theirs = multiprocessing.Pipe()
                context = multiprocessing.get_context("spawn")
                child = context.Process(target=_serve, args=(name, seed, place, theirs))
                child.start()
                theirs.close()
                assert ours.poll(180), "the child does not start"
                ours.recv()
            try:
                ours.send(one)
                late = ("hang", f"over {kind.hang_s:.0f} s")
                outcome, text = ours.recv() if ours.poll(kind.hang_s) else late
            except (EOFError, OSError):
                child.join()
                outcome, text = "crash", f"exit {child.exitcode}"
            counts[outcome] += 1
            if outcome not in ("taken", "refused"):
                faults.append((one, outcome, text))
            if outcome in ("crash", "hang") or counts.total() % 2000 == 0:
                child = child.kill()
        if child:
            child.kill()
            child.join()
    return counts, faults


def _serve(name: str, seed: int, place: str, connection) -> None:
    """In the child: tries what it is sent, in silence."""
    kind = kinds()[name]
    for stream in (1, 2):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
    os.environ["TMPDIR"] = tempfile.tempdir = place
    if kind.bounded:
        resource.setrlimit(resource.RLIMIT_AS, (3 << 30, 3 << 30))
    connection.send("ready")
    while True:
        one, folder = connection.recv(), Path(tempfile.mkdtemp())
        data = generated(name, seed, int(one)) if one.isdecimal() else Path(one).read_bytes()
        connection.send(_outcome(kind, data, folder))
        shutil.rmtree(folder)


def _outcome(kind: Kind, data: bytes, folder: Path) -> tuple[str, str]:
    try:
        kind.read(data, folder)
    except FerEdgeError as error:
        text = str(error)
        whole = text.strip() and "\n" not in text and len(text) <= 2000
        return ("refused", "") if whole else ("fault", f"not one line of bounded length: {text!r:.200}")
    except BaseException as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        return "fault", f"{type(error).__name__} in {Path(last.filename).name}:{last.lineno}: {error!r:.200}"
    return "taken", ""
