"""Pictures of every kind and state, from files made here; folders of them as a source."""

import os
import re
import struct
import zlib

import cv2
import numpy as np
import pytest
from fuzz.harness import FINDS
from loop_fakes import read_all
from processes import python

from fer_edge.errors import SourceError
from fer_edge.pictures import is_picture, kind_of, read_picture
from fer_edge.sources.pictures import Pictures

# Red upper left, green upper right, blue lower left, white lower right: shows every turn and mirror.
CORNERS = {"red": (0, 0, 255), "green": (0, 255, 0), "blue": (255, 0, 0), "white": (255, 255, 255)}


def four_corners():
    bgr = np.zeros((32, 48, 3), np.uint8)
    bgr[:16, :24], bgr[:16, 24:] = CORNERS["red"], CORNERS["green"]
    bgr[16:, :24], bgr[16:, 24:] = CORNERS["blue"], CORNERS["white"]
    return bgr


def corner_names(bgr):
    corners = (bgr[y, x].astype(int) for y, x in ((4, 4), (4, -5), (-5, 4), (-5, -5)))
    return [min(CORNERS, key=lambda name: np.abs(CORNERS[name] - pixel).sum()) for pixel in corners]


def encoded(bgr, suffix=".jpg"):
    return cv2.imencode(suffix, bgr)[1].tobytes()


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        (np.full((8, 8), 100, np.uint8), [100, 100, 100]),
        (np.full((8, 8), 100 * 257, np.uint16), [100, 100, 100]),
        (np.full((8, 8, 3), (10, 20, 30), np.uint8), [10, 20, 30]),
        (np.full((8, 8, 4), (10, 20, 30, 128), np.uint8), [10, 20, 30]),
        (np.full((8, 8, 4), (2570, 5140, 51400, 65535), np.uint16), [10, 20, 200]),
        (np.array([[0, 4095] * 4, [2048] * 8] * 4, np.uint16), [0, 0, 0]),
    ],
    ids=["gray", "gray 16 bit", "bgr", "alpha", "alpha 16 bit", "12 bit in 16"],
)
def test_every_layout_becomes_8_bit_bgr(tmp_path, stored, expected):
    path = tmp_path / "visage_été_笑.png"
    path.write_bytes(encoded(stored, ".png"))
    bgr, _ = read_picture(path)
    assert (bgr.shape, bgr.dtype) == ((8, 8, 3), np.uint8)
    assert bgr[4, 4].tolist() == expected


def test_shown_photo_without_an_ending(cases):
    """P5: a phone's portrait, stored on its side."""
    upright, warning = read_picture(cases / "files/photo6")
    assert (upright.shape[0] < upright.shape[1], warning) == (True, None)


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


def png_chunk(name, content):
    body = name + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


@pytest.mark.parametrize(
    ("suffix", "before", "odd"),
    [
        (".png", b"IDAT", png_chunk(b"iCCP", b"icc\0\0" + zlib.compress(b"no profile"))),
        (".jpg", b"\xff\xdb", b"\xff\xe0\0\x10JFIF\0\x07\0\0\0\1\0\1\0\0"),  # version 7
    ],
    ids=["profile", "version"],
)
def test_what_spoils_no_pixel_is_no_damage(tmp_path, capfd, suffix, before, odd):
    """libpng and libjpeg warn of both."""
    data = encoded(four_corners(), suffix)
    at = data.index(before) - (4 if suffix == ".png" else 0)
    path = tmp_path / "odd"
    path.write_bytes(data[:at] + odd + data[at:])
    bgr, warning = read_picture(path)
    assert corner_names(bgr) == ["red", "green", "blue", "white"]
    assert warning is None
    assert capfd.readouterr().err == ""


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path):
    path, heic = tmp_path / "bad.jpg", b"\0\0\0\x18ftypheic" + bytes(20)
    with pytest.raises(SourceError, match=r"bad\.jpg cannot be read: No such file"):
        read_picture(path)
    for data, reason in (
        (b"", "is empty"),
        (b"text", "is not a picture"),
        (b"\xff\xd8\xff", "is JPEG that OpenCV cannot read"),
        (heic, "is HEIC that OpenCV cannot read: save it as JPEG or PNG"),
    ):
        path.write_bytes(data)
        with pytest.raises(SourceError, match=rf"bad\.jpg {reason}"):
            read_picture(path)


@pytest.mark.parametrize(
    "suffix", [".jpg", ".png", ".bmp", ".webp", ".tiff", ".jp2", ".ppm", ".avif", ".ras", ".hdr", ".pfm"]
)
def test_a_format_is_known_by_its_content_and_read_under_any_name(tmp_path, suffix):
    if not cv2.haveImageWriter(f"x{suffix}"):
        pytest.skip("not in this OpenCV")
    path = tmp_path / "photo.mp4"
    bgr = four_corners().astype(np.float32) / 255 if suffix in (".hdr", ".pfm") else four_corners()
    path.write_bytes(encoded(bgr, suffix))
    assert kind_of(path.read_bytes()[:32]) is not None
    assert is_picture(path)
    assert corner_names(read_picture(path)[0]) == ["red", "green", "blue", "white"]
    gray, _ = read_picture(path, gray=True)
    assert gray.shape == (32, 48)
    assert abs(int(gray[4, 4]) - 76) < 5  # red's luma


@pytest.mark.parametrize("start", [b"\0\0\0\x20ftypisom", b"\x1aE\xdf\xa3\x9fB\x86", b"RIFF\x10\0\0\0AVI "])
def test_a_film_is_no_picture_whatever_its_name_ends_in(tmp_path, start):
    path = tmp_path / "clip.jpg"
    path.write_bytes(start + bytes(40))
    assert not is_picture(path)


@pytest.mark.parametrize("kind", ["JPEG", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_turn_and_mirror_is_made_upright(tmp_path, orientation, kind):
    """By EXIF; P6: in AVIF by the container's irot and imir, which Pillow writes of an EXIF one."""
    pillow, operations = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageOps")
    path, exif = tmp_path / "turned", pillow.Exif()
    exif[0x0112] = orientation
    pillow.fromarray(four_corners()[:, :, ::-1]).save(path, kind, exif=exif, quality=95)
    assert kind == "JPEG" or orientation == 1 or re.search(b"irot|imir", path.read_bytes())
    expected = np.asarray(operations.exif_transpose(pillow.open(path)))[:, :, ::-1]
    upright, warning = read_picture(path)
    assert (upright.shape, warning) == (expected.shape, None)
    assert corner_names(upright) == corner_names(expected)


@pytest.mark.skipif(not cv2.haveImageWriter("x.avif"), reason="not in this OpenCV")
@pytest.mark.parametrize("kept", [0, 0.02, 0.2, 0.6, 0.9])
def test_an_avif_cut_short_is_refused_in_a_line(tmp_path, kept):
    avif, path = encoded(four_corners(), ".avif"), tmp_path / "cut"
    path.write_bytes(avif[: int(kept * len(avif))])
    with pytest.raises(SourceError, match=r"cut is .*"):
        read_picture(path)


LARGE = struct.pack(">II", 32768, 32768)
HEADERS = {
    ".jpg": [(b"\0\x20\0\x30", b"\x80\0\x80\0")],
    ".bmp": [(struct.pack("<ii", 48, 32), struct.pack("<ii", 32768, -32768))],
    ".gif": [(b"\x30\0\x20\0", b"\0\x80\0\x80")],
    ".webp": [(b"/\x2f\xc0\x07\0", b"/\xff\xff\xff\x0f")],  # 16384, the most
    ".tiff": [(b"\0\1\3\0\1\0\0\0\x30\0", b"\0\1\3\0\1\0\0\0\0\x80"), (b"\0\0\x20\0", b"\0\0\0\x80")],
    ".jp2": [(struct.pack(">II", 48, 32), LARGE)],
    ".avif": [(struct.pack(">II", 48, 32), LARGE)],
    ".ppm": [(b"48 32", b"32768 32768")],
}
"""Of each format: how a header says 48 by 32 pixels, and how it says far too many."""


def png_of_one_bit(side):
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes((side // 8 + 1) * side), 9))
    return b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b"")


def avif_of_12000_in_100():
    """100 pixels wide by its boxes, 12,000 as coded, for which libavif takes 2 GB; its name comes late."""
    data = (FINDS / "picture/avif-of-12000-in-100").read_bytes()
    late = struct.pack(">I8s", data[3] + 24, b"ftypmif1") + b"abcd" * 7 + data[16 : data[3]]
    at = data.index(b"mdat") + 4
    return late + data[data[3] :].replace(struct.pack(">I", at), struct.pack(">I", at + 24))


@pytest.mark.parametrize("first", ["cv2", "fer_edge"])
def test_a_picture_too_large_is_refused_before_it_is_decoded(tmp_path, first):
    """Whatever its format, also where the program loads OpenCV first: then OpenCV's own bound is 2^30 pixels,
    and the PNG of 130 kB takes 3.2 GB. What is not too large has the same pixels either way."""
    (tmp_path / "bomb.png").write_bytes(png_of_one_bit(32768))
    (tmp_path / "late.avif").write_bytes(avif_of_12000_in_100())
    names = ["bomb.png", "late.avif"]
    for suffix in filter(lambda suffix: cv2.haveImageWriter(f"x{suffix}"), HEADERS):
        large = small = encoded(four_corners(), suffix)
        for said, far_too_many in HEADERS[suffix]:
            assert said in small
            large = large.replace(said, far_too_many)
        (tmp_path / f"large{suffix}").write_bytes(large)
        (tmp_path / f"small{suffix}").write_bytes(small)
        names += [f"large{suffix}", f"small{suffix}"]
    code = f"""
import io, pathlib, sys, zlib
from resource import RLIMIT_AS, RUSAGE_CHILDREN, getrusage, setrlimit
setrlimit(RLIMIT_AS, (2 << 30, 2 << 30))
import {first}
import fer_edge
from fer_edge.machine import peak_rss_mib
from fer_edge.pictures import read_picture
from fer_edge.sources.mjpeg import MjpegPipe
for name in sys.argv[1:]:
    try: print(name, zlib.crc32(read_picture(pathlib.Path(name))[0].tobytes()))
    except fer_edge.FerEdgeError as error: print(error)
pipe = MjpegPipe(io.BytesIO(pathlib.Path("large.jpg").read_bytes()))
try: pipe.open(), pipe.read()
except fer_edge.FerEdgeError: print(pipe.unreadable)
print(max(round(peak_rss_mib()), getrusage(RUSAGE_CHILDREN).ru_maxrss >> 10))
"""
    *said, peak_mib = python(code, *names, cwd=tmp_path, code=0).stdout.splitlines()
    for name, line in zip([*names, "1"], said, strict=True):
        small = name.startswith("small")
        pixels = zlib.crc32(read_picture(tmp_path / name)[0].tobytes()) if small else "is "
        assert line.startswith(f"{name} {pixels}" if name != "1" else name)
    assert int(peak_mib) < 200


GOOD = cv2.imencode(".jpg", np.full((32, 48, 3), 90, np.uint8))[1].tobytes()


def test_what_a_folder_holds_besides_good_pictures_is_named_and_counted(tmp_path, capsys):
    """T1, T3: by content or, where that is unknown, by ending."""
    files = {"a.jpg": GOOD, "b.tif": b"", "c.jpg": b"text", "d": GOOD, ".hidden.jpg": GOOD}
    films = {"v.heic": b"\0\0\0\x18ftypheic", "w.mjpeg": GOOD, "x.txt": b"?", "y.gif": b"GIF89a"}
    for name, data in {**files, **films}.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "e.png")
    (tmp_path / "sub").mkdir()
    capture = Pictures(tmp_path)
    assert [frame.source for frame in read_all(capture)] == [str(tmp_path / name) for name in ("a.jpg", "d")]
    assert capture.unreadable == 3
    err = capsys.readouterr().err
    for said in ("b.tif is empty; skipped", "c.jpg is not a picture", "e.png is no file: a pipe"):
        assert said in err
    assert err.count("no pictures that can be read: 4 files: v.heic, w.mjpeg, x.txt, y.gif") == 1


def test_a_folder_without_a_picture_that_can_be_read_fails(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no pictures.*\.jpg"):
        Pictures(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match="none of the 2 pictures"):
        read_all(Pictures(tmp_path))
