"""Damage: bytes of valid files changed as transfers, editors and attackers change them."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import numpy as np

Random = np.random.Generator
INTERESTING = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
HOSTILE: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 2**31, 2**63, -(2**70), 10**400, 0.5, 1e308, -1e308, 5e-324,
    float("nan"), float("inf"), float("-inf"), "", "\n", "a\nb", "\x00", "é笑", "nan", "../../etc/passwd",
    "x" * 5000, [], [[]], {}, {"": {}}, [1, 2], ["angry"] * 7, [None] * 8, [10**30], {"a": 1}, "1", "0x10",
)  # fmt: skip


def _flip(data: bytearray, rng: Random) -> None:
    for at in rng.integers(0, len(data), rng.integers(1, 9)):
        data[at] ^= 1 << int(rng.integers(8))


def _overwrite(data: bytearray, rng: Random) -> None:
    start = int(rng.integers(len(data)))
    count = min(int(rng.integers(1, 33)), len(data) - start)
    data[start : start + count] = rng.bytes(count)


def _number(data: bytearray, rng: Random) -> None:
    width = int(rng.choice([1, 2, 4, 8]))
    start = int(rng.integers(max(1, len(data) - width)))
    value = int(rng.choice(INTERESTING)) % (1 << 8 * width)
    data[start : start + width] = value.to_bytes(width, "little" if rng.random() < 0.7 else "big")


def _cut(data: bytearray, rng: Random) -> None:
    del data[int(rng.integers(len(data))) :]


def _remove(data: bytearray, rng: Random) -> None:
    start = int(rng.integers(len(data)))
    del data[start : start + int(rng.integers(1, 65))]


def _insert(data: bytearray, rng: Random) -> None:
    start = int(rng.integers(len(data)))
    data[start:start] = rng.bytes(int(rng.integers(1, 33)))


def _repeat(data: bytearray, rng: Random) -> None:
    start = int(rng.integers(len(data)))
    piece = bytes(data[start : start + int(rng.integers(1, 257))])
    data[start:start] = piece * int(rng.integers(1, 9))


WAYS: tuple[Callable[[bytearray, Random], None], ...] = (
    _flip, _flip, _overwrite, _number, _number, _cut, _remove, _insert, _repeat,
)  # fmt: skip


def damaged(data: bytes, rng: Random) -> bytes:
    """One to four changes of the bytes, seldom none at all or nothing but noise."""
    if (chance := rng.random()) < 0.02:
        return data if chance < 0.01 else rng.bytes(int(rng.integers(0, 200)))
    changed = bytearray(data)
    for _ in range(int(rng.integers(1, 5))):
        if changed:
            WAYS[int(rng.integers(len(WAYS)))](changed, rng)
    return bytes(changed)


def _places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in nested lists and dicts."""
    keys = list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else []
    return [place for key in keys for place in [(value, key), *_places(value[key])]]


def reshaped(value: Any, rng: Random) -> Any:
    """A copy of a JSON-like value with one to three of its parts replaced, removed, renamed or nested."""
    value = json.loads(json.dumps(value))
    for _ in range(int(rng.integers(1, 4))):
        places = _places(value)
        if not places:
            break
        container, key = places[int(rng.integers(len(places)))]
        hostile = copy.deepcopy(HOSTILE[int(rng.integers(len(HOSTILE)))])
        action = rng.random()
        if action < 0.6:
            container[key] = hostile
        elif action < 0.8:
            del container[key]
        elif isinstance(container, dict):
            container[str(hostile)[:20]] = container.pop(key) if action < 0.9 else hostile
        else:
            container.insert(key, hostile)
    return value
