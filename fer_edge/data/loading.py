"""`load`: any form of FER-2013, read once and cached."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_edge import console, files
from fer_edge.data import cache, drawn
from fer_edge.data.dataset import Dataset
from fer_edge.data.opening import open_table
from fer_edge.data.protocols import with_held_out
from fer_edge.data.table import read_table
from fer_edge.errors import DataError


def load(path: str, *, skip_bad_rows: bool = False, progress: bool = True, seed: int = 0) -> Dataset:
    """Reads fer2013.csv (plain, .xz, .gz, .zip, .tar.gz), icml_face_data.csv, a folder tree, or `drawn`.

    skip_bad_rows: leave rows that are not valid out, instead of raising. progress: a bar on a terminal,
    one line elsewhere, while a source is read for the first time. seed: of `drawn` and of what is held
    out. What was read is cached (`cache.folder`). Raises DataError.
    """
    if path == "drawn" or path.startswith("drawn:"):
        return drawn.dataset(path, seed)
    source = Path(path)
    if source.is_dir():
        raise DataError(f"{path} is a folder: not yet supported")
    if not source.is_file():
        raise DataError(f"{path} does not exist: give fer2013.csv, a folder of pictures, or 'drawn'")
    dataset = _cached(source, path, progress)
    bad = dataset.bad
    if bad.count and not skip_bad_rows:
        first = bad.first[0]
        in_all = "1 bad row" if bad.count == 1 else f"{bad.count} bad rows"
        raise DataError(
            f"{path}: {first.where} has {first.why}; {in_all} in all; --skip-bad-rows leaves them out"
        )
    if dataset.protocol == "holdout":
        return with_held_out(dataset, seed)
    return dataset


def _cached(source: Path, path: str, progress: bool) -> Dataset:
    before = _stat(source)
    key = _content_key(source, before)
    if (found := cache.find(key, path)) is not None:
        return found
    with open_table(source) as (stream, raw), _bar(source, raw.tell, progress) as tick:
        dataset = read_table(stream, path, tick)
    if _stat(source) != before:
        raise DataError(f"{path} changed while it was read: try again")
    try:
        cache.keep(key, dataset)
    except OSError as error:
        console.warn(f"cannot cache {path} in {cache.folder()}: {error.strerror or error}")
    return cache.find(key, path) or dataset


def _stat(source: Path) -> list[int]:
    stat = source.stat()
    return [stat.st_size, stat.st_mtime_ns, stat.st_ino]


def _content_key(source: Path, stat: list[int]) -> str:
    """SHA-256 of the file, remembered while its size, time and inode stay the same."""
    note = cache.folder() / "index" / f"{hashlib.sha256(os.path.abspath(source).encode()).hexdigest()}.json"
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        noted = json.loads(note.read_text())
        if noted["stat"] == stat:
            return str(noted["sha256"])
    try:
        key = files.sha256(source)
    except OSError as error:
        raise DataError(f"cannot read {source}: {error.strerror or error}") from error
    # A file changed again within the clock's step keeps its time: note settled files only.
    if time.time_ns() - stat[1] > 2_000_000_000:
        with contextlib.suppress(Exception):
            files.write_text(note, json.dumps({"stat": stat, "sha256": key}))
    return key


@contextlib.contextmanager
def _bar(source: Path, position: Callable[[], int], progress: bool) -> Iterator[Callable[[], None]]:
    size = source.stat().st_size
    text = f"reading {source.name} ({size / 1e6:.0f} MB)"
    terminal = console.console() if progress else None
    if terminal is None or not terminal.is_terminal:
        if progress:
            console.say(text)
        yield lambda: None
        return
    from rich.progress import Progress

    with Progress(console=terminal, transient=True) as bar:
        task = bar.add_task(text, total=size)
        yield lambda: bar.update(task, completed=position())
