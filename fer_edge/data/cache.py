"""What was read once is kept as memory-mapped arrays, under the hash of the source's bytes."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset
from fer_edge.spec import INPUT_SHAPE, LABELS

VERSION = 2
"""Counted up whenever a reader or the layout changes, so that old entries are not used."""

_ARRAYS = {"images": np.uint8, "labels": np.int64, "split": np.uint8, "ids": np.int64}


def folder() -> Path:
    """FER_EDGE_CACHE, else XDG_CACHE_HOME/fer-edge, else ~/.cache/fer-edge."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fer-edge"


def _entry(key: str) -> Path:
    return folder() / "data" / f"{key}-v{VERSION}"


def find(key: str, path: str) -> Dataset | None:
    """The data set kept under `key`, its arrays memory-mapped, or None if absent or damaged."""
    entry = _entry(key)
    try:
        meta = files.parse_json((entry / "meta.json").read_bytes())
        arrays = {name: np.load(entry / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
        bad = BadRows(meta["bad_count"], tuple(BadRow(*row) for row in meta["bad"]))
        sound = all(arrays[n].dtype == t and len(arrays[n]) == meta["rows"] for n, t in _ARRAYS.items())
        sound = sound and arrays["images"].shape[1:] == INPUT_SHAPE[:2]
        sound = sound and _below(arrays["labels"], len(LABELS)) and _below(arrays["split"], len(SPLITS))
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


def _below(numbers: NDArray[Any], limit: int) -> bool:
    return not len(numbers) or (int(numbers.min()) >= 0 and int(numbers.max()) < limit)


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
        (aside / "meta.json").write_text(json.dumps(_meta(dataset)))
        if entry.exists():  # damaged, or written meanwhile by another process with the same content
            os.replace(entry, aside / "old")
        os.rename(aside, entry)
        shutil.rmtree(entry / "old", ignore_errors=True)
    except OSError:
        if find(key, dataset.path) is None:  # else another process was faster
            raise
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def noted_key(source: Path, stat: list[object], newest_ns: int) -> str | None:
    """The content's hash that was noted for this place, if `stat` is still the same."""
    try:
        noted = files.parse_json(_note(source).read_bytes())
        return str(noted["key"]) if noted["stat"] == stat else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def note_key(source: Path, stat: list[object], newest_ns: int, key: str) -> None:
    """Notes the content's hash, so that the next reading need not hash again. Raises OSError.

    Not within two seconds of the last change: a second one within the clock's step keeps its time.
    """
    if time.time_ns() - newest_ns < 2_000_000_000 or noted_key(source, stat, newest_ns) == key:
        return
    note = _note(source)
    files.make_folders(note.parent)
    aside = note.with_suffix(f".{os.getpid()}")
    aside.write_text(json.dumps({"stat": stat, "key": key}))
    os.replace(aside, note)


def _note(source: Path) -> Path:
    return folder() / "index" / f"{hashlib.sha256(os.fsencode(source.resolve())).hexdigest()}.json"


def _meta(dataset: Dataset) -> dict[str, Any]:
    return {
        "rows": len(dataset),
        "sha256": dataset.sha256,
        "protocol": dataset.protocol,
        "bad_count": dataset.bad.count,
        "bad": [dataclasses.astuple(row) for row in dataset.bad.first],
    }


def _sweep(parent: Path) -> None:
    """Removes what killed processes left, once it is a day old."""
    for left in parent.glob(".aside-*"):
        try:
            if time.time() - left.stat().st_mtime > 86400:
                shutil.rmtree(left, ignore_errors=True)
        except OSError:
            continue
