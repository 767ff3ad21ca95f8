"""Video files, and streams by URL, through OpenCV's FFmpeg."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.errors import SourceError
from fer_edge.sources import plausible_fps
from fer_edge.vision.frames import Frame
from fer_edge.vision.opencv import cv2

TIMEOUT_MS = 5000  # of a stream's connection and of each read
LIVE_SCHEMES = ("rtsp", "rtsps", "rtmp", "rtp", "udp", "tcp", "srt")


class VideoFile:
    """Every frame of a file, upright (OpenCV turns it by its rotation tag), with the file's own times."""

    is_live = False
    is_still = False
    unreadable = 0

    def __init__(self, path: Path, num_threads: int = 1) -> None:
        self.name = str(path)
        self.fps: float | None = None
        self.ended = False
        self._path = path
        self._num_threads = num_threads
        self._video: cv2.VideoCapture | None = None
        self._buffer: cv2.typing.MatLike | None = None
        self._count = 0
        self._read = 0

    def open(self) -> None:
        """Raises SourceError for a file that is absent, empty or no video."""
        try:
            size = self._path.stat().st_size
        except OSError as error:
            raise SourceError(f"cannot read {self.name}: {error.strerror}") from error
        if size == 0:
            raise SourceError(f"{self.name} is empty")
        options = [cv2.CAP_PROP_N_THREADS, self._num_threads]
        video = cv2.VideoCapture(self.name, cv2.CAP_FFMPEG, options)
        if not video.isOpened():
            video = cv2.VideoCapture(self.name)  # a build without FFmpeg
        if not video.isOpened():
            raise SourceError(f"{self.name} cannot be opened as a video: damaged, cut short or no video")
        self._video = video
        self.fps = plausible_fps(video.get(cv2.CAP_PROP_FPS))
        self._count = int(video.get(cv2.CAP_PROP_FRAME_COUNT))

    def read(self) -> Frame | None:
        """None at the end; says so if the file promised more. Raises SourceError if not even one came."""
        assert self._video is not None, "open() comes first"
        ok, picture = self._video.read(self._buffer)
        if ok:
            self._buffer = picture  # filled again by the next read
            time_s = self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000
            if self._read and time_s <= 0 and self.fps:  # a container without times
                time_s = self._read / self.fps
            self._read += 1
            return Frame(cast(NDArray[np.uint8], picture), time_s, self.name)
        self.ended = True
        if self._read == 0:
            raise SourceError(f"{self.name} has no frame that can be decoded")
        if self._read < self._count * 0.9:  # containers' counts are estimates
            console.warn(
                f"{self.name} ended after {self._read} of {self._count} frames: it is damaged or cut"
            )
        return None

    def close(self) -> None:
        """Frees the file."""
        if self._video is not None:
            self._video.release()
            self._video = None


class Stream:
    """A URL: RTSP and its like are live; HTTP is, unless the server tells of an end."""

    is_still = False
    unreadable = 0

    def __init__(self, url: str) -> None:
        self.name = url
        self.fps: float | None = None
        self.ended = False
        self.is_live = True
        self._url = url
        self._video: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Raises SourceError if there is no answer within five seconds."""
        timeouts = [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, TIMEOUT_MS, cv2.CAP_PROP_READ_TIMEOUT_MSEC, TIMEOUT_MS]
        video = cv2.VideoCapture(self._url, cv2.CAP_FFMPEG, timeouts)
        if not video.isOpened():
            raise SourceError(f"no stream at {self._url}: is the address right and the server reachable?")
        self._video = video
        self.fps = plausible_fps(video.get(cv2.CAP_PROP_FPS))
        live_scheme = self._url.split("://")[0].lower() in LIVE_SCHEMES
        self.is_live = live_scheme or video.get(cv2.CAP_PROP_FRAME_COUNT) <= 0

    def read(self) -> Frame | None:
        """The next frame, or None: the stream broke off or, where it is not live, ended."""
        assert self._video is not None, "open() comes first"
        ok, picture = self._video.read()
        if not ok:
            self.ended = not self.is_live
            return None
        time_s = 0.0 if self.is_live else self._video.get(cv2.CAP_PROP_POS_MSEC) / 1000
        return Frame(cast(NDArray[np.uint8], picture), time_s, self.name)

    def close(self) -> None:
        """Hangs up."""
        if self._video is not None:
            self._video.release()
            self._video = None


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
