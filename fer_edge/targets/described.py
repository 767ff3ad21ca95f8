"""What TFLite's own metadata in a file says, whoever wrote it; slots are those of metadata_schema.fbs."""

from __future__ import annotations

import io
import zipfile
from typing import Any

from fer_edge.model import metadata
from fer_edge.model.flatbuffer import Buffer, Table


def metadata_of(data: bytes) -> dict[str, Any] | None:
    """What it says, as plain values; None for a file without. Raises ModelError if it is damaged."""
    held = metadata.from_model(data)
    if held is None:
        return None
    root = Buffer(held).root()
    subgraphs = root.tables(3)
    ends = [[_described(t) for t in subgraphs[0].tables(slot)] if subgraphs else [] for slot in (2, 3)]
    return {
        "name": root.text(0),
        "description": root.text(1),
        "inputs": ends[0],
        "outputs": ends[1],
        "files": _members(data),
    }


def _described(tensor: Table) -> dict[str, Any]:
    named = [file.text(0) for file in tensor.tables(6)]
    found: dict[str, Any] = {"name": tensor.text(0), "description": tensor.text(1), "files": named}
    for unit in tensor.tables(4):
        options = unit.table(1)
        if unit.scalar(0, "b") == 1 and options is not None:  # NormalizationOptions
            found |= {"mean": options.numbers(0, "f"), "std": options.numbers(1, "f")}
    return found


def _members(data: bytes) -> list[str]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError):
        return []
