"""Pictures, alone or in a folder: upright, in colour, 8 bits, whatever the file holds."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.errors import SourceError
from fer_edge.vision.frames import Frame
from fer_edge.vision.opencv import cv2

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".dib", ".webp", ".tif", ".tiff", ".jp2"}
    | {".pgm", ".ppm", ".pbm", ".pnm", ".avif"}
)

JPEG_START, JPEG_END = b"\xff\xd8", np.array([0xFF, 0xD9], np.uint8)


@contextlib.contextmanager
def captured_stderr() -> Iterator[list[str]]:
    """Lines that C libraries write to file descriptor 2 in the block; filled when it ends.

    libjpeg and libpng report damage there and nowhere else. Process-wide: not for threads.
    """
    lines: list[str] = []
    try:
        sys.stderr.flush()
        saved = os.dup(2)
    except (OSError, AttributeError, ValueError):
        yield lines  # standard error is closed: nothing to capture
        return
    import tempfile  # for pictures alone

    with tempfile.TemporaryFile() as file:
        os.dup2(file.fileno(), 2)
        try:
            yield lines
        finally:
            os.dup2(saved, 2)
            os.close(saved)
        file.seek(0)
        lines += file.read().decode(errors="replace").split("\n")[:-1]


def read_picture(path: Path) -> tuple[NDArray[np.uint8], str | None]:
    """uint8 (H, W, 3) BGR, turned upright by its EXIF tag, and a warning if the file is damaged.

    Reads any path and gray, alpha, CMYK and 16-bit files (IMREAD_COLOR honours EXIF; IMREAD_UNCHANGED
    does not). Raises SourceError.
    """
    try:
        data = np.fromfile(path, np.uint8)
    except OSError as error:
        raise SourceError(f"cannot read {path}: {error.strerror}") from error
    if data.size == 0:
        raise SourceError(f"{path} is empty")
    try:
        with captured_stderr() as complaints:
            picture = cv2.imdecode(data, cv2.IMREAD_COLOR)
            if picture is None and data[:2].tobytes() == JPEG_START:
                picture = cv2.imdecode(np.append(data, JPEG_END), cv2.IMREAD_COLOR)  # cut short
    except cv2.error as error:
        raise SourceError(f"{path} cannot be decoded: {error.err}") from error
    if picture is None:
        kinds = "JPEG, PNG, WebP, TIFF or BMP"
        raise SourceError(f"{path} is not a picture that can be read: expected {kinds}")
    if not complaints:
        return cast(NDArray[np.uint8], picture), None
    cut = any("premature end" in line.lower() for line in complaints)
    what = "cut short, its missing part is gray" if cut else complaints[0]
    return cast(NDArray[np.uint8], picture), f"{path} is damaged ({what}); using what could be read"


def picture_paths(folder: Path) -> list[Path]:
    """The pictures right in the folder, by name. Raises SourceError if there are none."""
    try:
        found = sorted(p for p in folder.iterdir() if p.suffix.lower() in SUFFIXES and p.is_file())
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error
    if not found:
        raise SourceError(f"no pictures in the folder {folder} (looked for {' '.join(sorted(SUFFIXES))})")
    return found


class Pictures:
    """Pictures one after the other; an unreadable one is named, counted and passed over."""

    is_live = False
    is_still = True
    fps: float | None = None

    def __init__(self, name: str, paths: Sequence[Path], *, is_folder: bool = False) -> None:
        self.name = name
        self.is_folder = is_folder
        self.unreadable = 0
        self.ended = False
        self._paths = list(paths)
        self._next = 0

    def open(self) -> None:
        """Nothing to open: each picture is opened when its turn comes."""

    def read(self) -> Frame | None:
        """The next picture that can be read. Raises SourceError if none of all could be."""
        while self._next < len(self._paths):
            path = self._paths[self._next]
            self._next += 1
            try:
                picture, warning = read_picture(path)
            except SourceError as error:
                if len(self._paths) == 1:
                    raise
                self.unreadable += 1
                console.warn(f"{error}; skipped")
                continue
            if warning:
                console.warn(warning)
            return Frame(picture, 0.0, str(path))
        self.ended = True
        if self.unreadable == len(self._paths):
            raise SourceError(f"none of the {len(self._paths)} pictures in {self.name} could be read")
        return None

    def close(self) -> None:
        """Nothing is held."""
