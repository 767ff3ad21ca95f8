"""Writes files aside and moves them into place, overwriting only when asked; JSON, TOML recipes, hashes."""

import contextlib
import errno
import fcntl
import importlib
import json
import os
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, BinaryIO, Literal, get_args, get_type_hints

from fer_edge.errors import OutputError, UsageError, printable

_ASIDE = ".fer-edge-"  # with which the temporary files' names begin
_NO_LINKS = os.O_NOFOLLOW | os.O_NONBLOCK  # nor wait for a pipe


def refuse_to_overwrite(path: Path, force: bool) -> None:
    """Raises OutputError if `path` exists and `force` is not given, or if it cannot be written.

    Devices and pipes (`/dev/null`) are fine: nothing in them is lost.
    """
    if path.is_dir():
        raise OutputError(f"cannot write {path}: it is a folder; give a file name")
    if _is_stream(path):
        return
    if path.exists() and not force:
        raise OutputError(f"{path} exists already: choose another name or give --force")
    nearest = next((parent for parent in path.absolute().parents if parent.exists()), Path("/"))
    if not nearest.is_dir():
        raise OutputError(f"cannot write {path}: {nearest} is a file, not a folder")
    if not os.access(nearest, os.W_OK | os.X_OK):
        raise OutputError(f"cannot write {path}: no permission to write in {nearest}")


def refuse_to_overwrite_any(
    outputs: Iterable[Path | str | None], force: bool, inputs: Iterable[Path | str | None] = ()
) -> None:
    """The same for all outputs of a command, before it begins; None and `-` are skipped.

    Also raises OutputError if two of them are the same file, or one is an input or its card, even if forced.
    """
    read = [Path(given) for given in inputs if given is not None]
    models = [path for path in read if path.suffix in (".tflite", ".keras")]
    cards = [card for path in models for card in (path.with_suffix(".json"), path.with_name("card.json"))]
    taken = {_identity(path): "the input" for path in read}
    taken |= {_identity(card): "the input's card" for card in cards if card.is_file()}
    for output in outputs:
        if output is None or str(output) == "-":
            continue
        refuse_to_overwrite(Path(output), force)
        if file := _identity(Path(output)):
            if file in taken:
                raise OutputError(f"cannot write {output}: it is {taken[file]}, too")
            taken[file] = "another output"


def _is_stream(path: Path) -> bool:
    """Whether it is a pipe or a device, which is written as it is."""
    return path.exists() and not (path.is_file() or path.is_dir())


def _identity(path: Path) -> object:
    """Identifies a file, existing or not, under all its names; None for folders, devices and pipes."""
    if path.is_file():
        return path.stat().st_dev, path.stat().st_ino
    return None if path.exists() else _led_to(path)


def make_folders(folder: Path) -> None:
    """Creates `folder` and its parents if missing. Raises OSError."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except RecursionError as error:  # mkdir calls itself for each folder above
        raise OSError(errno.ENAMETOOLONG, "folders nested too deeply", str(folder)) from error


@contextlib.contextmanager
def written_aside(path: Path, force: bool = True) -> Iterator[Path]:
    """Yields a temporary path with the same suffix in the same folder, and moves it to `path` at the end.

    If the block fails, `path` is unchanged. For a link, its target is replaced; a device or a pipe is written
    directly. Raises OutputError if the folder or the file cannot be written, if another process is writing
    it, if nobody reads the pipe, or, without `force`, if it exists at the end.
    """
    try:
        if _is_stream(path):
            with open_log(path):  # opens a pipe without waiting for a reader
                yield path
            return
        real = _led_to(path)
        make_folders(real.parent)
        with _claimed(real) as aside:
            yield aside
            if force:
                os.replace(aside, real)
                return
            try:
                os.link(aside, real)  # fails if a file has appeared meanwhile
            except FileExistsError:
                raise OutputError(f"{real} exists already: choose another name or give --force") from None
            except OSError:  # a file system without links
                os.replace(aside, real)
    except OSError as error:
        raise OutputError(f"cannot write {path}: {error.strerror or error}") from error


@contextlib.contextmanager
def _claimed(real: Path) -> Iterator[Path]:
    """A new file beside `real`, removed at the end; locked, so that other processes notice it."""
    whose = f"{_ASIDE}{sha256_of(os.fsencode(real.name))[:8]}-"
    aside = real.with_name(f"{whose}{os.urandom(6).hex()}{real.suffix[:16]}")  # cannot be guessed
    with _opened(real.parent, os.O_RDONLY, wait=True):
        for other in real.parent.glob(f"{_ASIDE}*"):
            with _opened(other, os.O_RDWR | _NO_LINKS) as locked:
                if locked:  # its process was killed
                    other.unlink(missing_ok=True)
                elif locked is False and other.name.startswith(whose):
                    raise OutputError(f"cannot write {real}: another process is writing it")
        file = os.open(aside, os.O_RDWR | os.O_CREAT | os.O_EXCL | _NO_LINKS, 0o666)
        _lock(file)
    try:
        yield aside
    finally:
        with contextlib.suppress(OSError):  # moved, or its folder is gone
            aside.unlink()
        os.close(file)


@contextlib.contextmanager
def _opened(path: Path, flags: int, wait: bool = False) -> Iterator[bool | None]:
    """Opens and locks it for the block; yields the result of `_lock`, None if it cannot be opened."""
    try:
        descriptor = os.open(path, flags)
    except OSError:  # gone, or not ours to touch
        yield None
        return
    try:
        yield _lock(descriptor, wait)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def held(folder: Path, what: str) -> Iterator[None]:
    """Creates `folder` and keeps it to this process until the block or the process ends.

    Raises OSError, and OutputError if another `what` (`training`) has it.
    """
    make_folders(folder)
    with _opened(folder / ".lock", os.O_RDWR | os.O_CREAT) as locked:
        if locked is False:
            raise OutputError(f"another {what} is writing to {folder}: choose another --out")
        yield


def _lock(descriptor: int, wait: bool = False) -> bool | None:
    """Locks it until it is closed; False if another process holds the lock, None on a disk without locks."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def open_log(path: Path, force: bool = True) -> BinaryIO:
    """Opens the file, with what is in it, unbuffered and locked for this process; a pipe or device as it is.

    Raises OutputError if it cannot be opened, if another process writes it, if nobody reads the pipe, or,
    without `force`, if it exists.
    """
    is_stream = _is_stream(path)
    flags = os.O_WRONLY | os.O_CREAT
    if is_stream:
        flags |= os.O_NONBLOCK  # fails at once if nobody reads the pipe
    elif not force:
        flags |= os.O_EXCL
    try:
        real = path if is_stream else _led_to(path)
        make_folders(real.parent)
        file = os.open(real, flags, 0o666)
    except OSError as error:
        if error.errno == errno.EEXIST and path.exists():  # and not a file where a folder is wanted
            raise OutputError(f"{path} exists already: choose another name or give --force") from None
        reason = "nobody reads this pipe" if error.errno == errno.ENXIO else error.strerror
        raise OutputError(f"cannot write {path}: {reason}") from error
    if is_stream:
        os.set_blocking(file, True)
    elif _lock(file) is False:
        os.close(file)
        raise OutputError(f"cannot write {path}: another process is writing it")
    return open(file, "wb", buffering=0)


def _led_to(path: Path) -> Path:
    try:
        return path.resolve()
    except (OSError, RuntimeError) as error:  # links in a circle: RuntimeError before Python 3.13
        why = "this folder is gone" if isinstance(error, FileNotFoundError) else "its links lead in a circle"
        raise OutputError(f"{path}: {why}") from error


def write_bytes(path: Path, data: bytes, force: bool = True) -> None:
    """Writes the whole file or nothing, as `written_aside`."""
    with written_aside(path, force) as aside:
        aside.write_bytes(data)


def write_text(path: Path, text: str, force: bool = True) -> None:
    """Writes the whole file, UTF-8, or nothing; as `written_aside`."""
    write_bytes(path, text.encode(), force)


def write_figure(path: Path, figure: Any, force: bool = True) -> None:
    """Draws a figure of Matplotlib's into the file, in the format of its suffix; as `written_aside`."""
    with written_aside(path, force) as aside, warnings.catch_warnings(action="ignore"):
        figure.savefig(aside, format=path.suffix[1:] or "png", dpi=120)  # warns of letters without a glyph


def put_between_markers(page: str, name: str, text: str) -> str:
    """Replaces everything between `<!-- NAME -->` and `<!-- /NAME -->` with `text`. Raises LookupError."""
    before, start, rest = page.partition(f"<!-- {name} -->")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise LookupError(f"no <!-- {name} --> ... <!-- /{name} -->")
    return f"{before}{start}\n{text.strip()}\n{end}{after}"


def parse_json(text: str | bytes) -> Any:
    """Parses any JSON value. Raises ValueError for anything else, including NaN and excessive nesting."""

    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON")

    try:
        return json.loads(text, parse_constant=refuse)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def to_json(value: Any, indent: int | None = None) -> str:
    """JSON of plain types, for a log or a terminal: letters of every script unchanged, all else escaped.

    Bytes of a name that are not UTF-8 are spelt out as `\\xe9`, since JSON cannot hold them.
    """
    text = json.dumps(value, indent=indent, ensure_ascii=False)
    if text.isprintable():
        return text
    escaped = {}
    for character in set(text) - {"\n"}:
        if "\ud800" <= character <= "\udfff":
            escaped[ord(character)] = printable(character).replace("\\", "\\\\")
        elif not character.isprintable():
            escaped[ord(character)] = json.dumps(character)[1:-1]
    return text.translate(escaped)


def sha256(path: Path) -> str:
    """Hexadecimal SHA-256 of the file's bytes."""
    import hashlib

    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of(data: bytes) -> str:
    """Hexadecimal SHA-256 of the bytes, with Python's own code: `hashlib` would load OpenSSL, 3.5 MiB."""
    for module in ("_sha2", "_sha256", "hashlib"):  # from Python 3.12 on, 3.11, where both are missing
        with contextlib.suppress(ImportError):
            return str(importlib.import_module(module).sha256(data).hexdigest())
    raise AssertionError("hashlib is always there")


_TYPES: dict[Any, tuple[type, ...]] = {
    float: (int, float), int: (int,), str: (str,), Literal: (str,), bool: (bool,),
}  # fmt: skip
_NUMBERS = (0, 1e15)
Share = Annotated[float, (0, 1)]
BelowOne = Annotated[float, (0, 0.99)]
Count = Annotated[int, (1, 1e9)]
"""Types of a recipe's fields, with the range that `checked` enforces."""


def read_toml(path: Path) -> dict[str, Any]:
    """A recipe as nested tables. Raises UsageError, naming it, if it is missing or not TOML."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:  # of UTF-8, of TOML, or of too many digits
        raise UsageError(f"{path} is not a recipe: {error}") from error
    except RecursionError:
        raise UsageError(f"{path} is not a recipe: it is nested too deeply") from None


def checked(kind: type[Any], table: Any, where: str) -> dict[str, Any]:
    """Returns `table` if each key is a plain field of the dataclass `kind` and its type allows each value.

    Plain types are float, int, str, bool and Literal. Numbers must be within the limits of, for example,
    Annotated[float, (0, 1)], or else within 0 and 1e15. Raises UsageError with `where`.
    """
    if not isinstance(table, dict):
        raise UsageError(f"{where} must be a table")
    hints = get_type_hints(kind, include_extras=True)
    fields = {name: getattr(hint, "__origin__", hint) for name, hint in hints.items()}
    fields = {name: field for name, field in fields.items() if field in _TYPES}
    for key, value in table.items():
        if key not in fields:
            raise UsageError(f"{where}: unknown key {key!r}: there are {', '.join(fields)}")
        wanted, words = _TYPES[fields[key]], get_args(hints[key])
        if not isinstance(value, wanted) or (isinstance(value, bool) and bool not in wanted):
            raise UsageError(f"{where}: {key} must be of type {wanted[-1].__name__}, not {value!r}")
        least, most = getattr(hints[key], "__metadata__", [_NUMBERS])[0]
        if isinstance(value, int | float) and not least <= value <= most:  # nan passes any gate
            raise UsageError(f"{where}: {key} must be a number from {least:g} to {most:g}, not {value!r}")
        if fields[key] is Literal and value not in words:
            raise UsageError(f"{where}: {key} must be one of {', '.join(words)}, not {value!r}")
    return table


def check(given: Any, where: str, further: dict[str, bool]) -> None:
    """Raises UsageError with `where` for a field of a dataclass instance that `checked` would refuse, and for
    the first complaint whose condition is false."""
    plain = {name: value for name, value in vars(given).items() if isinstance(value, int | float | str)}
    checked(type(given), plain, where)
    for complaint, holds in further.items():
        if not holds:
            raise UsageError(f"{where}: {complaint}")
