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
        if changed:
            _change(changed, rng)
    return bytes(changed)


def _change(data: bytearray, rng: Random) -> None:
    at, length = rng.randrange(len(data)), rng.randint(1, 64)
    way = rng.choice(["flip", "flip", "noise", "number", "number", "cut", "remove", "insert", "repeat"])
    if way == "flip":
        data[at] ^= 1 << rng.randrange(8)
    elif way == "number":
        width = rng.choice([1, 2, 4, 8])
        value = rng.choice(NUMBERS) % (1 << 8 * width)
        data[at : at + width] = value.to_bytes(width, rng.choice(["little", "little", "big"]))
    elif way in ("noise", "insert"):
        data[at : at + length if way == "noise" else at] = rng.randbytes(length)
    elif way == "repeat":
        data[at:at] = bytes(data[at : at + 4 * length]) * rng.randint(1, 8)
    else:
        del data[at : None if way == "cut" else at + length]


def damaged_after_name(data: bytes, rng: Random) -> bytes:
    """Of `NAME\\0bytes`, the bytes."""
    name, _, content = data.partition(b"\0")
    return name + b"\0" + damaged(content, rng)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in nested lists and dicts."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


def reshaped(value: Any, rng: Random) -> Any:
    """A copy of a JSON-like value with one to three of its parts replaced, removed, renamed or nested."""
    value = json.loads(json.dumps(value))
    for _ in range(rng.randint(1, 3)):
        if not (places := _places(value)):
            break
        container, key = rng.choice(places)
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
