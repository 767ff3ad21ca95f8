"""From what the user named to the source that it is."""

from __future__ import annotations

import threading
from pathlib import Path

from fer_edge.errors import SourceError, UsageError
from fer_edge.sources.camera import PI_CAMERA, Camera, PiCamera
from fer_edge.sources.capture import Capture
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.pictures import SUFFIXES, Pictures, picture_paths
from fer_edge.sources.video import Stream, VideoFile


def make_capture(source: str | None, camera: str | None = None, num_threads: int = 1) -> Capture:
    """The capture, not yet opened; without either, camera 0.

    source: a camera's number or /dev path, a URL, `-`, a picture, a video or a folder. camera: a number,
    a path or `pi`. Raises UsageError for both at once, SourceError for a path that does not exist.
    """
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
        return Pictures(str(path), picture_paths(path))
    if not path.exists():
        raise SourceError(f"there is no {path}")
    if path.suffix.lower() in SUFFIXES:
        return Pictures(str(path), [path])
    return VideoFile(path, num_threads)


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


def _camera(name: str) -> Capture:
    if name == PI_CAMERA:
        return PiCamera()
    if name.isdecimal():
        return Camera(int(name))
    if name.startswith("/dev/"):
        return Camera(name)
    raise UsageError(f"no camera '{name}': give a number, a path such as /dev/video0, or '{PI_CAMERA}'")
