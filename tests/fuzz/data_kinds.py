"""Tables, archives, folder trees, pictures and videos, read as `--data` and the loop do."""

import contextlib
import csv
import gzip
import io
import json
import lzma
import os
import re
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import cv2
import numpy as np
from drawn_clip import drawn_clip

from fer_edge.data import Dataset, drawn_faces, find_source, load, protocol_splits, summarise
from fer_edge.data.dataset import SPLITS
from fer_edge.data.tree import read_face
from fer_edge.errors import FerEdgeError
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.pictures import Pictures
from fer_edge.sources.video import VideoFile
from fer_edge.spec import LABELS
from fer_edge.vision.crop import to_bgr, to_gray
from fuzz.harness import Kind, damaged, damaged_after_name, of

FACES = drawn_faces(14, 3)[0]
HEADERS = ("emotion, Usage, pixels", "pixels,emotion", "\ufeffemotion,pixels,Usage", "emotion", "")
TREES = (("train", "test"), ("train", "validation"), ("Training", "PublicTest", "PrivateTest"), ("train",))
ODD = (
    "contempt", "3_happy", "Happy", "", " ", ".happy", "happy\n", "é", "\udcff", "x" * 255, "__MACOSX", "3",
    "-r", "*", "happy.png", "train", "\x1b[31m", *LABELS,
)  # fmt: skip
CONTENTS = ("text", "empty", "huge", "wide", "cut", "face 5", "face 9", "gif", "deep")
TARGETS = ("/dev/zero", "/dev/null", "/etc/passwd", "/proc/self/mem", "nowhere", ".", "..", "/")
WHAT = ("file", "file", "link", "pipe", "folder")


def table(rng: Random) -> bytes:
    """A small table with rows of every sort: whole, short, long, out of range, quoted."""
    header = "emotion,pixels,Usage" if rng.random() < 0.7 else rng.choice(HEADERS)
    rows = [header]
    for _ in range(rng.randrange(0, 6)):
        pixels = " ".join(map(str, rng.choice(FACES).ravel()))
        if rng.random() < 0.15:
            pixels = rng.choice([pixels[:-2], pixels + " 7", pixels.replace(" ", "  "), "", pixels + " 256"])
        fields = {
            "emotion": rng.choice(["0", "3", "6", "6", "7", "-1", "", " 2 ", "2.0", "٣", "happy"]),
            "pixels": f'"{pixels}"' if rng.random() < 0.2 else pixels,
            "Usage": rng.choice([*SPLITS, *SPLITS, "training", "", "Test"]),
        }
        rows.append(",".join(fields.get(name.strip("\ufeff "), "x") for name in header.split(",")))
    return rng.choice(["\n", "\r\n"]).join(rows).encode() + b"\n" * rng.randrange(3)


def _expected(text: bytes) -> set[tuple[int, int, bytes]] | None:
    """What the csv module and plain Python make of the table; None where the two may differ in taste."""
    if text[:6] != b"emotio" or b'"' in text or b"\r" in text.replace(b"\r\n", b"") or b"\0" in text:
        return None
    splits, found = {name.lower(): index for index, name in enumerate(SPLITS)}, set()
    for raw in csv.DictReader(io.StringIO(text.decode(), newline=""), skipinitialspace=True):
        row = {str(k).strip().lower(): v for k, v in raw.items() if isinstance(v, str)}
        values = row.get("pixels", "").split()
        whole = len(values) == 2304 and all(v.isascii() and v.isdigit() and int(v) < 256 for v in values)
        split = splits.get(row["usage"].strip().lower()) if "usage" in row else 0
        if whole and split is not None and row.get("emotion", "").strip() in set("0123456"):
            found.add((int(row["emotion"]), split, bytes(map(int, values))))
    return found


def _sound(dataset: Dataset) -> set[tuple[int, int, bytes]]:
    """Its faces as (label, split, pixels)."""
    assert dataset.images.shape == (len(dataset.labels), 48, 48) > (0, 48, 48)
    assert dataset.images.dtype == np.uint8
    assert (np.diff(dataset.ids) > 0).all()
    faces = (image.tobytes() for image in dataset.images)
    found = set(zip(dataset.labels.tolist(), dataset.split.tolist(), faces, strict=True))
    assert all(label < 7 and split < 3 for label, split, _ in found)
    return found


def read_table(data: bytes, folder: Path) -> None:
    """No row may be taken that plain Python does not take for a face."""
    (folder / "fer2013.csv").write_bytes(data)
    found, expected = _sound(find_source(str(folder / "fer2013.csv")).read()), _expected(data)
    assert expected is None or found <= expected, "a row was read as something else"


def packed(rng: Random) -> bytes:
    """A table packed in each way, with names that lead out of their folder among them."""
    text, stream, way = table(rng), io.BytesIO(), rng.choice(["xz", "gz", "zip", "zip"])
    names = rng.sample(["fer2013.csv", "a/fer2013.csv", "../../out.csv", "/tmp/o.csv", "a.txt"], 2)
    if way == "zip":
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in names:
                archive.writestr(zipfile.ZipInfo(name), text)
        return damaged(stream.getvalue(), rng)
    return lzma.compress(text, preset=0) if way == "xz" else gzip.compress(text, 1, mtime=0)


def read_packed(data: bytes, folder: Path) -> None:
    (folder / "fer2013.zip").write_bytes(data)  # what it is, its first bytes say
    _sound(find_source(str(folder / "fer2013.zip")).read())
    assert [path.name for path in folder.iterdir()] == ["fer2013.zip"], "something was unpacked"


def tree(rng: Random) -> bytes:
    """JSON, a list of [what, path, content] to make in this order: a tree of pictures, one class in ten of an
    odd name, and up to four things that do not belong there."""
    splits = rng.choice(TREES) if rng.random() < 0.5 else TREES[0]
    steps = []
    for k, label in enumerate(LABELS):
        named = label if rng.random() < 0.9 else rng.choice(ODD)
        steps += [
            ["file", f"{split}/{named}/{s}.png", f"face {(k + 7 * s) % 14}"] for s, split in enumerate(splits)
        ]
    for _ in range(rng.randrange(0, 5)):
        what, place = rng.choice(WHAT), rng.choice(steps)[1].split("/")
        place[rng.randrange(len(place))] = rng.choice([*ODD, "8.png"])
        odd = [what, "/".join(place), rng.choice(TARGETS if what == "link" else CONTENTS)]
        steps.insert(rng.randrange(len(steps) // 2, len(steps) + 1), odd)
    return json.dumps(steps).encode()


@cache
def _content(name: str) -> bytes:
    pixels = {"wide": np.zeros((20, 60), np.uint8), "deep": np.full((48, 48), 40_000, np.uint16)}
    pixels |= {f"face {n}": face for n, face in enumerate(FACES)}
    if name in pixels:
        return cv2.imencode(".png", pixels[name])[1].tobytes()
    others = {"text": b"not a picture", "cut": _content("face 0")[:300], "gif": b"GIF89a" + bytes(20)}
    return others.get(name, b"")


def _make(root: Path, what: str, name: str, content: str) -> None:
    """Links lead out of the tree: reading may follow them, making must not."""
    path = root / name
    if not path.parent.resolve().is_relative_to(root.resolve()):
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "file":
        path.unlink(missing_ok=True)  # were it a pipe or a link, writing would wait, or lead out
        path.write_bytes(_content(content))
        if content == "huge":
            os.truncate(path, 1 << 40)  # a hole: it takes no room
    elif what in ("link", "pipe", "folder"):
        {"link": lambda: path.symlink_to(content), "pipe": lambda: os.mkfifo(path)}.get(what, path.mkdir)()


def _named(root: Path) -> set[tuple[int, bytes]]:
    """(label, pixels) of each of FACES that lies below a folder of the label's name."""
    face_of, found = {_content(f"face {n}"): face.tobytes() for n, face in enumerate(FACES)}, set()
    for path in root.rglob("*"):
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 10_000:
            for part in path.relative_to(root).parts[:-1]:
                word = re.sub(r"[\W\d_]", "", part.lower())
                label = LABELS.index(word) if word in LABELS else 3 if part == "3" else None
                found.add((label, face_of.get(path.read_bytes())))
    return found


def read_tree(data: bytes, folder: Path) -> None:
    """As `data` and `train` read it; each face has the label of a folder that it lies in."""
    root = folder / "tree"
    root.mkdir()
    for step in json.loads(data):
        with contextlib.suppress(OSError, ValueError):  # a name that the file system does not bear
            _make(root, *step)
    os.environ["FER_EDGE_CACHE"] = str(folder / "cache")
    before = sorted(map(str, root.rglob("*")))
    try:
        with contextlib.suppress(FerEdgeError):
            load(str(root))
        dataset = load(str(root), skip_bad_rows=True)
        faces = {(label, pixels) for label, _, pixels in _sound(dataset)}
        ours = {face.tobytes() for face in FACES}
        assert {face for face in faces if face[1] in ours} <= _named(root), "a label is not its folder's"
        json.dumps(summarise(dataset))
        protocol_splits(dataset, "official")
    finally:
        assert sorted(map(str, root.rglob("*"))) == before, "the tree was changed"


@cache
def pictures() -> tuple[bytes, ...]:
    face, colour = FACES[0], np.dstack([FACES[0], FACES[1], FACES[0][::-1]])
    suffixes = (".jpg", ".png", ".bmp", ".webp", ".tiff", ".gif", ".ppm", ".jp2", ".avif")
    pixels = [(suffix, colour) for suffix in suffixes]
    pixels += [(".pgm", face), (".png", face.astype(np.uint16) * 257), (".tiff", face.astype(np.float32))]
    pixels += [(".png", cv2.cvtColor(colour, cv2.COLOR_BGR2BGRA))]
    encoded = [b"P5\n30000 30000\n255\n" + bytes(100)]
    for suffix, values in pixels:
        with contextlib.suppress(cv2.error):  # a build without the format
            encoded.append(cv2.imencode(suffix, values)[1].tobytes())
    return tuple(encoded)


def read_picture(data: bytes, folder: Path) -> None:
    """Both readers: the training set's, to a face, and the loop's, to a frame that can be analysed."""
    (folder / "p.jpg").write_bytes(data)
    with contextlib.suppress(FerEdgeError):
        assert read_face(folder / "p.jpg").shape == (48, 48)
    frame = Pictures(folder / "p.jpg").read()
    assert frame is not None
    assert frame.bgr.dtype == np.uint8
    assert to_gray(to_bgr(frame.bgr)).shape == frame.bgr.shape[:2]


@cache
def videos() -> tuple[bytes, ...]:
    """`SUFFIX\0bytes`."""
    made, codes = [], (("mp4", "mp4v"), ("avi", "MJPG"), ("mkv", "MJPG"), ("avi", "XVID"), ("mov", "mp4v"))
    with tempfile.TemporaryDirectory() as folder:
        for suffix, code in codes:
            path = drawn_clip(Path(folder, f"v.{suffix}"), frames_each=6, code=code, size=(64, 48))
            if path.is_file():
                made.append(f".{suffix}".encode() + b"\0" + path.read_bytes())
    return tuple(made)


def read_video(data: bytes, folder: Path) -> None:
    suffix, _, content = data.partition(b"\0")
    (folder / f"v{suffix.decode()}").write_bytes(content)
    _read_frames(VideoFile(folder / f"v{suffix.decode()}"))


def motion_jpeg() -> tuple[bytes, ...]:
    jpeg = cv2.imencode(".jpg", FACES[0])[1].tobytes()
    return (jpeg + jpeg + jpeg[:-2] + jpeg,)


def _read_frames(source: Any) -> None:
    """Every frame, 500 at most."""
    with contextlib.closing(source):
        source.open()
        for _ in range(500):
            if (frame := source.read()) is None:
                break
            assert (frame.bgr.dtype, frame.bgr.ndim) == (np.uint8, 3)
            assert np.isfinite(frame.time_s)


KINDS = {
    "table": Kind(table, read_table),
    "packed_table": Kind(packed, read_packed),
    "tree": Kind(tree, read_tree),
    "picture": Kind(of(pictures), read_picture),
    "video": Kind(of(videos, damaged_after_name), read_video),
    "motion_jpeg": Kind(of(motion_jpeg), lambda data, _: _read_frames(MjpegPipe(io.BytesIO(data)))),
}
