"""Folder trees of pictures as `--data` reads them: with odd names, links, pipes, rubbish, nothing at all.

An input is JSON: a list of [what, path, content] in the order in which they are made.
"""

from __future__ import annotations

import contextlib
import json
import os
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from fer_edge.data import drawn_faces, load, protocol_splits, summarise
from fer_edge.errors import FerEdgeError
from fuzz.mutation import Random

CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
SPLITS = (("train", "test"), ("train", "validation"), ("Training", "PublicTest", "PrivateTest"), ("train",))
SPELT = {"Happy": 3, "3_happy": 3, "HAPPINESS": 3, "anger": 0, "0 angry": 0, "Surprised": 5, "sadness": 4}
ODD = (
    "contempt", "", " ", ".happy", "happy\n", "é", "\udcff", "x" * 255, "__MACOSX", "3", "7", "happy sad",
    "-r", "*", "happy.png", "train", "\x1b[31m", "nul",
)  # fmt: skip
CONTENTS = ("text", "empty", "huge", "wide", "cut", "face 5", "face 9", "gif", "deep")
TARGETS = ("/dev/zero", "/dev/null", "/etc/passwd", "/proc/self/mem", "nowhere", ".", "..", "/")
WHAT = ("file", "file", "file", "link", "link", "pipe", "folder", "remove", "rename", "rename", "close")


@cache
def _faces() -> NDArray[np.uint8]:
    return drawn_faces(14, 3)[0]


def tree(rng: Random) -> bytes:
    """A sound tree, some of it missing, and one to four things that do not belong there."""
    splits = SPLITS[int(rng.integers(len(SPLITS) if rng.random() < 0.5 else 1))]
    root = "archive/" if rng.random() < 0.2 else ""
    steps: list[list[str]] = []
    for s, split in enumerate(splits):
        for k, label in enumerate(CLASSES):
            steps.append(["file", f"{root}{split}/{label}/{s}.png", f"face {(k + 7 * s) % 14}"])
    for _ in range(int(rng.integers(0, 5))):
        steps.insert(int(rng.integers(len(steps) // 2, len(steps) + 1)), _odd(steps, rng))
    return json.dumps(steps).encode()


def _odd(steps: list[list[str]], rng: Random) -> list[str]:
    what = str(rng.choice(WHAT))
    place = steps[int(rng.integers(len(steps)))][1].split("/")
    place[int(rng.integers(len(place)))] = str(rng.choice([*ODD, *SPELT]))
    if rng.random() < 0.5:
        place = [*steps[int(rng.integers(len(steps)))][1].split("/")[:-1], f"{rng.integers(9)}.png"]
    if what in ("remove", "rename", "close"):
        old = steps[int(rng.integers(len(steps)))][1].split("/")
        old = old[: int(rng.integers(1, len(old) + 1))]
        new = [*old[:-1], str(rng.choice([*ODD, *SPELT, *CLASSES]))]
        return [what, "/".join(old), "/".join(new)]
    return [what, "/".join(place), str(rng.choice(TARGETS if what == "link" else CONTENTS))]


@cache
def _content(name: str) -> bytes:
    if name.startswith("face"):
        return cv2.imencode(".png", _faces()[int(name.split()[1])])[1].tobytes()
    made = {
        "text": b"not a picture",
        "empty": b"",
        "wide": cv2.imencode(".png", np.zeros((20, 60), np.uint8))[1].tobytes(),
        "cut": cv2.imencode(".png", _faces()[0])[1].tobytes()[:300],
        "gif": b"GIF89a" + bytes(20),
        "deep": cv2.imencode(".png", np.full((48, 48), 40_000, np.uint16))[1].tobytes(),
    }
    return made.get(name, b"")


def _inside(path: Path, root: Path) -> bool:
    """Links lead out of the tree: reading may follow them, making must not."""
    return path.parent.resolve().is_relative_to(root.resolve())


def _make(root: Path, step: list[str]) -> None:
    what, name, content = step
    path = root / name
    if not _inside(path, root):
        return
    if what == "remove":
        path.unlink(missing_ok=True)
        return
    if what == "rename":
        if _inside(root / content, root):
            path.rename(root / content)
        return
    if what == "close":  # for root, who may open all the same, it changes nothing
        if not path.is_symlink():
            path.chmod(0)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if what == "link":
        path.symlink_to(content)
    elif what == "pipe":
        os.mkfifo(path)
    elif what == "folder":
        path.mkdir()
    else:
        path.unlink(missing_ok=True)  # were it a pipe or a link, writing would wait, or lead out
        path.write_bytes(_content(content))
        if content == "huge":
            os.truncate(path, 1 << 40)  # a hole: it takes no room


def read_tree(data: bytes, folder: Path) -> None:
    """As `data` and `train` read it; a face is only taken with the label of the folder that it lies in."""
    root = folder / "tree"
    root.mkdir()
    for step in json.loads(data):
        with contextlib.suppress(OSError, ValueError):  # a name that the file system does not bear
            _make(root, step)
    os.environ["FER_EDGE_CACHE"] = str(folder / "cache")
    before = _listed(root)
    try:
        with contextlib.suppress(FerEdgeError):
            load(str(root), progress=False)
        dataset = load(str(root), progress=False, skip_bad_rows=True)
        assert dataset.images.shape == (len(dataset), 48, 48)
        found = {
            (int(label), face.tobytes()) for label, face in zip(dataset.labels, dataset.images, strict=True)
        }
        known = {face.tobytes() for face in _faces()}
        wrong = {pair for pair in found if pair[1] in known} - _expected(root)
        assert not wrong, f"{len(wrong)} faces under a label that is not their folder's"
        json.dumps(summarise(dataset))
        protocol_splits(dataset, "official")
    finally:
        assert _listed(root) == before, "the tree was changed"


def _listed(root: Path) -> list[str]:
    return sorted(str(path) for path in root.rglob("*"))


def _expected(root: Path) -> set[tuple[int, bytes]]:
    """Each face that lies in a class folder, with that folder's label, worked out from the spelling alone."""
    spelt: dict[str, Any] = {name: k for k, name in enumerate(CLASSES)} | SPELT
    spelt |= {str(k): k for k in range(7)}  # where all are numbers
    found = set()
    for path in root.rglob("*"):
        label = spelt.get(path.parent.name.strip())
        if label is not None and path.is_file() and path.stat().st_size < 1 << 20:
            data = np.fromfile(path, np.uint8)
            face = cv2.imdecode(data, cv2.IMREAD_GRAYSCALE) if len(data) else None
            if face is not None:
                found.add((label, face.tobytes()))
    return found
