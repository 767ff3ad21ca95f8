"""Damages valid files by seed, as transfers and attackers do, and tries them in a process that may die."""

import copy
import json
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
from typing import Any

from fer_edge.errors import FerEdgeError

FINDS = Path(__file__).parent / "finds"
OUTCOMES = ("taken", "refused", "fault", "crash", "hang")
_IN_MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk takes longer than most inputs

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"), "", "\n", "a\nb", "\x00", "é笑", "nan", "../../etc/passwd",
    "x" * 5000, [], [[]], {}, {"": {}}, [1, 2], ["angry"] * 7, [None] * 8, [10**30], {"a": 1}, "1", "0x10",
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """make: an input from a seed. read: reads it as the program does; only FerEdgeError may come out.

    hang_s: seconds after which an input counts as a hang. bounded: limits memory, not for TensorFlow."""

    make: Callable[[Random], bytes]
    read: Callable[[bytes, Path], None]
    hang_s: float = 20.0
    bounded: bool = True


def damaged(data: bytes, rng: Random) -> bytes:
    """One to four changes of the bytes, seldom none at all or nothing but noise."""
    if rng.random() < 0.02:
        return rng.choice([data, rng.randbytes(rng.randrange(200))])
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        at, length = rng.randrange(len(changed) + 1), rng.randint(1, 64)
        number = rng.choice(NUMBERS).to_bytes(8, rng.choice(["little", "big"])).strip(b"\0") or b"\0"
        part = bytes(changed[at : at + length])
        changed[at : at + length] = rng.choice([
            bytes([part[0] ^ 1 << rng.randrange(8)]) + part[1:] if part else b"",  # a bit
            number + part[len(number) :],
            rng.randbytes(length),  # in its place
            rng.randbytes(length) + part,  # before it
            part * rng.randint(2, 9),
            b"",
        ])  # fmt: skip
        if rng.random() < 0.1:
            del changed[at:]
    return bytes(changed)


def damaged_after_name(data: bytes, rng: Random) -> bytes:
    """Of `NAME\\0bytes`, the bytes."""
    name, _, content = data.partition(b"\0")
    return name + b"\0" + damaged(content, rng)


def reshaped(value: Any, rng: Random) -> Any:
    """A copy of a JSON-like value with one to three of its parts replaced, removed, renamed or nested."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        containers = [value]  # every list and dict that is not empty, of those inside too
        for one in containers:
            inside = one.values() if isinstance(one, dict) else one
            containers += [other for other in inside if isinstance(other, dict | list) and other]
        container = rng.choice(containers)
        if not container:
            break
        key = rng.choice(list(container) if isinstance(container, dict) else range(len(container)))
        hostile, action = copy.deepcopy(rng.choice(HOSTILE)), rng.random()
        if action < 0.6:
            container[key] = hostile
        elif action < 0.8:
            del container[key]
        elif isinstance(container, dict):
            container[str(hostile)[:20]] = container.pop(key) if action < 0.9 else hostile
        else:
            container.insert(key, hostile)
    return value


def reshaped_json(data: bytes, rng: Random) -> bytes:
    """As `reshaped`; a third of them damaged, too, some bottomless."""
    if rng.random() < 0.01:
        return b"[" * 100_000
    text = json.dumps(reshaped(json.loads(data), rng), indent=rng.choice([None, 1])).encode()
    return damaged(text, rng) if rng.random() < 0.3 else text


def of(valid: Callable[[], Sequence[bytes]], change: Any = damaged) -> Callable[[Random], bytes]:
    return lambda rng: change(rng.choice(valid()), rng)


def kinds() -> dict[str, Kind]:
    from fuzz import data_kinds, model_kinds

    return data_kinds.KINDS | model_kinds.KINDS


def generated(kind: str, seed: int, number: int) -> bytes:
    """Input `number` of the kind: the same for the same seed."""
    return kinds()[kind].make(Random(f"{seed} {kind} {number}"))


def tried(name: str, inputs: Sequence[str], seed: int) -> tuple[Counter[str], list[tuple[str, str, str]]]:
    """Tries inputs, given by number or by path: how often each outcome came, and (input, outcome, first line)
    of what went wrong. A child that dies, hangs or has tried 2,000 is replaced."""
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
