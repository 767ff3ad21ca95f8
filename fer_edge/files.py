"""Files: written aside and moved into place, never overwritten unasked, named by their hash."""

from __future__ import annotations

import contextlib
import errno
import importlib
import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from fer_edge.errors import OutputError


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Raises OutputError if `path` exists and `force` is not given, or if it cannot be written.

    A device or a pipe (`/dev/null`) may be written to: nothing in it is lost.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder, a file's name is wanted")
    if path.exists() and not path.is_file():
        return
    if path.exists() and not force:
        raise OutputError(f"{path} exists already: choose another name or give --force")
    nearest = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    if not nearest.is_dir():
        raise OutputError(f"cannot write {path}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {nearest}")


def refuse_to_overwrite_any(outputs: Iterable[Path | str | None], force: bool) -> None:
    """The same for all outputs of a command, before it begins; None and `-` are no files."""
    for output in outputs:
        if output is not None and str(output) != "-":
            refuse_to_overwrite(Path(output), force)


def make_folders(folder: Path) -> None:
    """Makes `folder` and those above it where they are missing. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except RecursionError as error:  # mkdir calls itself for each folder above
        raise OSError(errno.ENAMETOOLONG, "folders nested too deeply", str(folder)) from error


@contextlib.contextmanager
def written_aside(path: Path) -> Iterator[Path]:
    """Gives a temporary path with the same suffix in the same folder; moves it to `path` at the end.

    Whatever stops the block leaves `path` as it was. A link stays one, what it leads to is replaced; a device
    or a pipe is written to as it is. Raises OutputError if the folder or the file cannot be written.
    """
    real = _led_to(path)
    if real.exists() and not real.is_file() and not real.is_dir():
        yield real
        return
    aside = real.with_name(f".{real.stem}.{os.getpid()}{real.suffix}")
    try:
        make_folders(real.parent)
        yield aside
        os.replace(aside, real)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with contextlib.suppress(OSError):  # not there, or its folder is no folder
            aside.unlink()


def _led_to(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle: RuntimeError before Python 3.13
        raise OutputError(f"cannot write {path}: its links lead in a circle") from error


def write_bytes(path: Path, data: bytes) -> None:
    """Writes the whole file or nothing."""
    with written_aside(path) as aside:
        aside.write_bytes(data)


def write_text(path: Path, text: str) -> None:
    """Writes the whole file, UTF-8, or nothing."""
    write_bytes(path, text.encode())


def put_between_markers(page: str, name: str, text: str) -> str:
    """The page with `text` as all that stands between `<!-- NAME -->` and `<!-- /NAME -->`.

    Raises LookupError where the page lacks one of the two.
    """
    before, start, rest = page.partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise LookupError(f"no <!-- {name} --> ... <!-- /{name} -->")
    return f"{before}{start}\n{text.strip()}\n{end}{after}"


def parse_json(text: str | bytes) -> Any:
    """Any JSON value. Raises ValueError for all that is none, NaN and bottomless nesting too."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is no JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(data: bytes) -> str:
    """Hexadecimal SHA-256 of the bytes, by Python's own code: `hashlib` would load OpenSSL, 3.5 MiB."""
    for module in ("_sha2", "_sha256"):  # from Python 3.12 on, and 3.11
        with contextlib.suppress(ImportError):
            return str(importlib.import_module(module).sha256(data).hexdigest())
    import hashlib

    return hashlib.sha256(data).hexdigest()
