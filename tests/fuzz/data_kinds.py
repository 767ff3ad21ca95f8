"""Tables, archives of them and folder trees, read as `--data` reads them."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import numpy as np

from fer_edge.data import loading
from fer_edge.data.dataset import SPLITS, Dataset
from fer_edge.data.drawn import drawn_faces
from fer_edge.data.loading import find_source
from fuzz.mutation import Random, damaged

HEADERS = (
    "emotion,pixels,Usage", "emotion, Usage, pixels", "pixels,emotion", "\ufeffemotion,pixels,Usage",
    "emotion", "",
)  # fmt: skip


@cache
def pixel_texts() -> tuple[str, ...]:
    images, _ = drawn_faces(7, 0)
    return tuple(" ".join(map(str, image.ravel())) for image in images)


def table(rng: Random) -> bytes:
    """A small table with rows of every sort: whole, short, long, out of range, quoted."""
    header = HEADERS[0] if rng.random() < 0.7 else str(rng.choice(HEADERS))
    rows = [header]
    for _ in range(int(rng.integers(0, 6))):
        pixels = str(rng.choice(pixel_texts()))
        emotion = str(rng.choice(["0", "3", "6", "6", "7", "-1", "", " 2 ", "2.0", "٣", "happy"]))
        usage = str(rng.choice([*SPLITS, *SPLITS, "training", "", "Test"]))
        if rng.random() < 0.15:
            wrong = [pixels[:-2], pixels + " 7", pixels.replace(" ", "  "), "", pixels + " 256"]
            pixels = str(rng.choice(wrong))
        if rng.random() < 0.2:
            pixels = f'"{pixels}"'
        fields = {"emotion": emotion, "pixels": pixels, "Usage": usage}
        names = [name.strip().strip("\ufeff") for name in header.split(",")]
        rows.append(",".join(fields.get(name, "x") for name in names))
    return str(rng.choice(["\n", "\r\n"])).join(rows).encode() + b"\n" * int(rng.integers(3))


def _expected(text: bytes) -> list[tuple[int, int, bytes]] | None:
    """What the csv module and plain Python make of the table; None where the two may differ in taste."""
    try:
        rows = list(csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""), skipinitialspace=True))
    except (UnicodeDecodeError, csv.Error):
        return None
    if b'"' in text or b"\r" in text.replace(b"\r\n", b"") or b"\0" in text:
        return None
    found = []
    for raw in rows:
        row = {str(k).strip().lower(): v for k, v in raw.items() if isinstance(v, str)}
        values = row.get("pixels", "").split()
        whole = len(values) == 2304 and all(v.isascii() and v.isdigit() and int(v) < 256 for v in values)
        names = {name.lower(): index for index, name in enumerate(SPLITS)}
        split = names.get(row["usage"].strip().lower()) if "usage" in row else 0
        if whole and split is not None and row.get("emotion", "").strip() in set("0123456"):
            found.append((int(row["emotion"]), split, bytes(map(int, values))))
    return found


def _sound(dataset: Dataset) -> None:
    count = len(dataset.labels)
    assert count > 0
    assert dataset.images.shape == (count, 48, 48)
    assert dataset.images.dtype == np.uint8
    assert set(dataset.labels.tolist()) <= set(range(7))
    assert set(dataset.split.tolist()) <= set(range(3))
    assert (np.diff(dataset.ids) > 0).all()


def read_table(data: bytes, folder: Path) -> None:
    """Every row that plain Python takes for a face must be there, and no other."""
    (folder / "fer2013.csv").write_bytes(data)
    dataset = find_source(str(folder / "fer2013.csv")).read(False)
    _sound(dataset)
    expected = _expected(data)
    if expected is not None and data[:6] == b"emotio":
        taken = list(zip(dataset.labels, dataset.split, (i.tobytes() for i in dataset.images), strict=True))
        assert len(expected) >= len(taken), "rows were taken that are none"
        assert set(taken) <= set(expected), "a row was read as something else"


def packed(rng: Random) -> bytes:
    """A table packed in each way, with names that lead out of their folder among them."""
    text = table(rng)
    name = str(
        rng.choice(["fer2013.csv", "fer2013/fer2013.csv", "../../out.csv", "/tmp/o.csv", "a.txt", "é.csv"])
    )
    stream = io.BytesIO()
    way = int(rng.integers(4))
    if way == 0:
        return lzma.compress(text, preset=0)
    if way == 1:
        return gzip.compress(text, 1, mtime=0)
    if way == 2:
        with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for k in range(int(rng.integers(1, 3))):
                archive.writestr(zipfile.ZipInfo(f"{k}{name}" if k else name), text)
        return stream.getvalue()
    with tarfile.open(fileobj=stream, mode="w:gz", compresslevel=1) as archive:
        member = tarfile.TarInfo(name)
        member.size = len(text)
        member.type = tarfile.REGTYPE if rng.random() < 0.8 else tarfile.SYMTYPE
        member.linkname = "/etc/passwd"
        archive.addfile(member, io.BytesIO(text))
    return stream.getvalue()


def read_packed(data: bytes, folder: Path) -> None:
    (folder / "fer2013.zip").write_bytes(data)
    _sound(find_source(str(folder / "fer2013.zip")).read(False))
    assert [path.name for path in folder.iterdir()] == ["fer2013.zip"], "something was unpacked"


def kept(rng: Random) -> bytes:
    """Which of a cache entry's files is damaged, and how: `NAME\\0bytes`."""
    folder = _entry()
    names = sorted(path.name for path in folder.iterdir())
    name = names[int(rng.integers(len(names)))]
    return name.encode() + b"\0" + damaged((folder / name).read_bytes(), rng)


@cache
def _entry() -> Path:
    import os
    import tempfile

    os.environ["FER_EDGE_CACHE"] = tempfile.mkdtemp(prefix="fuzz-cache-")
    images, labels = drawn_faces(7, 0)
    numbers = np.arange(7)
    loading.keep("k", Dataset(images, labels, (numbers % 3).astype(np.uint8), numbers + 1, "p", "s"))
    return Path(os.environ["FER_EDGE_CACHE"]) / "data" / f"k-v{loading.VERSION}"


def read_kept(data: bytes, folder: Path) -> None:
    """A damaged entry is not used, or what comes out has its shape."""
    name, _, content = data.partition(b"\0")
    path = _entry() / name.decode()
    sound = path.read_bytes()
    try:
        path.write_bytes(content)
        dataset = loading.find("k", "p")
        if dataset is not None:
            assert dataset.images.shape == (7, 48, 48)
            assert set(dataset.labels.tolist()) <= set(range(7))
    finally:
        path.write_bytes(sound)
