"""Reads FER-2013 in any of its forms as one Dataset, cached under the hash of its source."""

from dataclasses import replace
from pathlib import Path

from fer_edge import console
from fer_edge.data import drawn, ferplus
from fer_edge.data.dataset import Dataset, Protocol, protocol_splits, seen_in_training, summarise
from fer_edge.data.drawn import drawn_faces
from fer_edge.data.table import Table
from fer_edge.data.tree import Tree, find_tree
from fer_edge.errors import DataError, UsageError

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

    labels: as for `ferplus.chosen`. skip_bad_rows: skip invalid rows instead of raising. seed: for `drawn`.
    class_names: the expressions of a tree with numbered class folders, in the order of the numbers, joined by
    commas. What was read is cached in `dataset.cache_folder`; other contents of a tree are named on stderr.
    Raises UsageError for None, DataError for anything that cannot be read.
    """
    if not path:
        raise UsageError(f"no data set: give --data PATH, or set FER_EDGE_DATA. {WHERE_FROM}")
    is_drawn = path.partition(":")[0] == "drawn"
    if class_names is not None and (is_drawn or Path(path).is_file()):
        raise UsageError("--class-names is for a folder tree whose class folders have numbers")
    if is_drawn:
        return ferplus.chosen(drawn.dataset(path, seed), labels)
    try:
        source = find_source(path, class_names)
        dataset = replace(_read(source), left_out=source.left_out)
    except OSError as error:
        raise DataError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    if dataset.bad and not skip_bad_rows:
        told = f"{' '.join(dataset.bad[0])}; bad rows in all: {len(dataset.bad)}"
        raise DataError(f"{path}: {told}; --skip-bad-rows leaves them out")
    if dataset.protocol == "holdout":
        dataset = dataset.with_held_out()
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
    if (kept := Dataset.cached(key, path)) is not None:
        return kept
    if not console.console().is_terminal:
        console.say(f"reading {source}")
    dataset = source.read()
    if source.fingerprint() != key:
        raise DataError(f"{path} changed while it was read: try again")
    dataset.keep(key)
    return Dataset.cached(key, path) or dataset
