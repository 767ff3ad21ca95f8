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
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset, Stat, content_sha256
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE, LABELS

PIXELS = INPUT_SHAPE[0] * INPUT_SHAPE[1]
MAX_BYTES = 4 << 30
"""Most that a packed file may unpack to: 14 times FER-2013, so that a zip bomb ends soon."""

_DAMAGED = (
    EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile,
    NotImplementedError, RuntimeError,  # of zipfile: a version or a way of packing that it lacks, a password
)  # fmt: skip
_KNOWN_TABLES = ("fer2013.csv", "icml_face_data.csv")
_LABEL_OF = {str(index): index for index in range(len(LABELS))}
_SPLIT_OF = {name.lower(): index for index, name in enumerate(SPLITS)}


class _Columns(NamedTuple):
    emotion: int
    pixels: int
    usage: int | None
    number: int


@dataclass(frozen=True)
class Table:
    """A table on disk; a source as `loading` reads it, like `tree.Tree`."""

    place: Path
    left_out: ClassVar[BadRows] = BadRows()
    warnings: ClassVar[tuple[str, ...]] = ()

    def __str__(self) -> str:
        return f"{self.place.name} ({len(self) / 1e6:.1f} MB)"

    def __len__(self) -> int:
        return self.place.stat().st_size

    def stat(self) -> Stat:
        """Changes when the file does. Raises OSError."""
        now = self.place.stat()
        return Stat([now.st_size, now.st_mtime_ns, now.st_ino], now.st_mtime_ns)

    def content(self) -> str:
        """SHA-256 of the file. Raises OSError."""
        return files.sha256(self.place)

    def read(self, path: str, step: Callable[[int], object] = lambda size: None) -> Dataset:
        """All valid rows, with the bad ones listed in `Dataset.bad`; ids count rows from 1 after the header.

        path: what the user named. step: called with how many bytes more were read. A table without `Usage` is
        all `Training`, with protocol `holdout`. Blank lines are no rows. Raises DataError for a file that
        cannot be unpacked, a header without the columns, and where no row is valid.
        """
        rows, done = Rows(), 0
        with _opened(self.place) as (stream, raw):
            records = _records(stream, path)
            columns = _find_columns(next(records, (1, []))[1], path)
            for row, (line, fields) in enumerate(records, 1):
                try:
                    rows.add(row, *_parse(fields, columns))
                except ValueError as error:
                    rows.reject(BadRow(f"row {row} (line {line})", f"has {error}"))
                if row % 64 == 0:
                    step(raw.tell() - done)
                    done = raw.tell()
        return rows.dataset(path, "official" if columns.usage is not None else "holdout")


class Rows:
    """Collects rows, so that nothing is held as text."""

    def __init__(self) -> None:
        self.images: list[NDArray[np.uint8]] = []
        self.labels: list[tuple[int, int, int]] = []
        self.bad: list[BadRow] = []
        self.bad_count = 0

    def add(self, row: int, label: int, split: int, pixels: NDArray[np.integer[Any]]) -> None:
        """`pixels`: 2304 values, 0..255."""
        self.images.append(pixels.astype(np.uint8).reshape(INPUT_SHAPE[:2]))
        self.labels.append((row, label, split))

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
        images = np.stack(self.images)
        ids, labels, split = np.array(self.labels, np.int64).T.copy()
        return Dataset(
            images=images,
            labels=labels,
            split=split.astype(np.uint8),
            ids=ids,
            path=where,
            sha256=content_sha256(images, labels, split.astype(np.uint8)),
            protocol=protocol,
            bad=BadRows(self.bad_count, tuple(self.bad)),
        )


def _records(stream: io.BufferedIOBase, where: str) -> Iterator[tuple[int, list[str]]]:
    """Each row's line in the file, from 1, and its fields; none for a quote that is not closed."""
    for number, line in enumerate(_lines(stream, where), 1):
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if text.strip():
            yield number, _fields(text)


def _fields(text: str) -> list[str]:
    if '"' not in text:
        return text.split(",")
    try:  # a quote that is not closed must not swallow the rows after it
        return [] if text.count('"') % 2 else next(csv.reader([text], skipinitialspace=True))
    except csv.Error:
        return []


def _find_columns(header: list[str], where: str) -> _Columns:
    if header and header[0].startswith("\ufffd\ufffd"):
        raise DataError(f"{where} is UTF-16: save it as UTF-8")
    raw = [field.lstrip("\ufeff").strip().strip('"').strip() for field in header]
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


def _parse(fields: list[str], columns: _Columns) -> tuple[int, int, NDArray[np.int64]]:
    """Label, split and pixels of a row. Raises ValueError: what the row has instead."""
    if not fields:
        raise ValueError("a quote that is not closed")
    if len(fields) != columns.number:
        raise ValueError(f"{len(fields)} of the header's {columns.number} columns")
    emotion = fields[columns.emotion].strip()
    if emotion not in _LABEL_OF:
        raise ValueError(f"emotion {emotion[:20]!r}, not 0 to {len(LABELS) - 1}")
    usage = SPLITS[0] if columns.usage is None else fields[columns.usage].strip()
    if usage.lower() not in _SPLIT_OF:
        raise ValueError(f"Usage {usage[:20]!r}, not {', '.join(SPLITS)}")
    return _LABEL_OF[emotion], _SPLIT_OF[usage.lower()], parse_pixels(fields[columns.pixels])


def parse_pixels(text: str) -> NDArray[np.int64]:
    """Gray levels 0..255 (2304,), row by row, from numbers that spaces part.

    Raises ValueError, whose text says what the column holds instead.
    """
    words = text.split()
    if text.isascii() and "".join(words).isdigit():  # figures alone: all of them at once
        values = np.fromstring(text, np.int64, sep=" ")
        if len(values) == PIXELS and values.max() <= 255:
            return values
    for word in words:
        if not (word.isascii() and word.isdigit()):
            raise ValueError(f"the pixel value {word[:20]!r}, not a number from 0 to 255")
        if len(word.lstrip("0")) > 3 or int(word) > 255:
            raise ValueError(f"the pixel value {word[:20]}, not 0 to 255")
    if len(words) != PIXELS:
        raise ValueError(f"{len(words)} pixel values instead of {PIXELS}")
    return np.array([int(word) for word in words], np.int64)


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[tuple[io.BufferedIOBase, io.BufferedReader]]:
    """Gives the unpacked stream, and the raw file whose `tell()` says how far the reading is.

    What kind of file it is, its first bytes say. Raises DataError for one that cannot be read, is damaged,
    cut short or encrypted, or holds no table or several.
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
    """The stream's lines. Raises DataError past `longest` bytes in a line or MAX_BYTES in all."""
    total = 0
    for number, line in enumerate(iter(lambda: stream.readline(longest), b""), 1):
        total += len(line)
        if len(line) == longest:
            raise DataError(f"{where}: line {number} is longer than a million bytes: not a FER-2013 table")
        if total > MAX_BYTES:
            raise DataError(f"{where} unpacks to more than {MAX_BYTES >> 30} GiB: not FER-2013")
        yield line
