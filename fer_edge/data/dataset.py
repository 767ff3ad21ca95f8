"""The common form of all data sets: rows, splits, duplicates; its cache."""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.errors import DataError, OutputError, UsageError
from fer_edge.spec import INPUT_SHAPE, LABELS

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""Values of FER-2013's `Usage` column; `Dataset.split` holds their index."""
PROTOCOLS = {
    "official": ("Training", "PublicTest", "PrivateTest"),
    "paper": ("Training", "PublicTest+PrivateTest", "PublicTest"),
}
"""Name -> the splits to train on, to choose on, and to report on."""
HELD_OUT = 0.1  # of `Training`, if a source has no rows to choose on
MOST_BAD = 10_000  # invalid rows; with more, it is not a data set
CACHE_VERSION = 5  # incremented when a reader or the layout changes, so that older caches are not used
_NUMBERS = ("labels", "split", "ids")  # of a data set, in its cache


class BadRow(NamedTuple):
    """A row of a table, or a file of a tree, that is not used.

    where: `row 10 (line 11)` or the file's path. why: continues the sentence: `has 2303 pixel values`.
    """

    where: str
    why: str


Row = tuple[int, int, int, NDArray[np.integer[Any]]]
"""A row as read: id, label, split, and the pixels of one face in any shape."""


@dataclass(frozen=True)
class Dataset:
    """Labelled faces.

    images: uint8 (N, 48, 48), gray levels 0..255, often memory-mapped.
    labels: int64 (N,), index into `label_names`.
    split: uint8 (N,), index into SPLITS.
    ids: int64 (N,), the row in the source, counted from 1 after a header, or the picture's place
    in the sorted folder tree, from 1.
    path: given by the user. sha256: of the source's pictures, labels, splits in order, regardless of the file
    format. protocol: `official` if the source has the splits of FER-2013, else `holdout` (a tree with only
    train/ and test/, a table without `Usage`). bad: unusable rows. left_out: other contents of a tree.
    votes: FER+'s, uint8 (N, 10) in the order of ferplus.COLUMNS, if attached.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: NDArray[np.uint8]
    ids: NDArray[np.int64]
    path: str
    sha256: str
    protocol: str = "official"
    bad: tuple[BadRow, ...] = ()
    left_out: tuple[BadRow, ...] = ()
    label_names: tuple[str, ...] = LABELS
    votes: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    @classmethod
    def of_rows(cls, found: Iterable[Row | BadRow], path: str, protocol: str) -> Self:
        """Collects a reader's rows. Raises DataError if none is valid, or over MOST_BAD are invalid."""
        images: list[NDArray[np.uint8]] = []
        numbers: list[tuple[int, int, int]] = []
        bad: list[BadRow] = []
        for row in found:
            if isinstance(row, BadRow):
                bad.append(row)
                if len(bad) > MOST_BAD:
                    raise DataError(f"{path} has over {MOST_BAD} invalid rows: not FER-2013")
            else:
                numbers.append(row[:3])
                images.append(row[3].astype(np.uint8, copy=False).reshape(INPUT_SHAPE[:2]))
        if not images:
            first = f": {' '.join(bad[0])}" if bad else ""
            raise DataError(f"{path} contains nothing valid{first}")
        ids, labels, splits = np.array(numbers, np.int64).T.copy()
        pixels, split = np.stack(images), splits.astype(np.uint8)
        digest = hashlib.sha256(pixels.data)
        digest.update(labels.astype("<i8").tobytes() + split.tobytes())
        return cls(pixels, labels, split, ids, path, digest.hexdigest(), protocol, tuple(bad))

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Self:
        """The chosen rows (a boolean mask or indices), in that order."""
        arrays = {name: value for name, value in vars(self).items() if isinstance(value, np.ndarray)}
        rows: dict[str, Any] = {name: array[chosen] for name, array in arrays.items()}
        return replace(self, **rows)

    def sample(self, count: int | None, seed: int) -> Self:
        """At most `count` rows, drawn with the seed, in the source's order; all for None."""
        if count is None or count >= len(self):
            return self
        return self.rows(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))

    def part(self, splits: str) -> Self:
        """The rows of a split, or of several joined by `+`, in the source's order. Raises UsageError."""
        names = splits.split("+")
        if unknown := [name for name in names if name not in SPLITS]:
            raise UsageError(f"there is no split {unknown[0]!r}: choose from {', '.join(SPLITS)}")
        return self.rows(np.isin(self.split, [SPLITS.index(name) for name in names]))

    def with_held_out(self) -> Self:
        """Holds out a stratified tenth of Training as PublicTest, and one as PrivateTest if that is empty,
        always the same. Each class gives a rounded tenth, and at least one row while it has two.
        """
        split, random = self.split.copy(), np.random.default_rng(0)
        training = np.flatnonzero(split == 0)
        for index in (2, 1):
            if (split == index).any():
                continue
            for label in np.unique(self.labels[training]):
                whole = training[self.labels[training] == label]
                rest = whole[split[whole] == 0]  # a tenth of all, taken from what is left
                count = min(max(1, round(len(whole) * HELD_OUT)), len(rest) - 1)
                split[random.permutation(rest)[: max(count, 0)]] = index
        return replace(self, split=split)

    @classmethod
    def cached(cls, key: str, path: str) -> Self | None:
        """The data set cached under `key`, its images memory-mapped, or None if missing or damaged."""
        try:
            rest = files.parse_json(_kept_as(key, ".json").read_bytes())
            images = np.load(_kept_as(key, ".npy"), mmap_mode="r")
            labels, split, ids = np.array([rest[name] for name in _NUMBERS], np.int64)
            sound = images.dtype == np.uint8 and images.shape == (len(ids), *INPUT_SHAPE[:2])
            if not sound or set(labels) - set(range(len(LABELS))) or set(split) - set(range(len(SPLITS))):
                return None
            bad, sha256 = tuple(BadRow(*row) for row in rest["bad"]), rest["sha256"]
            return cls(images, labels, split.astype(np.uint8), ids, path, sha256, rest["protocol"], bad)
        except Exception:  # on damaged headers, numpy raises whatever its parser does
            return None

    def keep(self, key: str) -> None:
        """Writes the data set into the cache; warns, and leaves nothing there, if that is not possible."""
        rest = {name: getattr(self, name).tolist() for name in _NUMBERS}
        rest |= {name: getattr(self, name) for name in ("sha256", "protocol", "bad")}
        try:
            with files.written_aside(_kept_as(key, ".npy")) as aside, aside.open("wb") as file:
                np.save(file, self.images)
                file.flush()
                os.fsync(file.fileno())  # a power cut must not leave the name without the bytes
                files.write_text(_kept_as(key, ".json"), json.dumps(rest))
        except OutputError as error:
            console.warn(f"cannot cache {self.path} in {cache_folder()}: {error}")


def cache_folder() -> Path:
    """FER_EDGE_CACHE, else XDG_CACHE_HOME/fer-edge, else ~/.cache/fer-edge."""
    if chosen := os.environ.get("FER_EDGE_CACHE"):
        return Path(chosen).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache", "fer-edge")


def _kept_as(key: str, suffix: str) -> Path:
    return cache_folder() / "data" / f"{key}-v{CACHE_VERSION}{suffix}"


@dataclass(frozen=True)
class Protocol:
    """The parts of a data set under one protocol; `paper`'s validation contains its report.

    report_split: the name, of SPLITS, of the rows reported on.
    """

    name: str
    train: Dataset
    validation: Dataset
    report: Dataset
    report_split: str


def protocol_splits(dataset: Dataset, protocol: str) -> Protocol:
    """The data set cut for training, choosing and reporting, as PROTOCOLS has it.

    With splits of our own (`with_held_out`), `official` is called `holdout`. Raises UsageError for another
    name, DataError if the data set lacks these splits.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"there is no protocol {protocol!r}: choose from {', '.join(PROTOCOLS)}")
    if protocol == "paper" and dataset.protocol != "official":
        raise DataError(f"{dataset.path} has no PublicTest and PrivateTest: use --protocol official")
    if absent := [name for index, name in enumerate(SPLITS) if index not in dataset.split]:
        held_out = " (held out of train: a class needs two pictures)" if dataset.protocol == "holdout" else ""
        raise DataError(f"{dataset.path} has no {absent[0]} rows, which {protocol} needs{held_out}")
    name = dataset.protocol if protocol == "official" else protocol
    train, validation, report = PROTOCOLS[protocol]
    return Protocol(name, dataset.part(train), dataset.part(validation), dataset.part(report), report)


def _hashes(images: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """One per picture; the probability that two different ones among 36,000 share it is 4e-11."""
    digests = b"".join(hashlib.blake2b(image.tobytes(), digest_size=8).digest() for image in images)
    return np.frombuffer(digests, np.uint64)


def seen_in_training(dataset: Dataset, training: Dataset) -> NDArray[np.bool_]:
    """For each row of `dataset`, whether `training` contains the same picture; bool (N,)."""
    return np.isin(_hashes(dataset.images), _hashes(training.images))


def summarise(dataset: Dataset) -> dict[str, Any]:
    """Describes a data set in plain values for JSON.

    duplicates: number of different pictures, in all and within each split; across two, rows of `split` whose
    picture is also in `of`.
    """
    names = dataset.label_names
    _, picture = np.unique(_hashes(dataset.images), return_inverse=True)
    masks = {name: dataset.split == index for index, name in enumerate(SPLITS)}
    counts, within, across = {}, {}, []
    for split, rows in masks.items():
        numbers = np.bincount(dataset.labels[rows], minlength=len(names)).tolist()
        counts[split] = dict(zip(names, numbers, strict=True))
        within[split] = len(np.unique(picture[rows]))
    for of, split in combinations(SPLITS, 2):
        seen = np.isin(picture[masks[split]], picture[masks[of]])
        across.append({"split": split, "of": of, "rows": int(seen.sum())})
    found = {name: getattr(dataset, name) for name in ("path", "sha256", "protocol")}
    found |= {"n": len(dataset), "counts": counts}
    found["duplicates"] = {"different": int(picture.max()) + 1, "within": within, "across": across}
    for name, rows in (("bad", dataset.bad), ("left_out", dataset.left_out)):
        found[name] = {"count": len(rows), "rows": [row._asdict() for row in rows]}
    return found
