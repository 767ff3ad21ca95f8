"""Reads flatbuffers with every offset checked, so that no file can lead the reader astray.

Format: https://flatbuffers.dev/internals. Plain Python, because a device may have neither the
flatbuffers package nor a generated schema.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from fer_edge.errors import ModelError


class Buffer:
    """Bounds-checked little-endian reads from `data`. Every method raises ModelError past the end."""

    def __init__(self, data: bytes) -> None:
        self.data = data

    def root(self) -> Table:
        """The root table, whose offset stands in the first four bytes."""
        return Table(self, self.follow(0))

    def scalar(self, position: int, kind: str) -> int:
        """One integer of the struct format `kind`."""
        size = struct.calcsize(kind)
        if position < 0 or position + size > len(self.data):
            raise ModelError("the file is cut or damaged")
        return int(struct.unpack_from(f"<{kind}", self.data, position)[0])

    def follow(self, position: int) -> int:
        """The position that the unsigned offset at `position` points to."""
        return position + self.scalar(position, "I")

    def vector(self, position: int, item_size: int) -> tuple[int, int]:
        """Position of the first item and number of items of the vector at `position`."""
        count = self.scalar(position, "I")
        if position + 4 + count * item_size > len(self.data):
            raise ModelError("the file is cut or damaged")
        return position + 4, count


class Table:
    """One table; fields are named by their slot, their place in the schema counted from 0."""

    def __init__(self, buffer: Buffer, position: int) -> None:
        self.buffer = buffer
        self.position = position
        self._vtable = position - buffer.scalar(position, "i")
        self.slots = max(0, (buffer.scalar(self._vtable, "H") - 4) // 2)

    def at(self, slot: int) -> int | None:
        """Position of the field's inline value, None if the table lacks it."""
        if slot >= self.slots:
            return None
        offset = self.buffer.scalar(self._vtable + 4 + 2 * slot, "H")
        return self.position + offset if offset else None

    def scalar(self, slot: int, kind: str, default: int = 0) -> int:
        """An integer field of the struct format `kind`."""
        position = self.at(slot)
        return default if position is None else self.buffer.scalar(position, kind)

    def target(self, slot: int) -> int | None:
        """Position of the string, vector or table that the field points to."""
        position = self.at(slot)
        return None if position is None else self.buffer.follow(position)

    def text(self, slot: int) -> str:
        """A string field; empty if it is absent. Raises ModelError unless it is UTF-8, as runtimes expect."""
        try:
            return self.blob(slot).decode()
        except UnicodeDecodeError as error:
            raise ModelError("the file is damaged: a name in it is not UTF-8") from error

    def blob(self, slot: int) -> bytes:
        """A vector of bytes; empty if it is absent."""
        target = self.target(slot)
        if target is None:
            return b""
        start, count = self.buffer.vector(target, 1)
        return self.buffer.data[start : start + count]

    def blob_size(self, slot: int) -> int:
        """Length of a vector of bytes, without copying it."""
        target = self.target(slot)
        return 0 if target is None else self.buffer.vector(target, 1)[1]

    def integers(self, slot: int) -> list[int]:
        """A vector of int32; empty if it is absent."""
        return [int(n) for n in self.numbers(slot, "i")]

    def numbers(self, slot: int, kind: str) -> list[float]:
        """A vector of numbers of the struct format `kind`; empty if it is absent."""
        target = self.target(slot)
        if target is None:
            return []
        start, count = self.buffer.vector(target, struct.calcsize(kind))
        return list(struct.unpack_from(f"<{count}{kind}", self.buffer.data, start))

    def table(self, slot: int) -> Table | None:
        """A table field; None if it is absent."""
        target = self.target(slot)
        return None if target is None else Table(self.buffer, target)

    def tables(self, slot: int) -> list[Table]:
        """A vector of tables; empty if it is absent."""
        return list(self._tables(slot))

    def _tables(self, slot: int) -> Iterator[Table]:
        target = self.target(slot)
        if target is None:
            return
        start, count = self.buffer.vector(target, 4)
        for n in range(count):
            yield Table(self.buffer, self.buffer.follow(start + 4 * n))
