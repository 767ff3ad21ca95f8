"""What a Linux machine's video devices are: a camera shows as several, and decoders as others yet."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

QUERYCAP = 0x80685600  # VIDIOC_QUERYCAP: _IOR('V', 0, struct v4l2_capability)
CAPABILITY = struct.Struct("=16s32s32sIII12x")  # driver, card, bus, version, of all nodes, of this one
CAPTURES = 0x00000001 | 0x00001000  # V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE
OF_THIS_NODE = 0x80000000  # V4L2_CAP_DEVICE_CAPS
HOW_TO_GET_THE_RIGHT = "sudo usermod -aG video $USER, then log in again"
MAY_NOT_ASK = (errno.EACCES, errno.EPERM, errno.EBUSY)


class Device(NamedTuple):
    """A video device. card: its name, empty if unknown. gives_pictures: None if it may not be asked."""

    path: Path
    card: str
    gives_pictures: bool | None

    def may_be_used(self) -> bool:
        """Whether this user has the right to."""
        return os.access(self.path, os.R_OK | os.W_OK)

    def __str__(self) -> str:
        return f"{self.path} ({self.card})" if self.card else str(self.path)


def ask(path: Path) -> bytes:
    """The kernel's struct v4l2_capability of a device. Raises OSError."""
    import fcntl  # not on Windows

    descriptor = os.open(path, os.O_RDWR | os.O_NONBLOCK)
    try:
        return fcntl.ioctl(descriptor, QUERYCAP, bytes(CAPABILITY.size))
    finally:
        os.close(descriptor)


def described(path: Path, ask: Callable[[Path], bytes] = ask) -> Device:
    """What the device at this path is."""
    try:
        _, card, _, _, of_all, of_this = CAPABILITY.unpack(ask(path))
    except OSError as error:
        return Device(path, "", None if error.errno in MAY_NOT_ASK else False)
    able = of_this if of_all & OF_THIS_NODE else of_all
    return Device(path, card.split(b"\0")[0].decode("utf-8", "replace"), bool(able & CAPTURES))


def cameras(folder: Path = Path("/dev"), ask: Callable[[Path], bytes] = ask) -> list[Device]:
    """The devices that give pictures, or may, by number; none where there is no Linux."""
    paths = sorted(folder.glob("video*"), key=lambda path: (len(path.name), path.name))
    found = (described(path, ask) for path in paths)
    return [device for device in found if device.gives_pictures is not False]
