"""Pictures and videos, as the loop and `--data` decode them."""

from __future__ import annotations

import contextlib
import io
import tempfile
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from fer_edge.data.drawn import drawn_faces
from fer_edge.data.tree import read_face
from fer_edge.errors import SourceError
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.pictures import Pictures
from fer_edge.sources.video import VideoFile
from fer_edge.vision.crop import to_bgr, to_gray
from fuzz.mutation import Random, damaged

PICTURE_SUFFIXES = [
    ".jpg",
    ".png",
    ".bmp",
    ".webp",
    ".tiff",
    ".gif",
    ".pgm",
    ".ppm",
    ".jp2",
    ".avif",
    ".jpg",
    ".png",
]
VIDEOS = ((".mp4", "mp4v"), (".avi", "MJPG"), (".mkv", "MJPG"), (".avi", "XVID"), (".mov", "mp4v"))


@cache
def _pictures() -> tuple[bytes, ...]:
    faces, _ = drawn_faces(2, 1)
    colour = np.dstack([faces[0], faces[1], faces[0][::-1]])
    encoded = []
    for suffix in PICTURE_SUFFIXES:
        with contextlib.suppress(cv2.error):  # a build without the format
            encoded.append(cv2.imencode(suffix, faces[0] if suffix == ".pgm" else colour)[1].tobytes())
    encoded.append(cv2.imencode(".png", faces[0].astype(np.uint16) * 257)[1].tobytes())
    encoded.append(cv2.imencode(".tiff", faces[0].astype(np.float32))[1].tobytes())
    encoded.append(cv2.imencode(".png", cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA))[1].tobytes())
    encoded.append(b"P5\n30000 30000\n255\n" + bytes(100))
    return tuple(encoded)


def picture(rng: Random) -> bytes:
    return damaged(_pictures()[int(rng.integers(len(_pictures())))], rng)


def read_picture(data: bytes, folder: Path) -> None:
    """Both readers: the loop's, to a frame that can be analysed, and the training set's, to a face."""
    path = folder / "p.jpg"
    path.write_bytes(data)
    with contextlib.suppress(SourceError):
        assert read_face(path).shape == (48, 48)
    frame = Pictures("p", [path]).read()
    assert frame is not None
    assert frame.bgr.dtype == np.uint8
    assert to_gray(to_bgr(frame.bgr)).shape == frame.bgr.shape[:2]


@cache
def _videos() -> tuple[tuple[str, bytes], ...]:
    faces, _ = drawn_faces(6, 2)
    made = []
    with tempfile.TemporaryDirectory() as folder:
        for n, (suffix, code) in enumerate(VIDEOS):
            path = Path(folder, f"{n}{suffix}")
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 25.0, (64, 48))
            for face in faces:
                writer.write(cv2.cvtColor(cv2.resize(face, (64, 48)), cv2.COLOR_GRAY2BGR))
            writer.release()
            if path.is_file():
                made.append((suffix, path.read_bytes()))
    return tuple(made)


def video(rng: Random) -> bytes:
    suffix, data = _videos()[int(rng.integers(len(_videos())))]
    return suffix.encode() + b"\0" + damaged(data, rng)


def read_video(data: bytes, folder: Path) -> None:
    """Every frame."""
    suffix, _, content = data.partition(b"\0")
    path = folder / f"v{suffix.decode()}"
    path.write_bytes(content)
    source = VideoFile(path)
    try:
        source.open()
        for _ in range(500):
            frame = source.read()
            if frame is None:
                break
            assert frame.bgr.dtype == np.uint8
            assert frame.bgr.ndim == 3
            assert np.isfinite(frame.time_s)
    finally:
        source.close()


def motion_jpeg(rng: Random) -> bytes:
    jpeg = _pictures()[0]
    return damaged(jpeg + jpeg + jpeg[:-2] + jpeg, rng)


def read_motion_jpeg(data: bytes, folder: Path) -> None:
    source = MjpegPipe(io.BytesIO(data))
    source.open()
    while (frame := source.read()) is not None:
        assert frame.bgr.dtype == np.uint8
