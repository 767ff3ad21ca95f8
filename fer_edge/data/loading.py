"""`load`: any form of FER-2013, read once, then kept as memory-mapped arrays under the hash of its bytes."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import console, files, tables
from fer_edge.data import drawn
from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset, Stat, with_held_out
from fer_edge.data.table import Table
from fer_edge.data.tree import Tree, find_tree
from fer_edge.errors import DataError, UsageError
from fer_edge.spec import INPUT_SHAPE, LABELS

WHERE_FROM = (
    "FER-2013 is fer2013.csv or icml_face_data.csv of Kaggle's Facial Expression Recognition Challenge "
    "(300 MB), or a mirror's folder with train/ and test/; 'drawn' needs no download"
)
"""For whoever has no data yet: the usual names and forms, all of which are read."""


def load(
    path: str | None,
    *,
    skip_bad_rows: bool = False,
    progress: bool = True,
    seed: int = 0,
    class_names: str | None = None,
) -> Dataset:
    """Reads fer2013.csv (plain, .xz, .gz, .zip, .tar.gz), icml_face_data.csv, a folder tree, or `drawn`.

    skip_bad_rows: leave rows that are not valid out, instead of raising. progress: a bar on a terminal, one
    line elsewhere, while a source is read for the first time. seed: of `drawn` and of what is held out.
    class_names: the expressions of a tree whose class folders are numbers, in the numbers' order, joined by
    commas; default FER_EDGE_CLASS_NAMES. What was read is cached (`cache_folder`); what a tree holds besides
    is named on standard error. Raises UsageError for None, DataError for what cannot be read.
    """
    if path is None:
        raise UsageError(f"which data set? --data PATH, or FER_EDGE_DATA. {WHERE_FROM}")
    if path == "drawn" or path.startswith("drawn:"):
        return drawn.dataset(path, seed)
    dataset = _cached(path, progress, class_names or os.environ.get("FER_EDGE_CLASS_NAMES"))
    if dataset.bad.count and not skip_bad_rows:
        raise DataError(_bad(dataset))
    return with_held_out(dataset, seed) if dataset.protocol == "holdout" else dataset


def _cached(path: str, progress: bool, class_names: str | None) -> Dataset:
    source = find_source(path, class_names)
    for line in source.warnings:
        console.warn(line)
    try:
        before = source.stat()
        key = _noted_key(source.place, before) or source.content()
        if (found := find(key, path)) is None:
            with _shown(f"reading {source}", len(source), progress) as step:
                dataset = source.read(path, step)
            if source.stat() != before:
                raise DataError(f"{path} changed while it was read: try again")
    except OSError as error:
        raise DataError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    try:
        if found is None:
            keep(key, dataset)
        _note_key(source.place, before, key)
    except OSError as error:
        console.warn(f"cannot cache {path} in {cache_folder()}: {error.strerror or error}")
    return replace(found or find(key, path) or dataset, left_out=source.left_out)


def _bad(dataset: Dataset) -> str:
    first, count = dataset.bad.first[0], dataset.bad.count
    in_all = "1 bad row in all; --skip-bad-rows leaves it out"
    if count > 1:
        in_all = f"{count} bad rows in all; --skip-bad-rows leaves them out"
    return f"{dataset.path}: {first.where} {first.why}; {in_all}"


def find_source(path: str, class_names: str | None = None) -> Table | Tree:
    """What is on disk there. Raises DataError where there is nothing that could be read."""
    place = Path(path)
    if place.is_dir():
        return find_tree(path, class_names)
    if place.is_file():
        return Table(place)
    what = "is neither a file nor a folder" if place.exists() else "does not exist"
    raise DataError(f"{path} {what}: give fer2013.csv, a folder of pictures, or 'drawn'. {WHERE_FROM}")


@contextlib.contextmanager
def _shown(text: str, total: int, progress: bool) -> Iterator[Callable[[int], object]]:
    """A bar on a terminal, one plain line elsewhere; gives what is called with how much more was done."""
    if not progress:
        yield lambda done: None
        return
    if not console.console().is_terminal:
        console.say(text)
    with tables.progress(text, total) as step:
        yield step


VERSION = 3
"""Counted up whenever a reader or the layout changes, so that old entries are not used."""

_ARRAYS = {"images": np.uint8, "labels": np.int64, "split": np.uint8, "ids": np.int64}


def cache_folder() -> Path:
    """FER_EDGE_CACHE, else XDG_CACHE_HOME/fer-edge, else ~/.cache/fer-edge."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fer-edge"


def _entry(key: str) -> Path:
    return cache_folder() / "data" / f"{key}-v{VERSION}"


def find(key: str, path: str) -> Dataset | None:
    """The data set kept under `key`, its arrays memory-mapped, or None if absent or damaged."""
    entry = _entry(key)
    try:
        meta = files.parse_json((entry / "meta.json").read_bytes())
        arrays = {name: np.load(entry / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        bad = BadRows(meta["bad_count"], tuple(BadRow(*row) for row in meta["bad"]))
        sound = all(arrays[n].dtype == t and len(arrays[n]) == meta["rows"] for n, t in _ARRAYS.items())
        sound = sound and arrays["images"].shape[1:] == INPUT_SHAPE[:2]
        for name, limit in (("labels", len(LABELS)), ("split", len(SPLITS))):
            sound = sound and bool(((arrays[name] >= 0) & (arrays[name] < limit)).all())
        if not sound:
            return None
        small: dict[str, Any] = {name: np.array(arrays[name]) for name in _ARRAYS if name != "images"}
        return Dataset(
            images=arrays["images"],
            **small,
            path=path,
            sha256=meta["sha256"],
            protocol=meta["protocol"],
            bad=bad,
        )
    except Exception:  # numpy's reader of damaged headers fails in whatever its parser raises
        return None


def keep(key: str, dataset: Dataset) -> None:
    """Writes the data set into a folder aside, flushes it to the disk and moves it into place.

    Raises OSError if the cache cannot be written; nothing of it is left then.
    """
    entry = _entry(key)
    files.make_folders(entry.parent)
    _sweep(entry.parent)
    aside = Path(tempfile.mkdtemp(prefix=".aside-", dir=entry.parent))
    try:
        for name in _ARRAYS:
            with (aside / f"{name}.npy").open("wb") as file:
                np.save(file, getattr(dataset, name))
                file.flush()
                os.fsync(file.fileno())  # a power cut must not leave the name without the bytes
        meta = {"rows": len(dataset), "sha256": dataset.sha256, "protocol": dataset.protocol}
        bad = [astuple(row) for row in dataset.bad.first]
        (aside / "meta.json").write_text(json.dumps({**meta, "bad_count": dataset.bad.count, "bad": bad}))
        if entry.exists():  # damaged, or written meanwhile by another process with the same content
            os.replace(entry, aside / "old")
        os.rename(aside, entry)
        shutil.rmtree(entry / "old", ignore_errors=True)
    except OSError:
        if find(key, dataset.path) is None:  # else another process was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _noted_key(source: Path, stat: Stat) -> str | None:
    """The content's hash that was noted for this place, if `stat` is still the same."""
    try:
        noted = files.parse_json(_note(source).read_bytes())
        return str(noted["key"]) if noted["stat"] == stat.key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _note_key(source: Path, stat: Stat, key: str) -> None:
    """Notes the content's hash, so that the next reading need not hash again. Raises OSError.

    Not within two seconds of the last change: a second one within the clock's step keeps its time.
    """
    if time.time_ns() - stat.newest_ns < 2_000_000_000 or _noted_key(source, stat) == key:
        return
    note = _note(source)
    files.make_folders(note.parent)
    aside = note.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps({"stat": stat.key, "key": key}))
    os.replace(aside, note)


def _note(source: Path) -> Path:
    return cache_folder() / "index" / f"{hashlib.sha256(os.fsencode(source.resolve())).hexdigest()}.json"


def _sweep(parent: Path) -> None:
    """Removes what killed processes left, once it is a day old."""
    for left in parent.glob(".aside-*"):
        with contextlib.suppress(OSError):
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
