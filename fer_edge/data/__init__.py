"""Reads FER-2013 in any of its forms as one Dataset, and caches it under the hash of its source."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from fer_edge import console, files
from fer_edge.data import drawn, ferplus
from fer_edge.data.dataset import (
    SPLITS,
    BadRow,
    Dataset,
    Protocol,
    protocol_splits,
    seen_in_training,
    summarise,
    with_held_out,
)
from fer_edge.data.drawn import drawn_faces
from fer_edge.data.table import Table
from fer_edge.data.tree import Tree, find_tree
from fer_edge.errors import DataError, OutputError, UsageError
from fer_edge.spec import INPUT_SHAPE, LABELS

__all__ = ["Dataset", "Protocol", "drawn_faces", "load", "protocol_splits", "seen_in_training", "summarise"]

WHERE_FROM = (
    "FER-2013 is fer2013.csv or icml_face_data.csv of Kaggle's Facial Expression Recognition Challenge "
    "(300 MB), or a mirror's folder with train/ and test/; 'drawn' needs no download"
)
"""For users without data: its usual names and forms, all of which can be read."""


def load(
    path: str | None,
    labels: str | None = None,
    *,
    skip_bad_rows: bool = False,
    seed: int = 0,
    class_names: str | None = None,
) -> Dataset:
    """Reads fer2013.csv (plain, .xz, .gz, .zip), icml_face_data.csv, a folder tree, or `drawn`.

    labels: as for `ferplus.chosen`. skip_bad_rows: skip invalid rows instead of raising. seed: for `drawn`
    and held-out pictures. class_names: the expressions of a tree with numbered class folders, in the order of
    the numbers, joined by commas. What was read is cached in `cache_folder`; other contents of a tree are
    named on standard error.
    Raises UsageError for None, DataError for anything that cannot be read.
    """
    if path is None:
        raise UsageError(f"no data set: give --data PATH, or set FER_EDGE_DATA. {WHERE_FROM}")
    if path.partition(":")[0] == "drawn":
        return ferplus.chosen(drawn.dataset(path, seed), labels)
    try:
        source = find_source(path, class_names)
        dataset = replace(_read(source), left_out=source.left_out)
    except OSError as error:
        raise DataError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    if dataset.bad and not skip_bad_rows:
        first, count = dataset.bad[0], len(dataset.bad)
        told = f"{first.where} {first.why}; bad rows in all: {count}"
        raise DataError(f"{path}: {told}; --skip-bad-rows leaves them out")
    if dataset.protocol == "holdout":
        dataset = with_held_out(dataset, seed)
    return ferplus.chosen(dataset, labels)


def find_source(path: str, class_names: str | None = None) -> Table | Tree:
    """The source at this path. Raises OSError, and DataError if nothing there can be read."""
    place = Path(path)
    if place.is_dir():
        return find_tree(path, class_names)
    if place.is_file():
        return Table(path)
    what = "is neither a file nor a folder" if place.exists() else "does not exist"
    raise DataError(f"{path} {what}: give fer2013.csv, a folder of pictures, or 'drawn'. {WHERE_FROM}")


def _read(source: Table | Tree) -> Dataset:
    """From the cache, or from the source and then cached if possible."""
    key, path = source.fingerprint(), source.path
    if (kept := cached(key, path)) is not None:
        return kept
    if not console.console().is_terminal:
        console.say(f"reading {source}")
    dataset = source.read()
    if source.fingerprint() != key:
        raise DataError(f"{path} changed while it was read: try again")
    try:
        keep(key, dataset)
    except OutputError as error:
        console.warn(f"cannot cache {path} in {cache_folder()}: {error}")
    return cached(key, path) or dataset


# --- the cache

VERSION = 5
"""Incremented when a reader or the layout changes, so that older caches are not used."""
_NUMBERS = ("labels", "split", "ids")


def cache_folder() -> Path:
    """FER_EDGE_CACHE, else XDG_CACHE_HOME/fer-edge, else ~/.cache/fer-edge."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "fer-edge"


def _kept_as(key: str, suffix: str) -> Path:
    return cache_folder() / "data" / f"{key}-v{VERSION}{suffix}"


def cached(key: str, path: str) -> Dataset | None:
    """The data set cached under `key`, its images memory-mapped, or None if missing or damaged."""
    try:
        rest = files.parse_json(_kept_as(key, ".json").read_bytes())
        images = np.load(_kept_as(key, ".npy"), mmap_mode="r")
        labels, split, ids = (np.array(rest[name], np.int64) for name in _NUMBERS)
        sound = images.dtype == np.uint8 and images.shape == (len(ids), *INPUT_SHAPE[:2])
        sound = sound and labels.shape == split.shape == ids.shape
        if not (sound and set(labels) <= set(range(len(LABELS))) and set(split) <= set(range(len(SPLITS)))):
            return None
        bad, sha256 = tuple(BadRow(*row) for row in rest["bad"]), rest["sha256"]
        return Dataset(images, labels, split.astype(np.uint8), ids, path, sha256, rest["protocol"], bad)
    except Exception:  # on damaged headers, numpy raises whatever its parser does
        return None


def keep(key: str, dataset: Dataset) -> None:
    """Writes the data set into the cache. Raises OutputError, without leaving its images there."""
    rest = {name: getattr(dataset, name).tolist() for name in _NUMBERS}
    rest |= {name: getattr(dataset, name) for name in ("sha256", "protocol", "bad")}
    with files.written_aside(_kept_as(key, ".npy")) as aside, aside.open("wb") as file:
        np.save(file, dataset.images)
        file.flush()
        os.fsync(file.fileno())  # a power cut must not leave the name without the bytes
        files.write_text(_kept_as(key, ".json"), json.dumps(rest))
