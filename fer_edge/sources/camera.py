"""Cameras: by number or device path through OpenCV, the Raspberry Pi's through picamera2."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.sources import v4l2
from fer_edge.sources.video import plausible_fps
from fer_edge.vision.frames import Frame
from fer_edge.vision.opencv import cv2

PI_CAMERA = "pi"
PI_SIZE, PI_FPS = (640, 480), 30.0


def _cameras_here() -> str:
    return f"cameras here: {', '.join(map(str, v4l2.cameras())) or 'none'}"


def _why_closed(path: Path) -> str:
    """Why a device that is there cannot be opened."""
    device = v4l2.described(path)
    if device.gives_pictures is False:
        return f"is no camera: {path} gives no pictures ({_cameras_here()})"
    if not device.may_be_used():
        return f"cannot be opened: you lack the right to ({v4l2.HOW_TO_GET_THE_RIGHT})"
    return "cannot be opened: another program uses it, or it is a Raspberry Pi camera module: --camera pi"


class Camera:
    """A USB or built-in camera. index: its number or its path."""

    is_live = True
    is_still = False
    unreadable = 0
    ended = False

    def __init__(self, index: int | str) -> None:
        self.name = f"camera {index}"
        self.fps: float | None = None
        self._index = index
        self._video: cv2.VideoCapture | None = None

    def open(self) -> None:
        """Raises SourceError, with the cameras that are there, if it is absent or taken."""
        linux = sys.platform.startswith("linux")
        device = Path(f"/dev/video{self._index}" if isinstance(self._index, int) else self._index)
        if linux and not device.exists():
            raise SourceError(f"{self.name} is not there ({device} is missing; {_cameras_here()})")
        video = cv2.VideoCapture(self._index, cv2.CAP_V4L2 if linux else cv2.CAP_ANY)
        if not video.isOpened():
            raise SourceError(
                f"{self.name} {_why_closed(device) if linux else 'cannot be opened: is it there?'}"
            )
        # A queue inside the driver would hand out old frames.
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._video = video
        self.fps = plausible_fps(video.get(cv2.CAP_PROP_FPS))

    def read(self) -> Frame | None:
        """The next frame, or None if the driver gave none."""
        assert self._video is not None, "open() comes first"
        ok, picture = self._video.read()
        return Frame(cast(NDArray[np.uint8], picture), 0.0, self.name) if ok else None

    def close(self) -> None:
        """Frees the device."""
        if self._video is not None:
            self._video.release()
            self._video = None


class PiCamera:
    """The Raspberry Pi camera module, through picamera2 (from Raspberry Pi OS, not from pip)."""

    is_live = True
    is_still = False
    unreadable = 0
    ended = False

    def __init__(self) -> None:
        self.name = "camera pi"
        self.fps: float | None = PI_FPS
        self._camera: Any = None

    def open(self) -> None:
        """Raises SourceError where picamera2 or the camera is missing."""
        try:
            from picamera2 import Picamera2  # type: ignore[import-not-found]
        except ImportError as error:
            raise SourceError(
                "--camera pi needs picamera2: sudo apt install python3-picamera2, and an environment made "
                "with python3 -m venv --system-site-packages"
            ) from error
        try:
            camera = Picamera2()
            # RGB888 of libcamera is B, G, R in memory, as OpenCV has it.
            camera.configure(camera.create_video_configuration({"size": PI_SIZE, "format": "RGB888"}))
            camera.start()
        except (RuntimeError, IndexError, OSError) as error:
            raise SourceError(
                f"camera pi cannot be started: {error} (rpicam-hello --list-cameras)"
            ) from error
        self._camera = camera

    def read(self) -> Frame | None:
        """The next frame."""
        return Frame(self._camera.capture_array("main"), 0.0, self.name)

    def close(self) -> None:
        """Frees the camera."""
        if self._camera is not None:
            self._camera.close()
            self._camera = None
