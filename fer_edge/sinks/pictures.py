"""Annotated pictures: of a picture source, and one snapshot of a run."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import UsageError
from fer_edge.vision.frames import FrameResult
from fer_edge.vision.opencv import cv2

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


def write_picture(path: Path, picture: NDArray[np.uint8]) -> None:
    """Writes any path (OpenCV's own writer fails on some); whole or not at all. Raises OutputError."""
    files.write_bytes(path, cv2.imencode(path.suffix.lower(), picture)[1].tobytes())


class SavedPicture:
    """The annotated picture of a source that is one picture."""

    wants_picture = True

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Raises OutputError."""
        assert annotated is not None, "wants_picture is set"
        write_picture(self._path, annotated)

    def close(self) -> None:
        """Nothing is held."""


class SavedFolder:
    """The annotated pictures of a folder, in another folder, under their own names as PNG."""

    wants_picture = True

    def __init__(self, folder: Path, force: bool) -> None:
        self._folder = folder
        self._force = force

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Raises OutputError."""
        assert annotated is not None, "wants_picture is set"
        path = self._folder / (Path(result.frame.source).name + ".png")
        files.refuse_to_overwrite(path, self._force)
        write_picture(path, annotated)

    def close(self) -> None:
        """Nothing is held."""


class Snapshot:
    """One annotated picture of a run: the frame whose face was named with the highest confidence.

    every_s: a better one is on disk after so long, so that a long run that is killed leaves it.
    """

    wants_picture = True

    def __init__(self, path: Path, every_s: float = 10.0) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--snapshot {path}: a picture is saved as one of {' '.join(SUFFIXES)}")
        self._path = path
        self._every_s = every_s
        self._best = -1.0
        self._picture: NDArray[np.uint8] | None = None
        self._is_written = True
        self._next_s = time.monotonic() + every_s

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Keeps the picture if it is the best so far; without any face, the first. Raises OutputError."""
        assert annotated is not None, "wants_picture is set"
        confidence = max((face.confidence for face in result.faces), default=-0.5)
        if confidence > self._best:
            self._best = confidence
            self._picture = annotated.copy()
            self._is_written = False
        if not self._is_written and time.monotonic() >= self._next_s:
            self.close()

    def close(self) -> None:
        """Writes what is not written yet. Raises OutputError."""
        if not self._is_written and self._picture is not None:
            write_picture(self._path, self._picture)
            self._is_written = True
            self._next_s = time.monotonic() + self._every_s
