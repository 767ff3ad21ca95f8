"""FER-2013 as a table: columns found by name, every row checked."""

from __future__ import annotations

import csv
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset, content_sha256
from fer_edge.data.opening import lines
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE, LABELS

_SIDE = INPUT_SHAPE[0]
_PIXELS = _SIDE * _SIDE
_LABEL_OF = {str(index).encode(): index for index in range(len(LABELS))}
_SPLIT_OF = {name.lower().encode(): index for index, name in enumerate(SPLITS)}
_CHUNK = 4096  # rows: 9.4 MB


class _RowError(Exception):
    pass


@dataclass(frozen=True)
class _Columns:
    emotion: int
    pixels: int
    usage: int | None
    count: int


def read_table(stream: IO[bytes], where: str, tick: Callable[[], None] = lambda: None) -> Dataset:
    """All valid rows, with the bad ones listed in `Dataset.bad`; ids count rows from 1 after the header.

    tick: called every few rows, for a progress bar. A table without `Usage` is all `Training`, with
    protocol `holdout`. Blank lines are no rows. Raises DataError for a header without the columns
    (said apart for a table without labels), and where no row is valid.
    """
    records = _records(lines(stream, where))
    columns = _find_columns(next(records, (1, []))[1], where)
    rows = _Rows()
    with warnings.catch_warnings():
        # np.fromstring only warns of text that is no number
        warnings.simplefilter("error", DeprecationWarning)
        for row, (line, fields) in enumerate(records, 1):
            try:
                rows.add(row, *_parse(fields, columns))
            except _RowError as error:
                rows.reject(BadRow(f"row {row} (line {line})", str(error)))
            if row % 64 == 0:
                tick()
    tick()
    return rows.dataset(where, "official" if columns.usage is not None else "holdout")


class _Rows:
    """Collects rows in chunks, so that nothing is held as text."""

    def __init__(self) -> None:
        self.chunks: list[NDArray[np.uint8]] = []
        self.labels: list[int] = []
        self.splits: list[int] = []
        self.ids: list[int] = []
        self.bad: list[BadRow] = []
        self.bad_count = 0

    def add(self, row: int, label: int, split: int, pixels: NDArray[np.int64]) -> None:
        place = len(self.labels) % _CHUNK
        if place == 0:
            self.chunks.append(np.empty((_CHUNK, _PIXELS), np.uint8))
        self.chunks[-1][place] = pixels
        self.labels.append(label)
        self.splits.append(split)
        self.ids.append(row)

    def reject(self, bad: BadRow) -> None:
        self.bad_count += 1
        if len(self.bad) < BadRows.KEPT:
            self.bad.append(bad)

    def dataset(self, where: str, protocol: str) -> Dataset:
        if not self.labels:
            first = f": {self.bad[0].where} has {self.bad[0].why}" if self.bad else ""
            raise DataError(f"{where} has no valid row{first}")
        images = np.concatenate(self.chunks)[: len(self.labels)].reshape(-1, _SIDE, _SIDE)
        labels = np.array(self.labels, np.int64)
        split = np.array(self.splits, np.uint8)
        return Dataset(
            images=images,
            labels=labels,
            split=split,
            ids=np.array(self.ids, np.int64),
            path=where,
            sha256=content_sha256(images, labels, split),
            protocol=protocol,
            bad=BadRows(self.bad_count, tuple(self.bad)),
        )


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
            f"{where} has no 'emotion' column, so its pictures have no labels: they can be classified, but not "
            "used to train, calibrate or measure; the labelled rows are in fer2013.csv or icml_face_data.csv"
        )
    usage = names.index("usage") if "usage" in names else None
    return _Columns(names.index("emotion"), names.index("pixels"), usage, len(names))


def _parse(fields: list[bytes], columns: _Columns) -> tuple[int, int, NDArray[np.int64]]:
    if len(fields) != columns.count:
        found = f"{len(fields)} columns" if fields else "a quote that is not closed"
        raise _RowError(f"{found} where the header has {columns.count}" if fields else found)
    label = _LABEL_OF.get(fields[columns.emotion].strip())
    if label is None:
        raise _RowError(f"emotion {_shown(fields[columns.emotion])}, not 0 to {len(LABELS) - 1}")
    split = 0 if columns.usage is None else _SPLIT_OF.get(fields[columns.usage].strip().lower())
    if split is None:
        assert columns.usage is not None
        raise _RowError(f"Usage {_shown(fields[columns.usage])}, not {', '.join(SPLITS)}")
    return label, split, _pixels(fields[columns.pixels])


def _pixels(text: bytes) -> NDArray[np.int64]:
    try:
        # int64: a narrower type would wrap 65,546 round to 10
        values: NDArray[np.int64] = np.fromstring(text, np.int64, sep=" ")
    except (ValueError, DeprecationWarning):
        wrong = next((t for t in text.split() if not t.isdigit()), text)
        raise _RowError(f"the pixel value {_shown(wrong)}") from None
    if len(values) != _PIXELS:
        raise _RowError(f"{len(values)} pixel values instead of {_PIXELS}")
    if values.min() < 0 or values.max() > 255:
        wrong_value = values[(values < 0) | (values > 255)][0]
        raise _RowError(f"the pixel value {wrong_value}, not 0 to 255")
    return values


def _shown(text: bytes) -> str:
    return repr(text.strip()[:20].decode("utf-8", "replace"))
