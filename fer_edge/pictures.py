"""The one reader of pictures: for `run`, `analyze` and training trees alike.

What a file is, its content says. It comes out upright, in 8 bits, and no larger than OpenCV may decode
(`vision.opencv` sets the bound, 100 megapixels, which OpenCV checks before it decodes).
"""

from __future__ import annotations

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.quiet import quiet_stderr
from fer_edge.vision.crop import to_8_bit
from fer_edge.vision.opencv import MAX_PIXELS, cv2

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
    (b"\0\0\0\x0cjP  ", "JPEG 2000"),
    (b"\xff\x4f\xff\x51", "JPEG 2000"),
    (b"#?R", "HDR"),
    (b"\x76\x2f\x31\x01", "OpenEXR"),
    (b"\x59\xa6\x6a\x95", "Sun raster"),
)
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_DAMAGE = ("corrupt", "premature end", "libpng error")
"""In what the decoders complain of, where pixels suffer; a bad colour profile or version is no damage."""


def kind_of(start: bytes) -> str | None:
    """The format of a file that begins so (32 bytes will do), or None: `JPEG`, ... `HEIC`."""
    if start[4:8] == b"ftyp":
        brands = [start[place : place + 4] for place in (8, 16, 20, 24, 28)]
        if b"avif" in brands or b"avis" in brands:
            return "AVIF"
        return "HEIC" if any(brand in _HEIC_BRANDS for brand in brands) else None
    if start[:4] == b"RIFF" and start[8:12] == b"WEBP":
        return "WebP"
    if start[:1] == b"P" and start[1:2] in b"1234567Ff" and start[2:3].isspace():
        return "PNM"
    return next((kind for beginning, kind in _STARTS if start.startswith(beginning)), None)


def kind_in(path: Path) -> str | None:
    """`kind_of` of a file. Raises SourceError for what is no file or cannot be read."""
    return kind_of(_bytes_of(path, count=32))


def is_picture(path: Path) -> bool:
    """Whether a file is a still picture by its content or, where that says nothing, by its ending.

    GIF and motion JPEG are films, and HEIC cannot be read. Raises SourceError for what is no file.
    """
    kind, ending = kind_in(path), path.suffix.lower()
    if kind in ("GIF", "HEIC") or ending in (".mjpeg", ".mjpg"):
        return False
    return kind is not None or ending in SUFFIXES


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


def read_picture(
    path: Path, gray: bool = False, max_bytes: int = MAX_BYTES
) -> tuple[NDArray[np.uint8], str | None]:
    """uint8 (H, W, 3) BGR, or (H, W) gray levels, upright; and a warning if the file is damaged.

    max_bytes: of the file. Raises SourceError, one line that begins with the path.
    """
    data = np.frombuffer(_bytes_of(path, max_bytes), np.uint8)
    if not data.size:
        raise SourceError(f"{path} is empty")
    kind = kind_of(data[:32].tobytes())
    import tempfile  # 3 ms, which the loop on a camera need not spend

    try:
        with tempfile.TemporaryFile() as file:
            with quiet_stderr(file.fileno()):
                picture = _decoded(data, kind, gray)
            file.seek(0)
            complaints = file.read().decode(errors="replace").splitlines()
    except cv2.error as error:
        if "CV_IO_MAX_IMAGE" in str(error):
            raise SourceError(f"{path} is larger than {MAX_PIXELS // 10**6} megapixels") from error
        raise SourceError(f"{path} cannot be decoded: {error.err}") from error
    if picture is None:
        what = f"{kind} that OpenCV cannot read" if kind else "not a picture that OpenCV can read"
        raise SourceError(f"{path} is {what}: save it as JPEG or PNG")
    try:
        upright = to_8_bit(picture)
    except SourceError as error:
        raise SourceError(f"{path} is {error}") from error
    damage = [line for line in complaints if any(word in line.lower() for word in _DAMAGE)]
    if not damage:
        return upright, None
    cut = any("premature end" in line.lower() for line in damage)
    said = "cut short, its missing part is gray" if cut else damage[0]
    return upright, f"{path} is damaged ({said}); using what could be read"


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


def _decoded(data: NDArray[np.uint8], kind: str | None, gray: bool) -> NDArray[Any] | None:
    """Upright, of 8, 16 or 32 bits, or None. Raises cv2.error.

    OpenCV honours EXIF by itself unless told not to. In AVIF the container's own turn counts instead, where
    it has one, of which OpenCV knows nothing.
    """
    how = cv2.IMREAD_GRAYSCALE if gray else cv2.IMREAD_COLOR
    turn, mirror = _turn_of_avif(data.tobytes()) if kind == "AVIF" else (0, None)
    if turn or mirror is not None:
        how |= cv2.IMREAD_IGNORE_ORIENTATION
    picture = cv2.imdecode(data, how | cv2.IMREAD_ANYDEPTH)
    if picture is not None and picture.dtype.kind == "f":
        light = picture
        picture = cv2.imdecode(data, how)  # OpenCV's own way from light to 8 bits, which in PFM is no way
        if light.max(initial=0) <= 1:
            picture = cv2.convertScaleAbs(light, alpha=255)
        if gray and picture is not None and picture.ndim == 3:  # PFM's decoder keeps colours
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
    if picture is None and kind == "JPEG":
        picture = cv2.imdecode(np.append(data, np.array([0xFF, 0xD9], np.uint8)), how)  # its end is missing
    if picture is None or not (turn or mirror is not None):
        return cast("NDArray[Any] | None", picture)
    turned = np.rot90(picture, turn)
    return np.ascontiguousarray(turned if mirror is None else np.flip(turned, mirror))


def _turn_of_avif(data: bytes) -> tuple[int, int | None]:
    """Quarter turns counter-clockwise, then the axis to mirror (0 rows, 1 columns) of an AVIF's main picture.

    ISO/IEC 23008-12: `irot` and `imir` among the properties that `ipma` gives to the item of `pitm`.
    """
    try:
        meta = dict(_boxes(dict(_boxes(data))[b"meta"][4:]))
        main, properties = int.from_bytes(meta[b"pitm"][4:6]), dict(_boxes(meta[b"iprp"]))
        known = list(_boxes(properties[b"ipco"]))
        chosen = [known[index - 1] for index in _associated(properties[b"ipma"], main) if index]
        turns = [value[0] & 3 for name, value in chosen if name == b"irot"]
        mirrors = [value[0] & 1 for name, value in chosen if name == b"imir"]
    except (KeyError, IndexError):
        return 0, None
    return next(iter(turns), 0), next(iter(mirrors), None)


def _boxes(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Name and content of each box of an ISO base media file."""
    at = 0
    while at + 8 <= len(data):
        size, head = int.from_bytes(data[at : at + 4]), 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16]), 16
        size = size or len(data) - at
        if size < head:
            return
        yield data[at + 4 : at + 8], data[at + head : at + size]
        at += size


def _associated(ipma: bytes, item: int) -> list[int]:
    """The numbers, from 1, of an item's properties."""
    id_bytes, index_bytes = (4 if ipma[0] else 2), (2 if ipma[3] & 1 else 1)
    at = 8
    for _ in range(int.from_bytes(ipma[4:8])):
        number, at = int.from_bytes(ipma[at : at + id_bytes]), at + id_bytes
        places = [at + 1 + n * index_bytes for n in range(ipma[at])]
        if number == item:
            mask = 0x7FFF if index_bytes == 2 else 0x7F  # the highest bit says `essential`
            return [int.from_bytes(ipma[place : place + index_bytes]) & mask for place in places]
        at += 1 + len(places) * index_bytes
    return []
