"""The one reader of pictures: for `run`, `analyze` and training trees alike.

What a file is, and how large its picture, its content says before anything is decoded. It comes out upright
and in 8 bits. OpenCV's own bound on a size is read once, when it loads, maybe before this package.
"""

from __future__ import annotations

import itertools
import re
import stat
import struct
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError, SourceError
from fer_edge.quiet import quiet_stderr
from fer_edge.vision.crop import to_8_bit
from fer_edge.vision.opencv import cv2

MAX_PIXELS = 100_000_000
"""Of a picture that is decoded, as its header has them."""

SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".png", ".apng", ".bmp", ".dib", ".webp", ".avif"}
    | {".tif", ".tiff", ".pbm", ".pgm", ".ppm", ".pnm", ".pam", ".pfm", ".pxm", ".sr", ".ras"}
    | {".hdr", ".pic", ".exr"}
)
"""What OpenCV's formats usually end in, but for GIF, which may be a film."""

MAX_BYTES = 1 << 30
"""Of a picture's file: more than 100 megapixels of 16 bits and three colours take unpacked."""

_STARTS = (
    (b"\xff\xd8\xff", "JPEG"),
    (b"\x89PNG\r\n\x1a\n", "PNG"),
    (b"GIF8", "GIF"),
    (b"BM", "BMP"),
    (b"II*\0", "TIFF"),
    (b"MM\0*", "TIFF"),
    (b"II+\0", "TIFF"),
    (b"MM\0+", "TIFF"),
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"#?R", "HDR"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
    (b"\x1aE\xdf\xa3", "Matroska"),
)
FILMS = frozenset({"MP4", "Matroska", "AVI"})
"""What `kind_of` says of films, whatever their names end in."""

_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_DAMAGE = ("corrupt", "premature end", "libpng error")
"""In what the decoders complain of, where pixels suffer; a bad colour profile or version is no damage."""


def kind_of(start: bytes) -> str | None:
    """The format of a file that begins so (32 bytes will do), or None: `JPEG`, ... `HEIC`.

    In OpenCV's order, so that a file that looks like two is taken for what OpenCV will take it for.
    """
    for beginning, kind in _STARTS:
        if start.startswith(beginning):
            return kind
    if start[:1] == b"P" and start[1:2] in b"1234567Ff" and start[2:3].isspace():
        return None if not start[:4].isascii() else "PAM" if start[1:2] == b"7" else "PNM"  # or bare VP8
    if start[:4] == b"RIFF":
        return {b"WEBP": "WebP", b"AVI ": "AVI"}.get(start[8:12])
    if start[4:8] != b"ftyp":
        return None
    brands = [start[place : place + 4] for place in (8, 16, 20, 24, 28)]
    if b"avif" in brands or b"avis" in brands:
        return "AVIF"
    return "HEIC" if any(brand in _HEIC_BRANDS for brand in brands) else "MP4"


_GAP = rb"\s(?:\s|#[^\r\n]*[\r\n])*"
_SIDES = (
    ("PNG", rb"\A.{12}IHDR(.{8})", ">II"),
    ("GIF", rb"\A.{6}(.{4})", "<HH"),
    ("BMP", rb"\A.{14}\x0c\0\0\0(.{4})", "<HH"),
    ("BMP", rb"\A.{14}(?!\x0c\0\0\0).{4}(.{8})", "<ii"),  # below 0: the first row is on top
    ("Sun raster", rb"\A.{4}(.{8})", ">II"),
    ("PNM", rb"\AP[1-6]" + _GAP + rb"(\d+)" + _GAP + rb"(\d+)\s", ""),
    ("PNM", rb"\AP[Ff]\n(\d+)\s(\d+)\s", ""),
    ("PAM", rb"WIDTH\s+(\d+)()", ""),
    ("PAM", rb"HEIGHT\s+()(\d+)", ""),
    ("HDR", rb"-Y\s*\+?(\d+)\s*\+X\s*\+?(\d+)", ""),
    ("JPEG 2000", rb"\xff\x4f\xff\x51.{4}(.{8})", ">II"),
    ("AVIF", rb"ispe.{4}(.{8})", ">II"),
    ("AVIF", rb"tkhd(?:\0.{75}|\x01.{87})(.{8})", ">H2xH2x"),
    ("OpenEXR", rb"dataWindow\0box2i\0\x10\0\0\0(.{16})", "<4i"),  # the first and the last pixel
)
"""Of a kind: what has the two sides in its header, and their layout there (none: digits)."""


_MOST = 4096  # sizes, segments or fields of a header; more is no picture


def size_in(data: bytes) -> tuple[int, int] | None:
    """The two sides in pixels by the header, in either order; None for what is no picture that is read here.

    The largest where there are several, since nothing tells which one a decoder takes. (imagesize and Pillow
    know neither PAM, PFM nor HDR, and loading them costs 11 and 7 MiB.)
    """
    try:
        sides = list(itertools.islice(_sides_in(data), _MOST))
        one, other = (max(map(abs, lengths)) for lengths in zip(*sides, strict=True))
    except (ValueError, OverflowError, struct.error):  # none, cut short, or digits without end
        return None
    return (one, other) if one and other and len(sides) < _MOST else None


def _sides_in(data: bytes) -> Iterator[tuple[int, ...]]:
    kind = kind_of(data)
    if walk := {"JPEG": _in_jpeg, "TIFF": _in_tiff, "WebP": _in_webp}.get(kind or ""):
        yield from walk(data)
    for pattern, layout in (row[1:] for row in _SIDES if row[0] == kind):
        searched = data[:_MOST] if pattern.startswith(rb"\A") else data
        for found in re.finditer(pattern, searched, re.DOTALL):
            numbers = struct.unpack(layout, found[1]) if layout else [int(n or 0) for n in found.groups()]
            if kind == "OpenEXR":
                left, top, right, bottom = numbers
                numbers = [right - left + 1, bottom - top + 1]
            yield tuple(numbers)


def _in_jpeg(data: bytes) -> Iterator[tuple[int, ...]]:
    """Of the first frame header, since a second one is an error to the decoder."""
    at, marked = 2, re.compile(rb"\xff([^\0\xff])", re.DOTALL)
    for _ in range(_MOST):
        if not (found := marked.search(data, at)):
            return
        at, marker = found.end(), found[1][0]
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            yield struct.unpack_from(">HH", data, at + 3)
            return
        if marker != 0x01 and not 0xD0 <= marker <= 0xD8:
            at += max(*struct.unpack_from(">H", data, at), 2)


def _in_tiff(data: bytes) -> Iterator[tuple[int, ...]]:
    """Of the first picture and its tiles."""
    order, is_big = "<" if data[:1] == b"I" else ">", b"+" in data[2:4]
    (at,) = struct.unpack_from(order + ("8xQ" if is_big else "4xI"), data)
    (count,) = struct.unpack_from(order + ("Q" if is_big else "H"), data, at)
    for n in range(count if count < _MOST else 0):
        field = at + (8 + 20 * n if is_big else 2 + 12 * n)
        tag, dtype = struct.unpack_from(order + "HH", data, field)
        if tag in (256, 257, 322, 323):  # width and height, of the picture and of a tile
            layout = order + {1: "B", 3: "H", 4: "I", 16: "Q"}.get(dtype, "")
            (side,) = struct.unpack_from(layout, data, field + (12 if is_big else 8))
            yield (side, 0) if tag in (256, 322) else (0, side)


def _in_webp(data: bytes) -> Iterator[tuple[int, ...]]:
    """Of the canvas, or of the picture where it is alone; the decoder compares the two."""
    where = {b"VP8 ": (26, 16, 0), b"VP8L": (21, 14, 1), b"VP8X": (24, 24, 1)}
    if data[12:16] in where:
        at, bits, less = where[data[12:16]]
        sides, mask = int.from_bytes(data[at : at + 6], "little"), (1 << bits) - 1
        yield (sides & mask) + less, (sides >> bits & mask) + less


def kind_in(path: Path) -> str | None:
    """`kind_of` of a file. Raises SourceError for what is no file or cannot be read."""
    return kind_of(_bytes_of(path, count=32))


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture by its content or, where that says nothing, by its ending.

    GIF and motion JPEG are films, and HEIC cannot be read. Raises SourceError for what is no file.
    """
    kind, ending = kind_in(path), path.suffix.lower()
    film = kind == "GIF" or kind in FILMS or ending in (".mjpeg", ".mjpg")
    return not film and kind != "HEIC" and (kind is not None or ending in SUFFIXES)


def in_folder(folder: Path) -> tuple[list[Path], list[Path]]:
    """The pictures right in a folder, sound or not, and its other files; by name, without hidden ones.

    Raises SourceError for a folder that cannot be read.
    """
    pictures: list[Path] = []
    others: list[Path] = []
    try:
        files = sorted(p for p in folder.iterdir() if not p.name.startswith(".") and not p.is_dir())
    except OSError as error:
        raise SourceError(f"cannot read the folder {folder}: {error.strerror}") from error
    for path in files:
        try:
            (pictures if is_picture(path) else others).append(path)
        except SourceError:  # a link to nowhere, a pipe, no permission: said when its turn comes
            (pictures if path.suffix.lower() in SUFFIXES else others).append(path)
    return pictures, others


def decode(data: bytes, gray: bool = False) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) BGR, or (H, W) gray levels, upright. Raises SourceError, whose words follow a name.

    A picture of more than MAX_PIXELS is not decoded.
    """
    kind, size = kind_of(data), size_in(data)
    if size and size[0] * size[1] > MAX_PIXELS:
        raise SourceError(f"is larger than {MAX_PIXELS // 10**6} megapixels")
    try:
        picture = _decoded(data, kind, gray) if size else None
    except cv2.error as error:
        raise SourceError(f"cannot be decoded: {error.err}") from error
    if picture is None:
        what = f"{kind} that OpenCV cannot read" if kind else "not a picture that OpenCV can read"
        raise SourceError(f"is {what}: save it as JPEG or PNG")
    try:
        return to_8_bit(picture)
    except SourceError as error:
        raise SourceError(f"is {error}") from error


def read_picture(
    path: Path, gray: bool = False, max_bytes: int = MAX_BYTES
) -> tuple[NDArray[np.uint8], str | None]:
    """As `decode`; and a warning if the file is damaged.

    max_bytes: of the file. Raises SourceError, one line that begins with the path.
    """
    data = _bytes_of(path, max_bytes)
    if not data:
        raise SourceError(f"{path} is empty")
    import tempfile  # 3 ms, which the loop on a camera need not spend

    with tempfile.TemporaryFile() as file:
        try:
            with quiet_stderr(file.fileno()):
                picture = decode(data, gray)
        except SourceError as error:
            raise SourceError(f"{path} {error}") from error
        file.seek(0)
        complaints = file.read().decode(errors="replace").splitlines()
    damage = [line for line in complaints if any(word in line.lower() for word in _DAMAGE)]
    if not damage:
        return picture, None
    cut = any("premature end" in line.lower() for line in damage)
    said = "cut short, its missing part is gray" if cut else damage[0]
    return picture, f"{path} is damaged ({said}); using what could be read"


def _bytes_of(path: Path, max_bytes: int = MAX_BYTES, count: int = -1) -> bytes:
    """The first `count` bytes of the file or all, `max_bytes` at most. Raises SourceError; never waits for a
    pipe or reads a device.
    """
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


def _decoded(data: bytes, kind: str | None, gray: bool) -> NDArray[Any] | None:
    """Upright, of 8, 16 or 32 bits, or None. Raises cv2.error.

    OpenCV honours EXIF by itself unless told not to. In AVIF the container's own turn counts instead, where
    it has one, of which OpenCV knows nothing.
    """
    how = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    turns, mirror = _avif_turn(data) if kind == "AVIF" else (0, None)
    if turns or mirror is not None:
        how |= cv2.IMREAD_IGNORE_ORIENTATION
    file, levels = np.frombuffer(data, np.uint8), how | cv2.IMREAD_ANYDEPTH
    picture = _avif(data, levels) if kind == "AVIF" else cv2.imdecode(file, levels)
    if picture is not None and picture.dtype.kind == "f":
        light = picture
        picture = cv2.imdecode(file, how)  # OpenCV's own way from light to 8 bits, which in PFM is no way
        if light.max(initial=0) <= 1:
            picture = cv2.convertScaleAbs(light, alpha=255)
        if gray and picture is not None and picture.ndim == 3:  # PFM's decoder keeps colours
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if picture is None and kind == "JPEG":
        picture = cv2.imdecode(np.frombuffer(data + b"\xff\xd9", np.uint8), how)  # its end is missing
    if picture is not None and turns:
        picture = np.rot90(picture, turns)
    if picture is not None and mirror is not None:
        picture = np.flip(picture, mirror)
    return None if picture is None else np.ascontiguousarray(picture)


def _avif(data: bytes, how: int) -> NDArray[Any] | None:
    """As `cv2.imdecode`, in a process of its own, whose memory is bounded by what its boxes say: a coded
    picture of another size would take 4 GB."""
    import tempfile

    from fer_edge import child

    one, other = size_in(data) or (0, 0)
    with tempfile.TemporaryDirectory() as folder:
        pixels = f"{folder}/pixels.npy"
        try:
            child.run(_avif_here, how, (1 << 29) + 20 * one * other, pixels, what="", data=data)
            return cast(NDArray[Any], np.load(pixels))
        except (FerEdgeError, OSError):
            return None


def _avif_here(how: int, memory_bytes: int, pixels: str) -> None:
    from fer_edge import child

    child.limit(memory_bytes=memory_bytes)
    picture = cv2.imdecode(np.frombuffer(sys.stdin.buffer.read(), np.uint8), how)
    if picture is not None:
        np.save(pixels, picture)


def _avif_turn(data: bytes) -> tuple[int, int | None]:
    """Quarter turns counter-clockwise, then the axis to mirror (0 rows, 1 columns).

    ISO/IEC 23008-12: the boxes `irot` and `imir`, nine bytes each; all pictures of a file share them.
    """
    turn, mirror = (data.partition(b"\0\0\0\x09" + name)[2][:1] for name in (b"irot", b"imir"))
    return (turn[0] & 3 if turn else 0), (mirror[0] & 1 if mirror else None)
