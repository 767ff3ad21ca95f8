"""Damage: bytes and values of valid files changed as transfers, editors and attackers change them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Sequence
from random import Random
from typing import Any

NUMBERS = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"), "", "\n", "a\nb", "\x00", "é笑", "nan", "../../etc/passwd",
    "x" * 5000, [], [[]], {}, {"": {}}, [1, 2], ["angry"] * 7, [None] * 8, [10**30], {"a": 1}, "1", "0x10",
)  # fmt: skip


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
    """Makes inputs out of one of the valid ones."""
    return lambda rng: change(rng.choice(valid()), rng)
