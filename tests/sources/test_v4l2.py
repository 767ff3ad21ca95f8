"""Video devices told apart, by what kernels answer for real ones (`v4l2-ctl -D` prints these figures)."""

import errno
from pathlib import Path

import pytest

from fer_edge.sources import camera


def answer(card: str, of_all: int, of_this: int) -> bytes:
    """struct v4l2_capability, by the offsets of the kernel's videodev2.h: driver at 0, card at 16, bus at 48,
    version at 80, capabilities at 84, device_caps at 88, 104 bytes in all."""
    told = bytearray(104)
    told[0:8] = b"uvcvideo"
    told[16 : 16 + len(card.encode())] = card.encode()
    told[80:84] = (0x060135).to_bytes(4, "little")
    told[84:88] = of_all.to_bytes(4, "little")
    told[88:92] = of_this.to_bytes(4, "little")
    return bytes(told)


ANSWERS = {
    "video0": answer("HD Pro Webcam C920", 0x84A00001, 0x04200001),
    "video1": answer("HD Pro Webcam C920", 0x84A00001, 0x04A00000),  # its metadata
    "video2": answer("Kamera für den Flur", 0x00000001, 0),  # a driver from before device_caps
    "video10": answer("bcm2835-codec-decode", 0x84204000, 0x04204000),
    "video11": answer("unicam, many planes", 0x84201000, 0x04201000),
}


def asked(path: Path) -> bytes:
    if path.name not in ANSWERS:
        raise OSError(errno.ENOTTY, "not a video device")
    return ANSWERS[path.name]


def test_the_struct_has_the_size_that_is_part_of_the_request():
    assert camera.CAPABILITY.size == 104 == camera.QUERYCAP >> 16 & 0x3FFF


def test_only_what_gives_pictures_is_a_camera_and_2_comes_before_11(tmp_path):
    for name in (*ANSWERS, "video99"):
        (tmp_path / name).touch()
    cameras = camera.cameras(tmp_path, asked)
    assert [camera.path.name for camera in cameras] == ["video0", "video2", "video11"]
    assert str(cameras[0]) == f"{tmp_path / 'video0'} (HD Pro Webcam C920)"
    assert cameras[1].card == "Kamera für den Flur"


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM, errno.EBUSY])
def test_a_device_that_may_not_be_asked_may_be_a_camera(tmp_path, number):
    def refused(path: Path) -> bytes:
        raise OSError(number, "no")

    (tmp_path / "video0").touch()
    assert camera.cameras(tmp_path, refused) == [camera.Device(tmp_path / "video0", "", None)]


def test_a_file_is_no_camera(tmp_path):
    file = tmp_path / "video0"
    file.write_bytes(b"no device")
    assert camera.described(file).gives_pictures is False
