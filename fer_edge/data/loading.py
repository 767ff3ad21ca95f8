"""`load`: any form of FER-2013, read once and cached."""

from __future__ import annotations

from fer_edge import console
from fer_edge.data import cache, drawn
from fer_edge.data.dataset import Dataset
from fer_edge.data.protocols import with_held_out
from fer_edge.data.source import find_source
from fer_edge.errors import DataError


def load(path: str, *, skip_bad_rows: bool = False, progress: bool = True, seed: int = 0) -> Dataset:
    """Reads fer2013.csv (plain, .xz, .gz, .zip, .tar.gz), icml_face_data.csv, a folder tree, or `drawn`.

    skip_bad_rows: leave rows that are not valid out, instead of raising. progress: a bar on a terminal,
    one line elsewhere, while a source is read for the first time. seed: of `drawn` and of what is held
    out. What was read is cached (`cache.folder`). Raises DataError.
    """
    if path == "drawn" or path.startswith("drawn:"):
        return drawn.dataset(path, seed)
    dataset = _cached(path, progress)
    if dataset.bad.count and not skip_bad_rows:
        raise DataError(_bad(dataset))
    return with_held_out(dataset, seed) if dataset.protocol == "holdout" else dataset


def _cached(path: str, progress: bool) -> Dataset:
    source = find_source(path)
    try:
        before = source.stat()
        key = cache.noted_key(source.place, *before) or source.content()
        if (found := cache.find(key, path)) is None:
            dataset = source.read(progress)
            if source.stat() != before:
                raise DataError(f"{path} changed while it was read: try again")
    except OSError as error:
        raise DataError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    try:
        if found is None:
            cache.keep(key, dataset)
        cache.note_key(source.place, *before, key)
    except OSError as error:
        console.warn(f"cannot cache {path} in {cache.folder()}: {error.strerror or error}")
    return found or cache.find(key, path) or dataset


def _bad(dataset: Dataset) -> str:
    first, count = dataset.bad.first[0], dataset.bad.count
    in_all = "1 bad row in all; --skip-bad-rows leaves it out"
    if count > 1:
        in_all = f"{count} bad rows in all; --skip-bad-rows leaves them out"
    return f"{dataset.path}: {first.where} has {first.why}; {in_all}"
