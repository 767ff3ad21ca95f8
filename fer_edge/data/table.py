"""FER-2013 as a table, plain or packed: one bounded stream, columns found by name, every row checked."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset, content_sha256
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE, LABELS

MAX_BYTES = 4 << 30
"""Most that a packed file may unpack to: 14 times FER-2013, so that a zip bomb ends soon."""

_DAMAGED = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile)
_KNOWN_TABLES = ("fer2013.csv", "icml_face_data.csv")

PIXELS = INPUT_SHAPE[0] * INPUT_SHAPE[1]
_LABEL_OF = {str(index).encode(): index for index in range(len(LABELS))}
_SPLIT_OF = {name.lower().encode(): index for index, name in enumerate(SPLITS)}


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
    records = _records(_lines(stream, where))
    columns = _find_columns(next(records, (1, []))[1], where)
    rows = Rows()
    for row, (line, fields) in enumerate(records, 1):
        try:
            rows.add(row, *_parse(fields, columns))
        except ValueError as error:
            rows.reject(BadRow(f"row {row} (line {line})", f"has {error}"))
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


def _parse(fields: list[bytes], columns: _Columns) -> tuple[int, int, NDArray[np.int64]]:
    """Label, split and pixels of a row. Raises ValueError: what the row has instead."""
    if not fields:
        raise ValueError("a quote that is not closed")
    if len(fields) != columns.count:
        raise ValueError(f"{len(fields)} of the header's {columns.count} columns")
    label = _LABEL_OF.get(fields[columns.emotion].strip())
    if label is None:
        raise ValueError(f"emotion {_shown(fields[columns.emotion])}, not 0 to {len(LABELS) - 1}")
    split = 0 if columns.usage is None else _SPLIT_OF.get(fields[columns.usage].strip().lower())
    if split is None:
        assert columns.usage is not None
        raise ValueError(f"Usage {_shown(fields[columns.usage])}, not {', '.join(SPLITS)}")
    return label, split, parse_pixels(fields[columns.pixels])


def _shown(text: bytes) -> str:
    return repr(text.strip()[:20].decode("utf-8", "replace"))


def parse_pixels(text: bytes) -> NDArray[np.int64]:
    """Gray levels 0..255 (2304,), row by row, from numbers that spaces part.

    Raises ValueError, whose text says what the column holds instead.
    """
    words = text.split()
    if not text.translate(None, b"0123456789 \t"):  # figures alone: all of them at once
        values = np.fromstring(text.decode(), np.int64, sep=" ")
        if len(values) == PIXELS and values.max() <= 255:
            return values
    for word in words:
        shown = word[:20].decode("utf-8", "replace")
        if not word.isdigit():
            raise ValueError(f"the pixel value {shown!r}, not a number from 0 to 255")
        if len(word.lstrip(b"0")) > 3 or int(word) > 255:
            raise ValueError(f"the pixel value {shown}, not 0 to 255")
    if len(words) != PIXELS:
        raise ValueError(f"{len(words)} pixel values instead of {PIXELS}")
    return np.array([int(word) for word in words], np.int64)


class Rows:
    """Collects rows, so that nothing is held as text."""

    def __init__(self) -> None:
        self.images: list[NDArray[np.uint8]] = []
        self.labels: list[int] = []
        self.splits: list[int] = []
        self.ids: list[int] = []
        self.bad: list[BadRow] = []
        self.bad_count = 0

    def add(self, row: int, label: int, split: int, pixels: NDArray[np.integer[Any]]) -> None:
        """`pixels`: 2304 values, 0..255."""
        self.images.append(pixels.astype(np.uint8).reshape(INPUT_SHAPE[:2]))
        self.labels.append(label)
        self.splits.append(split)
        self.ids.append(row)

    def reject(self, bad: BadRow) -> None:
        """One more that cannot be used."""
        self.bad_count += 1
        if len(self.bad) < BadRows.KEPT:
            self.bad.append(bad)

    def dataset(self, where: str, protocol: str) -> Dataset:
        """Raises DataError where no row is valid."""
        if not self.labels:
            first = f": {self.bad[0].where} {self.bad[0].why}" if self.bad else ""
            raise DataError(f"{where} has nothing valid in it{first}")
        images, labels = np.stack(self.images), np.array(self.labels, np.int64)
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


@contextlib.contextmanager
def open_table(path: Path) -> Iterator[tuple[io.BufferedIOBase, io.BufferedReader]]:
    """Gives the unpacked stream, and the raw file whose `tell()` says how far the reading is.

    Plain text, .xz, .gz, .zip and .tar.gz are told apart by their first bytes, not by their name.
    Raises DataError for a file that cannot be read, is damaged, cut short or encrypted, or holds no
    table or several.
    """
    try:
        with path.open("rb") as raw:
            start = raw.read(6)
            raw.seek(0)
            with _unpacked(raw, start, path) as stream:
                yield stream, raw
    except _DAMAGED as error:
        raise DataError(f"{path} is damaged or cut short ({error}): get it again") from error
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _unpacked(raw: io.BufferedReader, start: bytes, path: Path) -> Iterator[io.BufferedIOBase]:
    if start.startswith(b"\xfd7zXZ\0"):
        with lzma.open(raw) as xz:
            yield xz
    elif start.startswith(b"\x1f\x8b"):
        with gzip.open(raw) as packed:
            is_tar = packed.read(512)[257:262] == b"ustar"
        raw.seek(0)
        if is_tar:
            with tarfile.open(fileobj=raw, mode="r|gz") as archive:
                yield _tar_member(archive, path)
        else:
            with gzip.open(raw) as packed:
                yield packed
    elif start.startswith(b"PK\x03\x04"):
        with zipfile.ZipFile(raw) as folder, _zip_member(folder, path) as member:
            yield member
    else:
        yield raw


def _tar_member(archive: tarfile.TarFile, path: Path) -> io.BufferedIOBase:
    for member in archive:
        if member.isfile() and member.name.lower().endswith(".csv"):
            return cast(io.BufferedIOBase, archive.extractfile(member))
    raise DataError(f"{path} holds no .csv file")


def _zip_member(archive: zipfile.ZipFile, path: Path) -> io.BufferedIOBase:
    names = [n for n in archive.namelist() if n.lower().endswith(".csv") and not n.startswith("__MACOSX/")]
    for known in _KNOWN_TABLES:
        if len(names) > 1:
            names = [n for n in names if n.rsplit("/", 1)[-1].lower() == known] or names
    if not names:
        raise DataError(f"{path} holds no .csv file: unpack it and give the folder, if it holds pictures")
    if len(names) > 1:
        raise DataError(f"{path} holds several tables ({', '.join(sorted(names)[:5])}): unpack it, give one")
    try:
        # ZipExtFile has a slow readline of its own
        return io.BufferedReader(cast(io.RawIOBase, archive.open(names[0])), 1 << 16)
    except (RuntimeError, NotImplementedError) as error:
        raise DataError(f"cannot unpack {names[0]} from {path}: {error}") from error


def _lines(stream: io.BufferedIOBase, where: str, longest: int = 1 << 20) -> Iterator[bytes]:
    """The stream's lines with their ends; bounded in length and in sum.

    Raises DataError past `longest` bytes in a line or MAX_BYTES in all.
    """
    total = 0
    for number, line in enumerate(iter(lambda: stream.readline(longest), b""), 1):
        total += len(line)
        if len(line) == longest:
            raise DataError(f"{where}: line {number} is longer than a million bytes: not a FER-2013 table")
        if total > MAX_BYTES:
            raise DataError(f"{where} unpacks to more than {MAX_BYTES >> 30} GiB: not FER-2013")
        yield line
