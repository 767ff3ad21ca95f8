"""What TFLite's own metadata in a file says, whoever wrote it; fields are those of metadata_schema.fbs."""

from __future__ import annotations

import importlib
import io
import struct
import zipfile
from typing import Any

from fer_edge.errors import ModelError
from fer_edge.model import graph


def metadata_of(data: bytes) -> dict[str, Any] | None:
    """What it says, as plain values; None for a file without. Raises ModelError if it is damaged."""
    model = graph.unpacked(data)
    held = [
        model.buffers[entry.buffer].data for entry in model.metadata or () if entry.name == graph.METADATA
    ]
    if not held:
        return None
    try:
        root = _Table.root(bytes(held[0]))
        subgraphs = root.tables(3)
        ends = [[_described(end) for end in subgraphs[0].tables(n)] if subgraphs else [] for n in (2, 3)]
        named = {"name": root.text(0), "description": root.text(1)}
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise ModelError("the metadata in the file is damaged") from error
    return {**named, "inputs": ends[0], "outputs": ends[1], "files": _members(data)}


def _described(end: _Table) -> dict[str, Any]:
    named = [file.text(0) for file in end.tables(6)]
    found: dict[str, Any] = {"name": end.text(0), "description": end.text(1), "files": named}
    for unit in end.tables(4):
        for options in unit.table(1):  # NormalizationOptions, the only ones that images have
            found |= {"mean": options.floats(0), "std": options.floats(1)}
    return found


class _Table:
    """A table of a flatbuffer, whose fields are given by their place; lists are empty where one is absent."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table = importlib.import_module("flatbuffers.table").Table(data, position)

    @classmethod
    def root(cls, data: bytes) -> _Table:
        return cls(data, struct.unpack_from("<I", data)[0])

    def text(self, field: int) -> str:
        return "".join(self._table.String(at).decode() for at in self._at(field))

    def table(self, field: int) -> list[_Table]:
        return [_Table(self._data, self._table.Indirect(at)) for at in self._at(field)]

    def tables(self, field: int) -> list[_Table]:
        return [_Table(self._data, self._table.Indirect(at)) for at in self._items(field)]

    def floats(self, field: int) -> list[float]:
        return [struct.unpack_from("<f", self._data, at)[0] for at in self._items(field)]

    def _at(self, field: int) -> list[int]:
        offset = self._table.Offset(4 + 2 * field)
        return [self._table.Pos + offset] if offset else []

    def _items(self, field: int) -> list[int]:
        offset = self._table.Offset(4 + 2 * field)
        if not offset:
            return []
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        return list(range(start, min(start + 4 * count, len(self._data)), 4))


def _members(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return []
