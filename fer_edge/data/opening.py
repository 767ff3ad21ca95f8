"""A table on disk, plain or packed, as one bounded stream of bytes."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import cast

from fer_edge.errors import DataError

MAX_BYTES = 4 << 30
"""Most that a packed file may unpack to: 14 times FER-2013, so that a zip bomb ends soon."""

_DAMAGED = (EOFError, lzma.LZMAError, zlib.error, zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile)
_KNOWN_TABLES = ("fer2013.csv", "icml_face_data.csv")


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
            is_tar = _looks_like_tar(packed)
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


def _looks_like_tar(stream: io.BufferedIOBase) -> bool:
    return stream.read(512)[257:262] == b"ustar"


def _tar_member(archive: tarfile.TarFile, path: Path) -> io.BufferedIOBase:
    for member in archive:
        if member.isfile() and member.name.lower().endswith(".csv"):
            stream = archive.extractfile(member)
            if stream is not None:
                return cast(io.BufferedIOBase, stream)
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


def lines(stream: io.BufferedIOBase, where: str, longest: int = 1 << 20) -> Iterator[bytes]:
    """The stream's lines with their ends; bounded in length and in sum.

    Raises DataError past `longest` bytes in a line or MAX_BYTES in all.
    """
    total = 0
    number = 0
    while line := stream.readline(longest):
        number += 1
        total += len(line)
        if len(line) == longest:
            raise DataError(f"{where}: line {number} is longer than a million bytes: not a FER-2013 table")
        if total > MAX_BYTES:
            raise DataError(f"{where} unpacks to more than {MAX_BYTES >> 30} GiB: not FER-2013")
        yield line
