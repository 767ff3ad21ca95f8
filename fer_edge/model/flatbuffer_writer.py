"""Writes flatbuffers without a generated schema, also in front of one that exists."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Sequence
from typing import Any

from fer_edge.errors import MissingExtraError

BLOB_ALIGNMENT = 16
"""Of weights and metadata: what schema.fbs asks of a Buffer's data."""


class Writer:
    """Short names for the builder's calls; every method gives the offset of what it wrote.

    Children are written before the tables that point to them. `follows`: bytes that stand behind
    what is written, so that tables can point into them (`inside`).
    """

    def __init__(self, follows: bytes = b"", alignment: int = 4) -> None:
        """Raises MissingExtraError where the flatbuffers package is absent (with tflite_runtime)."""
        try:
            self._builder: Any = importlib.import_module("flatbuffers").Builder(1024)
        except ModuleNotFoundError as error:
            raise MissingExtraError("flatbuffers", "train", "putting a card into a model") from error
        builder = self._builder
        follows += bytes(-len(follows) % alignment)
        self._follows = len(follows)
        # The builder writes from the end to the front: it takes `follows` for its own output so far.
        builder.head = len(builder.Bytes)
        builder.Bytes = builder.Bytes + follows
        builder.minalign = alignment
        self._prepend: dict[str, Callable[[int, int, int], None]] = {
            "offset": builder.PrependUOffsetTRelativeSlot,
            "int8": builder.PrependInt8Slot,
            "uint32": builder.PrependUint32Slot,
        }

    def inside(self, position: int) -> int:
        """The offset of what stands at `position` of `follows`."""
        return self._follows - position

    def text(self, value: str) -> int:
        return int(self._builder.CreateString(value))

    def table(self, *fields: tuple[int, str, int]) -> int:
        """Fields are (slot, kind, value); a value of 0 is the schema's default and is left out."""
        self._builder.StartObject(max((slot for slot, _, _ in fields), default=-1) + 1)
        for slot, kind, value in fields:
            self._prepend[kind](slot, value, 0)
        return int(self._builder.EndObject())

    def offsets(self, items: Sequence[int]) -> int:
        self._builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            self._builder.PrependUOffsetTRelative(item)
        return int(self._builder.EndVector())

    def floats(self, values: Sequence[float]) -> int:
        self._builder.StartVector(4, len(values), 4)
        for value in reversed(values):
            self._builder.PrependFloat32(value)
        return int(self._builder.EndVector())

    def blob(self, data: bytes, alignment: int) -> int:
        self._builder.StartVector(1, len(data), alignment)
        self._builder.head -= len(data)
        self._builder.Bytes[self._builder.head : self._builder.head + len(data)] = data
        return int(self._builder.EndVector())

    def finished(self, root: int, identifier: bytes) -> bytes:
        """The whole flatbuffer, `follows` at its end."""
        self._builder.Finish(root, identifier)
        return bytes(self._builder.Output())
