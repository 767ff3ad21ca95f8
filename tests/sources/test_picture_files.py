"""Pictures of every kind and state, from files made here."""

import struct

import cv2
import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.sources.pictures import Pictures, picture_paths, read_picture

# Red upper left, green upper right, blue lower left, white lower right: shows every turn and mirror.
CORNERS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0), "white": (255, 255, 255)}


def four_corners():
    bgr = np.zeros((32, 48, 3), np.uint8)
    bgr[:16, :24], bgr[:16, 24:] = CORNERS["red"], CORNERS["green"]
    bgr[16:, :24], bgr[16:, 24:] = CORNERS["blue"], CORNERS["white"]
    return bgr


def corner_names(bgr):
    def name(pixel):
        return min(CORNERS, key=lambda key: np.abs(np.array(CORNERS[key]) - pixel).sum())

    corners = bgr[4, 4], bgr[4, -5], bgr[-5, 4], bgr[-5, -5]
    return [name(pixel.astype(int)) for pixel in corners]


def encoded(bgr, suffix=".jpg"):
    return cv2.imencode(suffix, bgr)[1].tobytes()


def with_orientation(jpeg, orientation):
    """The JPEG with an EXIF block that holds the orientation tag (0x0112) alone."""
    tiff = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)
    exif = b"Exif\0\0" + tiff
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(exif) + 2) + exif + jpeg[2:]


# How a picture is stored under each EXIF orientation: the inverse of what the reader has to do.
STORED = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_exif_turn_and_mirror_is_made_upright(tmp_path, orientation):
    stored = np.ascontiguousarray(STORED[orientation](four_corners()))
    path = tmp_path / "turned.jpg"
    path.write_bytes(with_orientation(encoded(stored), orientation))
    upright, warning = read_picture(path)
    assert upright.shape == (32, 48, 3)
    assert corner_names(upright) == ["red", "green", "blue", "white"]
    assert warning is None


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.full((8, 8), 100, np.uint8), [100, 100, 100]),
        (np.full((8, 8), 100 * 257, np.uint16), [100, 100, 100]),
        (np.full((8, 8, 3), (10, 20, 30), np.uint8), [10, 20, 30]),
        (np.full((8, 8, 4), (10, 20, 30, 128), np.uint8), [10, 20, 30]),
        (np.full((8, 8, 4), (2570, 5140, 7710, 65535), np.uint16), [10, 20, 30]),
    ],
    ids=["gray", "gray 16 bit", "bgr", "alpha", "alpha 16 bit"],
)
def test_every_layout_becomes_8_bit_bgr(tmp_path, stored, expected):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(stored, ".png"))
    bgr, _ = read_picture(path)
    assert (bgr.shape, bgr.dtype) == ((8, 8, 3), np.uint8)
    assert bgr[4, 4].tolist() == expected


def test_a_path_that_is_not_ascii(tmp_path):
    path = tmp_path / "visage_été_笑.png"
    path.write_bytes(encoded(four_corners(), ".png"))
    assert (read_picture(path)[0] == four_corners()).all()


def test_a_jpeg_cut_short_is_used_with_a_warning(tmp_path, capfd):
    noise = np.random.default_rng(0).integers(0, 255, (200, 200, 3), np.uint8)
    data = encoded(noise)
    path = tmp_path / "cut.jpg"
    path.write_bytes(data[: len(data) * 2 // 3])
    bgr, warning = read_picture(path)
    assert bgr.shape == (200, 200, 3)
    assert "cut short" in warning
    assert str(path) in warning
    assert capfd.readouterr().err == ""  # libjpeg's own complaint is kept away


@pytest.mark.parametrize(
    ("data", "reason"),
    [(b"", "is empty"), (b"text", "is not a picture"), (b"\xff\xd8\xff", "is not a picture")],
)
def test_what_cannot_be_read_is_named_with_its_reason(tmp_path, data, reason):
    path = tmp_path / "bad.jpg"
    path.write_bytes(data)
    with pytest.raises(SourceError, match=rf"bad\.jpg {reason}"):
        read_picture(path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(SourceError, match=r"gone\.jpg: No such file"):
        read_picture(tmp_path / "gone.jpg")


def folder_of(tmp_path, **files):
    for name, data in files.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
    return Pictures(str(tmp_path), picture_paths(tmp_path))


def read_all(capture):
    frames = []
    while (frame := capture.read()) is not None:
        frames.append(frame)
    return frames


def test_an_unreadable_picture_in_a_folder_is_named_skipped_and_counted(tmp_path, capsys):
    good = encoded(four_corners())
    capture = folder_of(tmp_path, a=good, b=b"", c=b"text", d=good)
    frames = read_all(capture)
    assert [frame.source for frame in frames] == [str(tmp_path / "a.jpg"), str(tmp_path / "d.jpg")]
    assert capture.unreadable == 2
    assert capture.ended
    err = capsys.readouterr().err
    assert "b.jpg is empty; skipped" in err
    assert "c.jpg is not a picture" in err


def test_a_folder_of_which_nothing_can_be_read_fails(tmp_path):
    with pytest.raises(SourceError, match="none of the 2 pictures"):
        read_all(folder_of(tmp_path, a=b"", b=b"x"))


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no pictures.*\.jpg"):
        picture_paths(tmp_path)
