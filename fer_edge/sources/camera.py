"""Cameras: by number or device path through OpenCV, the Raspberry Pi's through picamera2."""

import errno
import fcntl
import os
import struct
import sys
from pathlib import Path
from typing import Any, NamedTuple

from fer_edge.errors import SourceError
from fer_edge.sources import Capture, plausible_fps
from fer_edge.vision.frames import Frame

PI_SIZE, PI_FPS = (640, 480), 30.0
QUERYCAP = 0x80685600  # VIDIOC_QUERYCAP: _IOR('V', 0, struct v4l2_capability)
CAPABILITY = struct.Struct("=16s32s32sIII12x")  # driver, card, bus, version, of all nodes, of this one
CAPTURES = 0x00000001 | 0x00001000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE
OF_THIS_NODE = 0x80000000  # V4L2_CAP_DEVICE_CAPS
HOW_TO_GET_THE_RIGHT = "sudo usermod -aG video $USER, then log in again"
MAY_NOT_ASK = (errno.EACCES, errno.EPERM, errno.EBUSY)


class Device(NamedTuple):
    """A video device. card: its name, empty if it cannot be queried."""

    path: Path
    card: str = ""

    def __str__(self) -> str:
        return f"{self.path} ({self.card})" if self.card else str(self.path)


def cameras(folder: Path = Path("/dev")) -> list[Device]:
    """The numbered devices that deliver pictures, or may, on Linux: a camera has others, too, and so have
    decoders. Empty on other systems."""
    found = []
    for path in sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name)):
        try:
            with open(os.open(path, os.O_RDWR | os.O_NONBLOCK), "r+b", buffering=0) as device:
                capability = fcntl.ioctl(device, QUERYCAP, bytes(CAPABILITY.size))
        except OSError as error:
            if error.errno in MAY_NOT_ASK:
                found.append(Device(path))
            continue
        _, card, _, _, of_all, of_this = CAPABILITY.unpack(capability)
        if (of_this if of_all & OF_THIS_NODE else of_all) & CAPTURES:
            found.append(Device(path, card.split(b"\0")[0].decode("utf-8", "replace")))
    return found


class Camera(Capture):
    """A USB or built-in camera. index: its number or its path."""

    is_live = True

    def __init__(self, index: int | str) -> None:
        super().__init__(f"camera {index}")
        self._index = index

    def open(self) -> None:
        """Raises SourceError, listing the existing cameras, if it is missing or in use."""
        from fer_edge.vision.opencv import cv2  # `doctor` lists cameras without it

        video = cv2.VideoCapture(self._index, cv2.CAP_V4L2 if sys.platform == "linux" else cv2.CAP_ANY)
        if not video.isOpened():
            path = Path(f"/dev/video{self._index}" if isinstance(self._index, int) else self._index)
            why = f"is not there ({path} is missing)"
            if path.exists():
                why = (
                    "cannot be opened: it delivers no pictures, another program uses it, you lack permission "
                    f"({HOW_TO_GET_THE_RIGHT}), or it is a Raspberry Pi camera module: --camera pi"
                )
            raise SourceError(f"{self.name} {why}; cameras here: {', '.join(map(str, cameras())) or 'none'}")
        # A queue in the driver would return old frames.
        video.set(cv2.CAP_PROP_BUFFERSIZE, 1)
        self._video: Any = video
        self._to_free.callback(video.release)
        self.fps = plausible_fps(video.get(cv2.CAP_PROP_FPS))

    def read(self) -> Frame | None:
        ok, picture = self._video.read()
        return Frame(picture, 0.0, self.name) if ok else None


class PiCamera(Capture):
    """The Raspberry Pi camera module, through picamera2 (from Raspberry Pi OS, not from pip)."""

    is_live = True
    fps = PI_FPS

    def __init__(self) -> None:
        super().__init__("camera pi")

    def open(self) -> None:
        """Raises SourceError where picamera2 or the camera is missing."""
        try:
            from picamera2 import Picamera2  # type: ignore[import-not-found]

            self._camera: Any = Picamera2()
            self._to_free.callback(self._camera.close)
            # RGB888 of libcamera is B, G, R in memory, as OpenCV has it.
            wanted = {"size": PI_SIZE, "format": "RGB888"}
            self._camera.configure(self._camera.create_video_configuration(wanted))
            self._camera.start()
        except ImportError as error:
            raise SourceError(
                "--camera pi needs picamera2: sudo apt install python3-picamera2, and an environment made "
                "with python3 -m venv --system-site-packages"
            ) from error
        except (RuntimeError, IndexError, OSError) as error:
            raise SourceError(f"{self.name} cannot be started: {error} (try rpicam-hello)") from error

    def read(self) -> Frame | None:
        return Frame(self._camera.capture_array("main"), 0.0, self.name)
