"""A source on disk, table or tree, behind one face: what it is keyed on, and how it is read."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fer_edge import console, files
from fer_edge.data.dataset import Dataset
from fer_edge.data.opening import open_table
from fer_edge.data.pictures import content_of, read_tree, stat_of
from fer_edge.data.table import read_table
from fer_edge.data.tree import find_tree
from fer_edge.errors import DataError


@dataclass(frozen=True)
class Source:
    """stat: JSON-able, changes when the source does. newest_ns: time of its last change. content: hash
    of all its bytes. read: all of it, with or without progress shown.
    """

    place: Path
    stat: Callable[[], tuple[list[object], int]]
    content: Callable[[], str]
    read: Callable[[bool], Dataset]


def find_source(path: str) -> Source:
    """Raises DataError where there is nothing that could be read."""
    place = Path(path)
    if place.is_dir():
        return _tree_source(path)
    if place.is_file():
        return _table_source(path)
    what = "is neither a file nor a folder" if place.exists() else "does not exist"
    raise DataError(f"{path} {what}: give fer2013.csv, a folder of pictures, or 'drawn'")


def _table_source(path: str) -> Source:
    place = Path(path)

    def stat() -> tuple[list[object], int]:
        now = place.stat()
        return [now.st_size, now.st_mtime_ns, now.st_ino], now.st_mtime_ns

    def read(progress: bool) -> Dataset:
        size = place.stat().st_size
        text = f"reading {place.name} ({size / 1e6:.1f} MB)"
        with open_table(place) as (stream, raw), _bar(text, size, raw.tell, progress) as tick:
            return read_table(stream, path, tick)

    return Source(place, stat, lambda: files.sha256(place), read)


def _tree_source(path: str) -> Source:
    tree = find_tree(path)

    def read(progress: bool) -> Dataset:
        done = iter(range(len(tree.pictures) + 1))
        text = f"reading {tree.root.name or path} ({len(tree.pictures)} pictures)"
        with _bar(text, len(tree.pictures), lambda: next(done) + 1, progress) as tick:
            return read_tree(tree, path, tick)

    return Source(tree.root, lambda: stat_of(tree), lambda: content_of(tree), read)


@contextlib.contextmanager
def _bar(text: str, total: int, position: Callable[[], int], progress: bool) -> Iterator[Callable[[], None]]:
    """A bar on a terminal, one plain line elsewhere; gives what is called now and then."""
    terminal = console.console() if progress else None
    if terminal is None or not terminal.is_terminal:
        if progress:
            console.say(text)
        yield lambda: None
        return
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=terminal, transient=True) as bar:
        task = bar.add_task(text, total=total)
        yield lambda: bar.update(task, completed=position())
