"""FER-2013 as a table: columns found by name, every row checked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import SPLITS, BadRow, Dataset
from fer_edge.data.opening import lines
from fer_edge.data.pixels import parse_pixels
from fer_edge.data.rows import Rows
from fer_edge.errors import DataError
from fer_edge.spec import LABELS

_LABEL_OF = {str(index).encode(): index for index in range(len(LABELS))}
_SPLIT_OF = {name.lower().encode(): index for index, name in enumerate(SPLITS)}
_Pixels = NDArray[np.uint16] | NDArray[np.int64]


class _RowError(Exception):
    pass


@dataclass(frozen=True)
class _Columns:
    emotion: int
    pixels: int
    usage: int | None
    count: int


def read_table(stream: io.BufferedIOBase, where: str, tick: Callable[[], None] = lambda: None) -> Dataset:
    """All valid rows, with the bad ones listed in `Dataset.bad`; ids count rows from 1 after the header.

    tick: called every few rows, for a progress bar. A table without `Usage` is all `Training`, with
    protocol `holdout`. Blank lines are no rows. Raises DataError for a header without the columns
    (said apart for a table without labels), and where no row is valid.
    """
    records = _records(lines(stream, where))
    columns = _find_columns(next(records, (1, []))[1], where)
    rows = Rows()
    for row, (line, fields) in enumerate(records, 1):
        try:
            rows.add(row, *_parse(fields, columns))
        except _RowError as error:
            rows.reject(BadRow(f"row {row} (line {line})", str(error)))
        if row % 64 == 0:
            tick()
    tick()
    return rows.dataset(where, "official" if columns.usage is not None else "holdout")


def _records(text: Iterator[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Each row's line in the file, from 1, and its fields."""
    for number, line in enumerate(text, 1):
        if not line.strip():
            continue
        if b'"' not in line:
            yield number, line.rstrip(b"\r\n").split(b",")
        elif line.count(b'"') % 2:
            yield number, []  # a quote that is not closed: must not swallow the rows after it
        else:
            decoded = line.decode("utf-8", "replace")
            yield number, [field.encode() for field in next(csv.reader([decoded], skipinitialspace=True))]


def _find_columns(header: list[bytes], where: str) -> _Columns:
    if header and header[0].startswith((b"\xff\xfe", b"\xfe\xff")):
        raise DataError(f"{where} is UTF-16: save it as UTF-8")
    raw = [field.decode("utf-8", "replace").lstrip("\ufeff").strip().strip('"').strip() for field in header]
    names = [name.lower() for name in raw]
    twice = sorted({name for name in names if names.count(name) > 1} & {"emotion", "pixels", "usage"})
    if twice:
        raise DataError(f"{where} has the column {twice[0]!r} twice")
    if "pixels" not in names:
        found = ", ".join(repr(name[:40]) for name in raw[:8]) or "nothing"
        raise DataError(f"{where} is not FER-2013: its header needs emotion,pixels,Usage and has {found}")
    if "emotion" not in names:
        raise DataError(
            f"{where} has no 'emotion' column, so its pictures have no labels: they can be classified, "
            "but not used to train, calibrate or measure; fer2013.csv and icml_face_data.csv have the labels"
        )
    usage = names.index("usage") if "usage" in names else None
    return _Columns(names.index("emotion"), names.index("pixels"), usage, len(names))


def _parse(fields: list[bytes], columns: _Columns) -> tuple[int, int, _Pixels]:
    if not fields:
        raise _RowError("a quote that is not closed")
    if len(fields) != columns.count:
        raise _RowError(f"{len(fields)} of the header's {columns.count} columns")
    label = _LABEL_OF.get(fields[columns.emotion].strip())
    if label is None:
        raise _RowError(f"emotion {_shown(fields[columns.emotion])}, not 0 to {len(LABELS) - 1}")
    split = 0 if columns.usage is None else _SPLIT_OF.get(fields[columns.usage].strip().lower())
    if split is None:
        assert columns.usage is not None
        raise _RowError(f"Usage {_shown(fields[columns.usage])}, not {', '.join(SPLITS)}")
    try:
        return label, split, parse_pixels(fields[columns.pixels])
    except ValueError as error:
        raise _RowError(str(error)) from None


def _shown(text: bytes) -> str:
    return repr(text.strip()[:20].decode("utf-8", "replace"))
