"""Where frames come from: the interface of every source, and the choice of one, which may import OpenCV."""

import contextlib
import os
import re
import stat
import threading
from pathlib import Path

from fer_edge.errors import SourceError, UsageError
from fer_edge.vision.frames import Frame


class Capture:
    """One source of frames.

    name: for messages. is_live: frames are lost if not read in time (camera, stream), and only the
    newest counts; otherwise every frame counts and waits. is_still: each frame is a separate picture;
    is_folder: of several. fps: frames per second, None if unknown, never 0. length_s: of a file, if
    known. unreadable: pictures skipped. ended: a live source has no more frames. reopens: whether a live
    source that falls silent is opened again; a pipe may pause, and two readers would share what comes.
    """

    is_live: bool = False
    is_still: bool = False
    is_folder: bool = False
    fps: float | None = None
    length_s: float | None = None
    unreadable: int = 0
    ended: bool = False
    reopens: bool = True

    def __init__(self, name: str) -> None:
        self.name = name
        self._to_free = contextlib.ExitStack()  # filled by `open`

    def open(self) -> None:
        """Raises SourceError, one line, within a limited time."""

    def read(self) -> Frame | None:
        """The next frame. None: the end of a file, or nothing new from a live source.

        Unless the source is live, the picture is valid until the call after the next; it may be drawn on.
        """
        raise NotImplementedError

    def close(self) -> None:
        """Frees the device or file; may be called twice and before `open`."""
        self._to_free.close()


def plausible_fps(fps: float) -> float | None:
    """None for values that mean unknown in containers and drivers; a browser's WebM says 1000."""
    return fps if 0.1 <= fps <= 480 else None


def without_password(url: str) -> str:
    """The URL for messages, with its secrets replaced by three asterisks."""
    url = re.sub(r"(?<=://)([^/?#:]*):(?:[^/?#]*|(?!\d*/).*)(?=@)", r"\1:***", url)
    return re.sub(r"(?i)((?:pass|pwd|token|key|secret|auth)[^=&#/?]*=)[^&#]*", r"\1***", url)


def make_capture(source: str | None, camera: str | None = None, num_threads: int = 1) -> Capture:
    """The capture, not yet opened; without either, camera 0.

    source: a path, a URL, `-` for standard input, or a camera's number. A path is judged by its content: a
    character device is a camera, a pipe is a stream, a file in a picture format is a picture, whatever its
    extension. A name that exists is a path, even if it looks like a number. camera: a number, a path or `pi`.

    Raises UsageError for both at once, SourceError for a path that does not exist.
    """
    if source is not None and camera is not None:
        raise UsageError("give a SOURCE or --camera, not both")
    if source is None:
        return _camera(camera or "0")
    if not source:
        raise UsageError("SOURCE is empty: give a file, a folder, a URL or '-'")
    if "://" in source:
        from fer_edge.sources.video import Stream

        return Stream(source)
    path = Path(source)
    try:
        mode = stat.S_IFIFO if source == "-" else path.stat().st_mode
    except OSError as error:
        if not source.isdecimal() and not source.startswith("/dev/video"):
            what = "there is no" if isinstance(error, FileNotFoundError) else f"{error.strerror}:"
            raise SourceError(f"{what} {path}") from error
        mode = stat.S_IFCHR
    if stat.S_ISCHR(mode):
        return _camera(source)
    if stat.S_ISFIFO(mode):
        from fer_edge.sources.mjpeg import MjpegPipe

        return MjpegPipe(0) if source == "-" else MjpegPipe(path, source)
    from fer_edge.pictures import is_picture

    if stat.S_ISDIR(mode) or is_picture(path):
        from fer_edge.sources.pictures import Pictures

        return Pictures(path)
    from fer_edge.sources.video import VideoFile

    return VideoFile(path, num_threads)


def _camera(name: str) -> Capture:
    from fer_edge.sources.camera import Camera, PiCamera

    if name == "pi":
        return PiCamera()
    if name.isdecimal():
        return Camera(int(name))
    if name.startswith("/dev/") or Path(name).is_char_device():
        return Camera(os.path.abspath(name))
    raise UsageError(f"no camera '{name}': give a number, a path such as /dev/video0, or 'pi'")


def open_unless(stop: threading.Event, capture: Capture) -> bool:
    """Opens the capture; False if `stop` was set first. Raises what `open` raises.

    A live one is opened in a thread, because Python handles no signals while a camera or server keeps the
    main thread waiting.
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
    while thread.is_alive() and not stop.is_set():
        thread.join(0.05)
    if failures:
        raise failures[0]
    return not thread.is_alive()
