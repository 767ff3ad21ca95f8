"""The one form in which every part sees a data set."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

SPLITS = ("Training", "PublicTest", "PrivateTest")
"""Values of FER-2013's `Usage` column; `Dataset.split` holds their index."""


@dataclass(frozen=True)
class Dataset:
    """Labelled faces.

    images: uint8 (N, 48, 48), gray levels 0..255, often memory-mapped.
    labels: int64 (N,), index into spec.LABELS.
    split: uint8 (N,), index into SPLITS.
    ids: int64 (N,), the row in the source, counted from 1 after a header, or the picture's place
    in the sorted folder tree, from 1.
    path: what the user named. sha256: of the source's content. protocol: `official` where the three
    splits of FER-2013 are there, else `holdout` (a tree with train/ and test/ alone).
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    split: NDArray[np.uint8]
    ids: NDArray[np.int64]
    path: str
    sha256: str
    protocol: str = "official"

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
        )

    def part(self, *names: str) -> Dataset:
        """The rows whose split is among `names` (of SPLITS), in the source's order."""
        return self.rows(np.isin(self.split, [SPLITS.index(name) for name in names]))
