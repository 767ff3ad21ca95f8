"""Valid rows as they come from a source, and the bad ones beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import BadRow, BadRows, Dataset, content_sha256
from fer_edge.data.pixels import PIXELS
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE

_SIDE = INPUT_SHAPE[0]
_CHUNK = 4096  # rows: 9.4 MB


class Rows:
    """Collects rows in chunks, so that nothing is held as text."""

    def __init__(self) -> None:
        self.chunks: list[NDArray[np.uint8]] = []
        self.labels: list[int] = []
        self.splits: list[int] = []
        self.ids: list[int] = []
        self.bad: list[BadRow] = []
        self.bad_count = 0

    def __len__(self) -> int:
        return len(self.labels)

    def add(self, row: int, label: int, split: int, pixels: NDArray[np.integer[Any]]) -> None:
        """`pixels`: (2304,), 0..255."""
        place = len(self.labels) % _CHUNK
        if place == 0:
            self.chunks.append(np.empty((_CHUNK, PIXELS), np.uint8))
        self.chunks[-1][place] = pixels
        self.labels.append(label)
        self.splits.append(split)
        self.ids.append(row)

    def reject(self, bad: BadRow) -> None:
        self.bad_count += 1
        if len(self.bad) < BadRows.KEPT:
            self.bad.append(bad)

    def dataset(self, where: str, protocol: str) -> Dataset:
        """Raises DataError where no row is valid."""
        if not self.labels:
            first = f": {self.bad[0].where} has {self.bad[0].why}" if self.bad else ""
            raise DataError(f"{where} has nothing valid in it{first}")
        self.chunks[-1] = self.chunks[-1][: (len(self.labels) - 1) % _CHUNK + 1]
        images = np.concatenate(self.chunks).reshape(-1, _SIDE, _SIDE)
        labels = np.array(self.labels, np.int64)
        split = np.array(self.splits, np.uint8)
        return Dataset(
            images=images,
            labels=labels,
            split=split,
            ids=np.array(self.ids, np.int64),
            path=where,
            sha256=content_sha256(images, labels, split),
            protocol=protocol,
            bad=BadRows(self.bad_count, tuple(self.bad)),
        )
