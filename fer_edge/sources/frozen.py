"""Cameras that hang without saying so: they go on giving the very same picture."""

from __future__ import annotations

import zlib

import numpy as np
from numpy.typing import NDArray

GRID_PX = 16  # one pixel of so many is compared first: a living picture differs there already


class Stillness:
    """Since when the same picture has come, and whether that is worth opening the source anew.

    The picture of a real camera always differs by its noise. A stream of a still scene may not, so that
    each picture leads to one attempt at most. allowed_s: how long a picture may stay.
    """

    def __init__(self, allowed_s: float) -> None:
        self._allowed_s = allowed_s
        self._before: NDArray[np.uint8] | None = None
        self._since_s = 0.0
        self._tried: int | None = None

    def is_suspicious(self, picture: NDArray[np.uint8], now_s: float) -> bool:
        """Takes the next picture; True once for a picture that has stayed too long. Keeps `picture`."""
        before, self._before = self._before, picture
        if before is None or not _same(before, picture):
            self._since_s = now_s
            return False
        if now_s - self._since_s <= self._allowed_s:
            return False
        self._since_s = now_s  # look again after the same time, not at every frame
        fingerprint = zlib.crc32(np.ascontiguousarray(picture).data)
        if fingerprint == self._tried:
            return False
        self._tried = fingerprint
        return True


def _same(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> bool:
    if a.shape != b.shape:
        return False
    return np.array_equal(a[::GRID_PX, ::GRID_PX], b[::GRID_PX, ::GRID_PX]) and np.array_equal(a, b)
