"""Motion JPEG on standard input: `rpicam-vid --codec mjpeg -o - | fer-edge run -`."""

from __future__ import annotations

import sys
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.vision.frames import Frame
from fer_edge.vision.opencv import cv2

START, END = b"\xff\xd8", b"\xff\xd9"
CHUNK = 1 << 16
LONGEST = 1 << 25  # bytes without the end of a picture: this is no MJPEG


class MjpegPipe:
    """JPEGs one after the other in a stream of bytes; treated as live, so only the newest counts."""

    is_live = True
    is_still = False
    fps: float | None = None
    unreadable = 0

    def __init__(self, stream: BinaryIO | None = None) -> None:
        self.name = "standard input"
        self.ended = False
        self._stream = stream or sys.stdin.buffer
        self._bytes = bytearray()

    def open(self) -> None:
        """Raises SourceError if standard input is a terminal."""
        if self._stream.isatty():
            raise SourceError(
                "'-' reads motion JPEG from a pipe: rpicam-vid --codec mjpeg -o - | fer-edge run -"
            )

    def read(self) -> Frame | None:
        """The next picture that decodes; None and `ended` when the pipe closes."""
        while True:
            jpeg = self._next_jpeg()
            if jpeg is None:
                self.ended = True
                return None
            picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_COLOR)
            if picture is not None:
                return Frame(cast(NDArray[np.uint8], picture), 0.0, self.name)
            self.unreadable += 1

    def _next_jpeg(self) -> bytes | None:
        searched = 0
        while True:
            start = self._bytes.find(START)
            end = self._bytes.find(END, max(start, searched)) if start >= 0 else -1
            if end >= 0:
                jpeg = bytes(self._bytes[start : end + 2])
                del self._bytes[: end + 2]
                return jpeg
            searched = max(len(self._bytes) - 1, 0)
            if len(self._bytes) > LONGEST:
                raise SourceError("standard input is not motion JPEG")
            read = getattr(self._stream, "read1", self._stream.read)
            chunk = read(CHUNK)
            if not chunk:
                return None
            self._bytes += chunk

    def close(self) -> None:
        """Standard input is not ours to close."""
