"""Where frames come from: the interface of every source, and from what the user named to the source it is.

The loop and its tests need no OpenCV to name the interface: what does need it is imported when opened.
"""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Protocol

from fer_edge.errors import SourceError, UsageError
from fer_edge.vision.frames import Frame

PI_CAMERA = "pi"


class Capture(Protocol):
    """One source of frames.

    name: what messages call it. is_live: frames are lost if not taken in time (camera, stream), and
    only the newest counts; otherwise every frame counts and waits. is_still: each frame is a picture
    of its own. fps: frames a second, None where unknown; 0 is never given. unreadable: pictures skipped.
    ended: no more frames will come.
    """

    name: str
    is_live: bool
    is_still: bool
    fps: float | None
    unreadable: int
    ended: bool

    def open(self) -> None:
        """Raises SourceError, one line, within a bounded time."""

    def read(self) -> Frame | None:
        """The next frame. None: a file's end, or a live source that gave nothing this time.

        The picture of a source that is not live is valid until the next call; it may be drawn on.
        """

    def close(self) -> None:
        """Frees the device or file; may be called twice and before `open`."""


def plausible_fps(fps: float) -> float | None:
    """None for what containers and drivers say when they do not know."""
    return fps if 0.1 <= fps <= 1000 else None


def make_capture(source: str | None, camera: str | None = None, num_threads: int = 1) -> Capture:
    """The capture, not yet opened; without either, camera 0.

    source: a camera's number or /dev path, a URL, `-`, a picture, a video or a folder. camera: a number,
    a path or `pi`. Raises UsageError for both at once, SourceError for a path that does not exist.
    """
    from fer_edge.pictures import is_picture
    from fer_edge.sources.pictures import Pictures
    from fer_edge.sources.video import MjpegPipe, Stream, VideoFile

    if source is not None and camera is not None:
        raise UsageError("give a SOURCE or --camera, not both")
    if source is None or source.isdecimal() or source.startswith("/dev/video"):
        return _camera(source or camera or "0")
    if source == "-":
        return MjpegPipe()
    if "://" in source and not source.startswith("file://"):
        return Stream(source)
    path = Path(source.removeprefix("file://"))
    if path.is_dir():
        return Pictures.in_folder(path)
    if not path.exists():
        raise SourceError(f"there is no {path}")
    if path.is_file() and is_picture(path):
        return Pictures(str(path), [path])
    return VideoFile(path, num_threads)


def _camera(name: str) -> Capture:
    from fer_edge.sources.camera import Camera, PiCamera

    if name == PI_CAMERA:
        return PiCamera()
    if name.isdecimal():
        return Camera(int(name))
    if name.startswith("/dev/"):
        return Camera(name)
    raise UsageError(f"no camera '{name}': give a number, a path such as /dev/video0, or '{PI_CAMERA}'")


def open_unless(stop: threading.Event, capture: Capture) -> bool:
    """Opens the capture; False if `stop` was set before that was done. Raises what `open` raises.

    A live one is opened in a thread: while a camera or server keeps the main one waiting, Python hears no
    signals.
    """
    if not capture.is_live:
        capture.open()
        return True
    failures: list[Exception] = []

    def opening() -> None:
        try:
            capture.open()
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=opening, daemon=True)
    thread.start()
    while thread.is_alive():
        if stop.is_set():
            return False
        thread.join(0.05)
    if failures:
        raise failures[0]
    return True
