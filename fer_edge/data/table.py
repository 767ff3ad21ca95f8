"""FER-2013 as a table, plain or packed: one limited stream, columns found by name, every row checked."""

import contextlib
import csv
import gzip
import io
import lzma
import os
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.data.dataset import SPLITS, BadRow, Dataset, Row
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE, LABELS

MAX_BYTES = 4 << 30  # unpacked: 14 times FER-2013, to stop zip bombs
MAX_LINE = 1 << 20
COLUMNS = ("emotion", "pixels", "usage")

_DAMAGED = (
    EOFError, OSError, lzma.LZMAError, zlib.error, zipfile.BadZipFile,
    NotImplementedError, RuntimeError,  # of zipfile: a version or a way of packing that it lacks, a password
    UnicodeDecodeError,  # a damaged name
)  # fmt: skip
_LABEL_OF = {str(index): index for index in range(len(LABELS))}
_LEVEL_OF = {str(level): level for level in range(256)}
_SPLIT_OF = {name.lower(): index for index, name in enumerate(SPLITS)}


@dataclass(frozen=True)
class Table:
    """A table on disk; a source as `data.load` reads it, like `tree.Tree`."""

    path: str
    left_out: ClassVar[tuple[BadRow, ...]] = ()

    def __str__(self) -> str:
        return f"{Path(self.path).name} ({os.path.getsize(self.path) / 1e6:.1f} MB)"

    def fingerprint(self) -> str:
        """SHA-256 of the file. Raises OSError."""
        return files.sha256(Path(self.path))

    def read(self) -> Dataset:
        """All valid rows, with the bad ones listed in `Dataset.bad`; ids count rows from 1 after the header.

        A table without `Usage` is all `Training`, with protocol `holdout`. Blank lines do not count. Raises
        DataError for a file that cannot be unpacked, a header without the columns, and if no row is valid.
        """
        bar = console.progress(f"reading {self}", os.path.getsize(self.path))
        with _opened(self.path) as (stream, raw), bar as step:
            records = _records(stream, self.path)
            header = next(records, (1, []))[1]
            columns = _find_columns(header, self.path)

            def rows() -> Iterator[Row | BadRow]:
                done = 0
                for number, (line, fields) in enumerate(records, 1):
                    try:
                        yield number, *_parse(fields, columns, len(header))
                    except ValueError as error:
                        yield BadRow(f"row {number} (line {line})", f"has {error}")
                    if number % 64 == 0:
                        step(raw.tell() - done)
                        done = raw.tell()

            return Dataset.of_rows(rows(), self.path, "official" if "usage" in columns else "holdout")


@contextlib.contextmanager
def _opened(path: str) -> Iterator[tuple[IO[bytes], IO[bytes]]]:
    """The stream, unpacked as its first bytes say, and the raw file, whose `tell()` shows the progress."""
    with open(path, "rb") as raw:
        try:
            start = raw.peek(6)
            if start.startswith(b"PK\x03\x04"):
                with zipfile.ZipFile(raw) as archive:
                    names = [name for name in archive.namelist() if name.lower().endswith(".csv")]
                    names = [name for name in names if not Path(name).name.startswith("._")]  # macOS adds it
                    if len(names) != 1:
                        what = f"{len(names)} .csv files, not one: unpack it and give the table or folder"
                        raise DataError(f"{path} holds {what}")
                    with archive.open(names[0]) as member:
                        yield io.BufferedReader(cast(io.RawIOBase, member), 1 << 16), raw  # its own is slow
                return
            xz, gz = start.startswith(b"\xfd7zXZ\0"), start.startswith(b"\x1f\x8b")
            with lzma.open(raw) if xz else gzip.open(raw) if gz else raw as stream:
                yield cast(IO[bytes], stream), raw
        except _DAMAGED as error:
            why = f"is damaged, cut short or encrypted ({error}): get it again, or unpack it yourself"
            raise DataError(f"{path} {why}") from error


def _records(stream: IO[bytes], where: str) -> Iterator[tuple[int, list[str]]]:
    """Each row's line number in the file, from 1, and its fields; no fields for an unclosed quote."""
    total = 0
    for number, line in enumerate(iter(lambda: stream.readline(MAX_LINE), b""), 1):
        total += len(line)
        if len(line) == MAX_LINE:
            raise DataError(f"{where}: line {number} is longer than a million bytes: not a FER-2013 table")
        if total > MAX_BYTES:
            raise DataError(f"{where} unpacks to more than {MAX_BYTES >> 30} GiB: not FER-2013")
        text = line.decode("utf-8", "replace").rstrip("\r\n")
        if '"' in text:
            fields: list[str] = []
            with contextlib.suppress(csv.Error):  # an open quote must not swallow the rows after it
                fields = [] if text.count('"') % 2 else next(csv.reader([text], skipinitialspace=True))
            yield number, fields
        elif text.strip():
            yield number, text.split(",")


def _find_columns(header: list[str], where: str) -> dict[str, int]:
    """The positions of COLUMNS; a table may lack the last."""
    raw = [field.lstrip("\ufeff").strip().strip('"').strip() for field in header]
    names = [name.lower() for name in raw]
    if twice := [name for name in COLUMNS if names.count(name) > 1]:
        raise DataError(f"{where} has the column {twice[0]!r} twice")
    if "pixels" not in names:
        found = ", ".join(repr(name[:40]) for name in raw[:8]) or "nothing"
        raise DataError(f"{where} is not FER-2013: its header needs emotion,pixels,Usage and has {found}")
    if "emotion" not in names:
        raise DataError(
            f"{where} has no 'emotion' column, so its pictures have no labels: they can be classified, "
            "but not used to train, calibrate or measure; fer2013.csv and icml_face_data.csv have the labels"
        )
    return {name: names.index(name) for name in COLUMNS if name in names}


def _parse(fields: list[str], columns: dict[str, int], number: int) -> tuple[int, int, NDArray[np.uint8]]:
    """Label, split and pixels (2304,) of a row. Raises ValueError, saying what the row has instead."""
    if not fields:
        raise ValueError("a quote that is not closed")
    if len(fields) != number:
        raise ValueError(f"{len(fields)} of the header's {number} columns")
    emotion = fields[columns["emotion"]].strip()
    if emotion not in _LABEL_OF:
        raise ValueError(f"emotion {emotion[:20]!r}, not 0 to {len(LABELS) - 1}")
    usage = fields[columns["usage"]].strip() if "usage" in columns else SPLITS[0]
    if usage.lower() not in _SPLIT_OF:
        raise ValueError(f"Usage {usage[:20]!r}, not {', '.join(SPLITS)}")
    try:
        levels = bytes(map(_LEVEL_OF.__getitem__, fields[columns["pixels"]].split()))
    except KeyError as error:
        raise ValueError(f"the pixel value {error.args[0][:20]!r}, not a number from 0 to 255") from None
    if len(levels) != INPUT_SHAPE[0] * INPUT_SHAPE[1]:
        raise ValueError(f"{len(levels)} pixel values instead of {INPUT_SHAPE[0] * INPUT_SHAPE[1]}")
    return _LABEL_OF[emotion], _SPLIT_OF[usage.lower()], np.frombuffer(levels, np.uint8)
