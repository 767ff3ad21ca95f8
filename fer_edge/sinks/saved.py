"""Annotated pictures, and the annotated video: at its true speed, and playable whenever it ends."""

import contextlib
import os
from pathlib import Path

from fer_edge import console, files
from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks import PictureSink, Sink, saved_as
from fer_edge.sources import Capture
from fer_edge.sources.video import opencv_name
from fer_edge.vision.frames import Frame, FrameResult, Picture, clip_box, square_box
from fer_edge.vision.opencv import cv2

CODECS = {".mp4": "mp4v", ".m4v": "mp4v", ".mov": "mp4v", ".mkv": "mp4v", ".avi": "MJPG"}
DEFAULT_FPS = 30.0
LARGEST_TIME_BASE = 65_535  # of MPEG-4: whole frames a second times the power of ten that makes them whole
LONGEST_GAP_S = 60.0  # that copies of a frame fill
RESERVE_BYTES = 2_000_000  # kept free to close the file: its index is written last
MOST_PEOPLE = 1000  # that a run makes snapshots of
BETTER = 1.02  # times as good as the last snapshot is what replaces it: a score creeps up over many frames
AROUND = 0.5  # of a face's side: what a snapshot keeps on each side of it
SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")


class SavedVideo(PictureSink):
    """path: ends in one of CODECS. fps: what the source says, or None.

    The video keeps to the frames' own times, whatever the source says: a late frame is written more than
    once, an early one not at all. At the rate that it says, every frame is written once.

    Written aside and moved into place by `close`. Stops while the disk has room to close the file.
    """

    def __init__(self, path: Path, fps: float | None, force: bool = True) -> None:
        self._path = path
        self._fps, digits = fps or DEFAULT_FPS, 3
        while self._fps * 10**digits > LARGEST_TIME_BASE:
            digits -= 1
            self._fps = round(self._fps, digits)
        self._writer: cv2.VideoWriter | None = None
        self._size = (0, 0)
        self._start_s = 0.0
        self._written = 0
        self._stopped: str | None = None
        self._stack = contextlib.ExitStack()
        self._aside = self._stack.enter_context(files.written_aside(path, force))

    def show(self, frame: Frame, annotated: Picture) -> None:
        """Raises OutputError if the video cannot be begun; warns, once, when the disk is nearly full."""
        if self._stopped:
            return
        if self._writer is None:
            self._writer = self._begun(annotated)
            self._start_s = frame.time_s
        if annotated.shape[1::-1] != self._size:
            annotated = cv2.resize(annotated, self._size)  # type: ignore[assignment]
        due = (frame.time_s - self._start_s) * self._fps + 1 - self._written  # frames by the end of this one
        gap = min(due, LONGEST_GAP_S * self._fps)
        self._start_s += (due - gap) / self._fps  # a clock that jumped
        for _ in range(1 if 0.01 < gap < 2 - 0.01 else max(round(gap), 0)):
            disk = os.statvfs(self._aside.parent)
            if disk.f_bavail * disk.f_frsize <= RESERVE_BYTES + 100 * self._written:
                self._stopped = f"the disk is full: {self._path} ends after {self._written} frames"
                console.warn(f"{self._stopped}; the run continues without it")
                self._finish()  # now: a log beside it may fill what is kept free for that
                return
            self._writer.write(annotated)
            self._written += 1

    def close(self) -> None:
        """Raises OutputError if nothing playable came out or the disk stopped it."""
        self._finish()
        failed = OutputError(self._stopped or "nothing was written")
        with contextlib.suppress(OutputError):  # unless it was moved into place, it is removed
            self._stack.__exit__(OutputError, failed, None)
        if self._stopped:
            raise failed

    def _finish(self) -> None:
        """Closes the file, if any, and moves it into place if it is playable."""
        if self._writer is None:
            return
        self._writer.release()
        self._writer = None
        with opencv_name(self._aside) as name:
            video = cv2.VideoCapture(name)
        is_playable = video.isOpened() and video.read()[0]
        video.release()
        if is_playable:
            self._stack.close()
        else:
            self._stopped = f"{self._path} could not be closed as a playable video: is the disk full?"

    def _begun(self, picture: Picture) -> cv2.VideoWriter:
        self._size = (picture.shape[1], picture.shape[0])
        codec = cv2.VideoWriter.fourcc(*CODECS[self._path.suffix.lower()])
        with opencv_name(self._aside) as name:
            writer = cv2.VideoWriter(name, codec, self._fps, self._size)
        if not writer.isOpened():
            width, height = self._size
            why = f"this OpenCV cannot encode {width}x{height} pixels so; try another ending"
            self._stopped = f"cannot write {self._path}: {why}"
            raise OutputError(self._stopped)
        return writer


def write_picture(path: Path, picture: Picture, force: bool) -> None:
    """Writes to any path (OpenCV's writer fails on some), completely or not at all. Raises OutputError."""
    files.refuse_to_overwrite(path, force)
    fits, data = cv2.imencode(path.suffix.lower(), picture)
    if not fits:
        height, width = picture.shape[:2]
        raise OutputError(f"cannot write {path}: no {width}x{height} pixels in this format; try .png")
    files.write_bytes(path, data.tobytes(), force)


class SavedPictures(PictureSink):
    """Annotated pictures: a single one, or those of a folder, as PNG under their own names."""

    def __init__(self, path: Path, force: bool, *, is_folder: bool = False) -> None:
        self._path, self._force, self._is_folder = path, force, is_folder

    def show(self, frame: Frame, annotated: Picture) -> None:
        path = saved_as(self._path, frame.source) if self._is_folder else self._path
        write_picture(path, annotated, self._force)


class Snapshots(Sink):
    """The best picture of each person, with some surroundings of the face and nothing drawn on it.

    If path is `best.png`, track 1 is saved as `best-1.png`; faces that never got a label are not saved.
    still: tracks are separate for each picture, and the picture's name precedes them. Raises UsageError if
    path is not a picture's name.
    """

    def __init__(self, path: Path, force: bool, *, still: bool = False) -> None:
        if path.suffix.lower() not in SUFFIXES:
            raise UsageError(f"--snapshot {path}: a picture must end in one of {' '.join(SUFFIXES)}")
        self._path, self._force, self._still = path, force, still
        self._best: dict[str, float] = {}

    def write(self, result: FrameResult) -> None:
        """Writes each face that is the best of its person so far. Raises OutputError."""
        frame = result.frame
        for face in result.faces:
            person = f"{Path(frame.source).name}-{face.track}" if self._still else f"{face.track}"
            score, best = face.quality * face.confidence, self._best.get(person)
            full = best is None and len(self._best) >= MOST_PEOPLE
            if face.label is None or score <= BETTER * (best or 0.0) or full:
                continue
            height, width = frame.bgr.shape[:2]
            x, y, w, h = clip_box(square_box(face.box_xywh, AROUND), width, height)
            path = self._path.with_stem(f"{self._path.stem}-{person}")
            # Its own earlier one is replaced; somebody else's file only with --force.
            write_picture(path, frame.bgr[y : y + h, x : x + w], self._force or best is not None)
            self._best[person] = score


def saved(capture: Capture, path: Path, force: bool) -> PictureSink:
    """For `--save`: a picture for a picture, a folder for a folder, otherwise a video.

    Raises UsageError if the extension does not fit.
    """
    suffix = path.suffix.lower()
    if capture.is_folder:
        if suffix and not path.is_dir():
            raise UsageError(f"--save {path}: for a folder of pictures, give a folder")
        return SavedPictures(path, force, is_folder=True)
    files.refuse_to_overwrite(path, force)  # now: a video is moved into place at its end
    what, endings = ("picture", SUFFIXES) if capture.is_still else ("video", tuple(CODECS))
    if suffix not in endings:
        raise UsageError(f"--save {path}: a {what} must end in one of {' '.join(endings)}")
    if capture.is_still:
        return SavedPictures(path, force)
    return SavedVideo(path, capture.fps, force)
