"""Reads pictures, for `run`, `analyze` and training trees.

A file's content decides its format. Pictures are returned upright, with 8 bits, and with at most 100
megapixels, which OpenCV checks before decoding (`vision.opencv` sets its limit).
"""

import re
import stat
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge import child
from fer_edge.errors import ModelError, SourceError
from fer_edge.quiet import quiet_stderr
from fer_edge.vision.crop import to_8_bit, to_gray
from fer_edge.vision.frames import Picture
from fer_edge.vision.opencv import BOUNDED, MAX_PIXELS, cv2

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".png", ".apng", ".bmp", ".dib", ".webp", ".avif"}
    | {".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm", ".pxm", ".sr", ".ras"}
    | {".hdr", ".pic", ".exr"}
)
"""Usual extensions of OpenCV's formats, except GIF, which may be a video."""

MAX_BYTES = 1 << 30  # of a file: more than 100 unpacked megapixels with 16 bits and three colours

_STARTS = {
    "JPEG": rb"\xff\xd8\xff",
    "PNG": rb"\x89PNG\r\n\x1a\n",
    "GIF": rb"GIF8",
    "BMP": rb"BM",
    "TIFF": rb"II\*\0|MM\0\*",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "HDR": rb"#\?R",
    "OpenEXR": rb"\x76\x2f\x31\x01",
    "Sun raster": rb"\x59\xa6\x6a\x95",
    "PNM": rb"P[1-7Ff]\s",
    "WebP": rb"RIFF.{4}WEBP",
    "AVI": rb"RIFF.{4}AVI ",
    "Matroska": rb"\x1aE\xdf\xa3",
    "AVIF": rb".{4}ftyp.{0,20}avi[fs]",
    "HEIC": rb".{4}ftyp.{0,20}(hei[cxms]|hevc|m[is]f1)",
    "MP4": rb".{4}ftyp",
}

FILMS = ("AVI", "Matroska", "MP4")
_DAMAGE = ("corrupt", "premature end", "libpng error")
"""In decoders' messages about damaged pixels; a bad colour profile or version is not damage."""


def kind_of(start: bytes, starts: Mapping[str, bytes] = _STARTS) -> str | None:
    """The format of a file that begins so (32 bytes will do), or None. starts: the formats' patterns."""
    return next((kind for kind, start_of in starts.items() if re.match(start_of, start, re.DOTALL)), None)


def kind_in(path: Path) -> str | None:
    """`kind_of` of a file. Raises SourceError if it is not a file or cannot be read."""
    return kind_of(_bytes_of(path, count=32))


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture by its content or, if that is unknown, by its extension.

    GIF and motion JPEG are videos, and HEIC cannot be read. Raises SourceError if it is not a file.
    """
    kind, ending = kind_in(path), path.suffix.lower()
    if kind in ("GIF", "HEIC", *FILMS) or ending in (".mjpeg", ".mjpg"):
        return False
    return kind is not None or ending in SUFFIXES


def seems_picture(path: Path) -> bool:
    """As `is_picture`; by its extension if it cannot be read, which is said when its turn comes."""
    try:
        return is_picture(path)
    except SourceError:  # a link to nowhere, a pipe, no permission
        return path.suffix.lower() in SUFFIXES


def in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures directly in a folder, valid or not, and its other files; by name, without hidden ones.

    Raises SourceError for a folder that cannot be read.
    """
    pictures: list[Path] = []
    others: list[Path] = []
    try:
        for path in sorted(folder.iterdir()):
            if not path.name.startswith(".") and not path.is_dir():
                (pictures if seems_picture(path) else others).append(path)
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error
    return pictures, others


def read_picture(path: Path, gray: bool = False, max_bytes: int = MAX_BYTES) -> tuple[Picture, str | None]:
    """As `decode`; and a warning if the file is damaged.

    max_bytes: of the file. Raises SourceError, one line that begins with the path.
    """
    data = _bytes_of(path, max_bytes)
    if not data:
        raise SourceError(f"{path} is empty")
    import tempfile  # 3 ms, which the loop on a camera can save

    with tempfile.TemporaryFile() as file:
        try:
            with quiet_stderr(file.fileno()):
                picture = decode(data, gray)
        except SourceError as error:
            raise SourceError(f"{path} {error}") from error
        file.seek(0)
        complaints = file.read().decode(errors="replace").splitlines()
    damage = [line for line in complaints if any(word in line.lower() for word in _DAMAGE)]
    warning = f"{path} is damaged or cut short ({damage[0]}); using what could be read" if damage else None
    return picture, warning


def _bytes_of(path: Path, max_bytes: int = MAX_BYTES, count: int = -1) -> bytes:
    """The first `count` bytes or all, at most `max_bytes`; never waits for a pipe or reads a device."""
    try:
        found = path.stat()
        if not stat.S_ISREG(found.st_mode):
            raise SourceError(f"{path} is no file: a pipe, a device or a folder")
        if found.st_size > max_bytes and count < 0:
            raise SourceError(f"{path} is too large for a picture ({found.st_size >> 20} MiB)")
        with path.open("rb") as file:
            return file.read(count)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def decode(data: bytes, gray: bool = False) -> Picture:
    """uint8 (H, W, 3) BGR, or (H, W) gray levels, upright, of MAX_PIXELS at most.

    In a separate process, with 1 GiB of memory, if OpenCV's limit does not apply: AVIF, whose coded picture
    may be larger than it says; and all but small PNG and JPEG, if the program loaded OpenCV first. Raises
    SourceError, with a message that follows the picture's name.
    """
    kind = kind_of(data[:32])
    may_be_avif = data[4:8] == b"ftyp"  # its name may stand far from the start
    bounded = (BOUNDED or _says_small(data, kind)) and not may_be_avif
    picture = (_decoded if bounded else _decoded_apart)(data, gray)
    if picture is None or picture.dtype not in (np.uint8, np.uint16):
        what = f"{kind} that OpenCV cannot read" if kind else "not a picture that OpenCV can read"
        raise SourceError(f"is {what}: save it as JPEG or PNG")
    return to_gray(picture) if gray else to_8_bit(picture)


def _says_small(data: bytes, kind: str | None) -> bool:
    """Whether it is PNG or JPEG, with at most MAX_PIXELS according to every header (SOF) that it may have."""
    if kind == "PNG":
        headers = re.finditer(rb"\A.{12}IHDR(.{4})(.{4})", data[:24], re.DOTALL)
    elif kind == "JPEG":
        headers = re.finditer(rb"\xff(?=[\xc0-\xcf].{3}(..)(..))", data, re.DOTALL)
    else:
        return False
    sizes = [int.from_bytes(found[1]) * int.from_bytes(found[2]) for found in headers]
    return bool(sizes) and max(sizes) <= MAX_PIXELS


def _decoded_apart(data: bytes, gray: bool) -> NDArray[Any] | None:
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        try:
            child.run(_decoded_here, f"{folder}/pixels.npy", gray, what="", data=data)
            return cast(NDArray[Any], np.load(f"{folder}/pixels.npy"))
        except (child.ChildError, OSError):
            return None
        except ModelError as error:
            raise SourceError(str(error)) from error


def _decoded_here(out: str, gray: bool) -> None:
    child.limit(memory_bytes=1 << 30)
    if (picture := _decoded(sys.stdin.buffer.read(), gray)) is not None:
        np.save(out, picture)


def _decoded(data: bytes, gray: bool) -> NDArray[Any] | None:
    """Upright; None if OpenCV cannot read it."""
    kind, file = kind_of(data[:32]), np.frombuffer(data, np.uint8)
    how = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    turns, mirror = _avif_turn(data) if data[4:8] == b"ftyp" else (0, None)
    if turns or mirror is not None:  # AVIF's own, unknown to OpenCV, comes before EXIF's
        how |= cv2.IMREAD_IGNORE_ORIENTATION
    try:
        picture = cv2.imdecode(file, how | cv2.IMREAD_ANYDEPTH)
        if picture is not None and picture.dtype.kind == "f":
            if picture.max(initial=0) <= 1:
                picture = cv2.convertScaleAbs(picture, alpha=255)
            else:  # OpenCV's own way from light to 8 bits, which in PFM is no way
                picture = cv2.imdecode(file, how)
        if picture is None and kind == "JPEG":  # its end is missing
            picture = cv2.imdecode(np.frombuffer(data + b"\xff\xd9", np.uint8), how)
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise SourceError(f"is larger than {MAX_PIXELS // 10**6} megapixels") from error
        raise SourceError(f"cannot be decoded: {error.err}") from error
    if picture is None:
        return None
    picture = np.rot90(picture, turns)
    return np.ascontiguousarray(picture if mirror is None else np.flip(picture, mirror))


def _avif_turn(data: bytes) -> tuple[int, int | None]:
    """Quarter turns counter-clockwise, then the axis to mirror (0 rows, 1 columns): ISO/IEC 23008-12."""
    # Boxes of nine bytes, which all pictures of a file share.
    turn, mirror = (data.partition(b"\0\0\0\x09" + name)[2][:1] for name in (b"irot", b"imir"))
    return (turn[0] & 3 if turn else 0), (mirror[0] & 1 if mirror else None)
