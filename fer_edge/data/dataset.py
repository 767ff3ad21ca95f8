"""The one form in which every part sees a data set."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fer_edge.spec import LABELS

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""Values of FER-2013's `Usage` column; `Dataset.split` holds their index."""


@dataclass(frozen=True)
class BadRow:
    """A row of a table, or a picture of a tree, that is not valid.

    where: `row 10 (line 11)` or the picture's path. why: what is wrong with it.
    """

    where: str
    why: str


@dataclass(frozen=True)
class BadRows:
    """How many rows are not valid, and the first of them (at most BadRows.KEPT)."""

    KEPT: ClassVar[int] = 1000
    count: int = 0
    first: tuple[BadRow, ...] = ()


@dataclass(frozen=True)
class Dataset:
    """Labelled faces.

    images: uint8 (N, 48, 48), gray levels 0..255, often memory-mapped.
    labels: int64 (N,), index into `label_names`.
    split: uint8 (N,), index into SPLITS.
    ids: int64 (N,), the row in the source, counted from 1 after a header, or the picture's place
    in the sorted folder tree, from 1.
    path: what the user named. sha256: of the decoded content (see `content_sha256`). protocol:
    `official` where the source names the splits of FER-2013, else `holdout` (a tree with train/ and
    test/ alone, a table without `Usage`). bad: rows that were left out. votes: FER+'s, uint8 (N, 10) in
    the order of ferplus.COLUMNS, where they were attached.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: NDArray[np.uint8]
    ids: NDArray[np.int64]
    path: str
    sha256: str
    protocol: str = "official"
    bad: BadRows = BadRows()
    label_names: tuple[str, ...] = LABELS
    votes: NDArray[np.uint8] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def rows(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> Dataset:
        """The chosen rows (a boolean mask or indices), in that order."""
        return replace(
            self,
            images=self.images[chosen],
            labels=self.labels[chosen],
            split=self.split[chosen],
            ids=self.ids[chosen],
            votes=None if self.votes is None else self.votes[chosen],
        )

    def sample(self, count: int | None, seed: int) -> Dataset:
        """`count` rows at most, drawn by the seed, in the source's order; all for None."""
        if count is None or count >= len(self):
            return self
        return self.rows(np.sort(np.random.default_rng(seed).permutation(len(self))[:count]))

    def part(self, *names: str) -> Dataset:
        """The rows whose split is among `names` (of SPLITS), in the source's order."""
        return self.rows(np.isin(self.split, [SPLITS.index(name) for name in names]))


def content_sha256(images: NDArray[np.uint8], labels: NDArray[np.int64], split: NDArray[np.uint8]) -> str:
    """SHA-256 of pictures, labels and splits in their order.

    The same rows give the same hash whatever file they came in (.csv, .xz, .zip, other column order).
    """
    digest = hashlib.sha256(np.ascontiguousarray(images).data)
    digest.update(labels.astype("<i8").tobytes())
    digest.update(split.tobytes())
    return digest.hexdigest()
