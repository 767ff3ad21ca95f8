import errno
import sys
import types
from pathlib import Path
from unittest.mock import Mock, call

import numpy as np
import pytest

from fer_edge.errors import SourceError, UsageError
from fer_edge.sources import camera, make_capture
from fer_edge.sources.camera import Camera, PiCamera
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.pictures import Pictures
from fer_edge.sources.video import Stream, VideoFile

on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="V4L2 is Linux")


@on_linux
@pytest.mark.parametrize(
    ("name", "why"),
    [(93, "93 is not there"), ("/dev/null", "/dev/null cannot be opened: .* usermod .* --camera pi")],
)
def test_what_is_no_camera_is_told_so(name, why):
    with pytest.raises(SourceError, match=f"camera {why}.*cameras here"):
        Camera(name).open()


def test_the_pi_camera_gives_picamera2_s_arrays_or_says_what_to_install(monkeypatch):
    pi = Mock(spec=["create_video_configuration", "configure", "start", "capture_array", "close"])
    pi.create_video_configuration = lambda main: main["format"]
    pi.capture_array.return_value = np.full((4, 4, 3), 9, np.uint8)
    monkeypatch.setitem(sys.modules, "picamera2", types.SimpleNamespace(Picamera2=lambda: pi))
    capture = PiCamera()
    capture.open()
    assert (capture.read().bgr == 9).all()
    capture.close()
    assert pi.mock_calls == [call.configure("RGB888"), call.start(), call.capture_array("main"), call.close()]
    monkeypatch.setitem(sys.modules, "picamera2", None)
    with pytest.raises(SourceError, match="apt install python3-picamera2"):
        PiCamera().open()


def answer(card: str, of_all: int, of_this: int) -> bytes:
    """struct v4l2_capability: driver, card and bus in 16, 32 and 32 bytes, version, two numbers of
    capabilities, and 12 reserved bytes (the kernel's videodev2.h)."""
    numbers = b"".join(number.to_bytes(4, "little") for number in (0x060135, of_all, of_this))
    return b"uvcvideo".ljust(16, b"\0") + card.encode().ljust(64, b"\0") + numbers + bytes(12)


ANSWERS = {  # what kernels answer for real devices: `v4l2-ctl -D` prints these figures
    "video0": answer("HD Pro Webcam C920", 0x84A00001, 0x04200001),
    "video1": answer("HD Pro Webcam C920", 0x84A00001, 0x04A00000),  # its metadata
    "video2": answer("Kamera für den Flur", 0x00000001, 0),  # a driver from before device_caps
    "video10": answer("bcm2835-codec-decode", 0x84204000, 0x04204000),
    "video11": answer("unicam, many planes", 0x84201000, 0x04201000),
}


def asked(device, *_) -> bytes:
    name = Path(f"/proc/self/fd/{device.fileno()}").readlink().name
    if name not in ANSWERS:
        raise OSError(errno.ENOTTY, "not a video device")
    return ANSWERS[name]


@on_linux
def test_only_what_gives_pictures_is_a_camera_and_2_comes_before_11(tmp_path, monkeypatch):
    monkeypatch.setattr(camera.fcntl, "ioctl", asked)
    assert camera.CAPABILITY.size == 104 == camera.QUERYCAP >> 16 & 0x3FFF  # part of the request
    for name in (*ANSWERS, "video99"):
        (tmp_path / name).touch()
    found = camera.cameras(tmp_path)
    assert [device.path.name for device in found] == ["video0", "video2", "video11"]
    assert str(found[0]) == f"{tmp_path / 'video0'} (HD Pro Webcam C920)"
    assert found[1].card == "Kamera für den Flur"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EBUSY])
def test_a_device_that_may_not_be_asked_may_be_a_camera(tmp_path, monkeypatch, number):
    (tmp_path / "video0").touch()
    assert camera.cameras(tmp_path) == []  # asked itself: a file
    monkeypatch.setattr(camera.os, "open", Mock(side_effect=OSError(number, "no")))
    assert camera.cameras(tmp_path) == [camera.Device(tmp_path / "video0")]


@pytest.mark.parametrize(
    ("source", "number", "kind", "name"),
    [
        (None, None, Camera, "camera 0"),
        (None, "2", Camera, "camera 2"),
        ("1", None, Camera, "camera 1"),
        ("/dev/video93", None, Camera, "camera /dev/video93"),
        ("/dev/null", None, Camera, "camera /dev/null"),
        (None, "pi", PiCamera, "camera pi"),
        ("rtsp://me:word@host/stream", None, Stream, "rtsp://me:***@host/stream"),
        ("-", None, MjpegPipe, "standard input"),
    ],
)
def test_what_a_name_stands_for(source, number, kind, name):
    capture = make_capture(source, number)
    assert (type(capture), capture.name) == (kind, name)


def test_what_a_path_is_its_content_says(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    jpeg = b"\xff\xd8\xff\xe0"
    starts = {"2024/a.JPG": b"x", "photo": jpeg, "b.mkv": b"x", "c.mjpg": jpeg, "0": b"x"}
    for name, start in starts.items():
        (tmp_path / name).write_bytes(start)
    (tmp_path / "by-id").symlink_to("/dev/null")
    kinds = {"2024/a.JPG": Pictures, "2024": Pictures, "photo": Pictures, "by-id": Camera}
    kinds |= {"0": VideoFile, "b.mkv": VideoFile, "c.mjpg": VideoFile}
    assert {name: type(make_capture(name)) for name in kinds} == kinds


def test_a_path_that_does_not_exist_and_two_sources_at_once(tmp_path):
    with pytest.raises(SourceError, match="there is no"):
        make_capture(str(tmp_path / "gone.mp4"))
    with pytest.raises(UsageError, match="not both"):
        make_capture("a.mp4", "0")
    with pytest.raises(UsageError, match="no camera 'front'"):
        make_capture(None, "front")
