"""FER-2013 as a folder tree: a folder for each split, in it a folder of pictures for each expression."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.data.dataset import SPLITS, BadRow, BadRows, Dataset, Stat
from fer_edge.data.table import Rows
from fer_edge.errors import DataError, SourceError
from fer_edge.pictures import SUFFIXES, kind_in, read_picture
from fer_edge.spec import INPUT_SHAPE, LABELS, SPELLINGS
from fer_edge.vision.crop import resize_face

_LABEL_OF = {word: n for n, label in enumerate(LABELS) for word in SPELLINGS[label]}
_SPLIT_OF = {
    **dict.fromkeys(("training", "train"), 0),
    **dict.fromkeys(("publictest", "validation", "valid", "val"), 1),
    **dict.fromkeys(("privatetest", "testing", "test"), 2),
}
_OFFICIAL = {"training", "publictest", "privatetest"}
_MAX_BYTES = 32 << 20  # of a picture of one face
_NAMED = 5  # of what is left out, in a warning

Classes = dict[Path, dict[str, list[Path]]]
"""The pictures by split folder and name of their class folder."""


class Picture(NamedTuple):
    """A picture of the tree: path below the root with slashes, split and label index."""

    name: str
    path: Path
    split: int
    label: int


@dataclass(frozen=True)
class Tree:
    """A tree on disk; a source as `loading` reads it, like `table.Table`.

    pictures: in the order of their names. protocol: what the split folders' names mean. left_out: whatever
    else is there, but for hidden files. warnings: what the user should know of it.
    """

    place: Path
    pictures: tuple[Picture, ...]
    protocol: str
    left_out: BadRows
    warnings: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.place.name or self.place} ({len(self)} pictures)"

    def __len__(self) -> int:
        return len(self.pictures)

    def stat(self) -> Stat:
        """Changes when a file of the tree does, without reading it."""
        digest, newest = hashlib.sha256(), 0
        for picture in self.pictures:
            size, changed = _size_and_time(picture.path)
            newest = max(newest, changed)
            digest.update(os.fsencode(f"{picture.name}\0{picture.label}\0{size}\0{changed}\0"))
        return Stat([len(self), digest.hexdigest()], newest)

    def content(self) -> str:
        """SHA-256 of all names, labels and bytes. Raises OSError."""
        digest = hashlib.sha256(self.protocol.encode())
        for picture in self.pictures:
            size, _ = _size_and_time(picture.path)
            data = picture.path.read_bytes() if 0 <= size <= _MAX_BYTES else b""
            digest.update(os.fsencode(f"\0{picture.name}\0{picture.label}\0{len(data)}\0"))
            digest.update(data)
        return digest.hexdigest()

    def read(self, path: str, step: Callable[[int], object] = lambda pictures: None) -> Dataset:
        """Decodes every picture: gray, upright, 48x48 (others are resized if square).

        path: what the user named. step: called with 1 for each. ids: the place in the order of names, from 1.
        Pictures that cannot be used are in `bad`. Raises DataError where none can be used.
        """
        rows = Rows()
        for place, picture in enumerate(self.pictures, 1):
            try:
                rows.add(place, picture.label, picture.split, read_face(picture.path))
            except SourceError as error:
                rows.reject(BadRow(picture.name, str(error).removeprefix(f"{picture.path} ")))
            step(1)
        return rows.dataset(path, self.protocol)


def find_tree(path: str, class_names: str | None = None) -> Tree:
    """Finds split and class folders, also where one folder holds them all (`archive/train/...`).

    class_names: see `load`. Raises DataError where a split is missing or empty, saying which tree is expected
    and what was found, and where the splits hold different classes, listing the differences.
    """
    root = Path(path)
    for _ in range(3):
        inside = _folders(root)
        if any(_split_of(folder.name) is not None for folder in inside) or len(inside) != 1:
            break
        root = inside[0]
    splits = _splits(root, path)
    others: list[tuple[Path, str]] = [
        (folder, "is no split") for folder in _folders(root) if folder not in splits.values()
    ]
    classes = {folder: _classes(folder, others) for folder in splits.values()}
    _refuse_empty(classes, path)
    label_of = labels_of({name for found in classes.values() for name in found}, class_names)
    _compare(classes, label_of, path)
    if set(splits) == {0, 1}:  # train/ and validation/ alone: what is not trained on is the test
        splits = {0: splits[0], 2: splits[1]}
    pictures = [
        Picture(file.relative_to(root).as_posix(), file, split, label)
        for split, folder in splits.items()
        for name, files in classes[folder].items()
        if (label := label_of[name]) is not None
        for file in files
    ]
    official = {_plain(folder.name) for folder in splits.values()} == _OFFICIAL
    left_out = [BadRow(other.relative_to(root).as_posix(), why) for other, why in others]
    return Tree(
        root,
        tuple(sorted(pictures, key=lambda picture: picture.name)),
        "official" if official else "holdout",
        BadRows(len(left_out), tuple(left_out[: BadRows.KEPT])),
        tuple(_warnings(path, left_out, label_of, class_names)),
    )


def labels_of(folders: set[str], class_names: str | None = None) -> dict[str, int | None]:
    """Each class folder's label index, None if unknown.

    A number before the word is passed over (`3_happy`). Numbers alone are what `class_names` says (`load`),
    else FER-2013's if they are 0 to 6, else unknown: other data sets count from 1 and in another order.
    Raises DataError for class names that do not fit.
    """
    numbers = sorted(folders, key=int) if folders and all(name.isdecimal() for name in folders) else []
    if class_names is not None:
        labels = [_LABEL_OF.get(_plain(word)) for word in class_names.split(",")]
        if len(labels) != len(numbers) or set(labels) != set(range(len(LABELS))):
            raise DataError(
                f"--class-names {class_names}: name the seven expressions in the order of class folders that "
                f"are numbers, joined by commas ({','.join(LABELS)}); the folders are "
                f"{', '.join(numbers or sorted(folders))}"
            )
        return dict(zip(numbers, labels, strict=True))
    if [int(name) for name in numbers] == list(range(len(LABELS))):
        return {name: int(name) for name in numbers}
    return {name: _LABEL_OF.get(_plain(name).lstrip("0123456789")) for name in folders}


def read_face(path: Path) -> NDArray[np.uint8]:
    """uint8 (48, 48); of a picture that can be read in part a warning is printed. Raises SourceError."""
    size, _ = _size_and_time(path)
    if size > _MAX_BYTES:
        raise SourceError(f"{path} has {size >> 20} MiB, too many for a face")
    gray, warning = read_picture(path, gray=True)
    height, width = gray.shape
    if height != width:
        raise SourceError(
            f"{path} has {width}x{height} pixels, not a square of {INPUT_SHAPE[1]}x{INPUT_SHAPE[0]}"
        )
    if warning:
        console.warn(warning)
    return resize_face(gray, INPUT_SHAPE[:2])


def _size_and_time(path: Path) -> tuple[int, int]:
    """Bytes, -1 for what cannot be read like a file (a pipe, a link to nowhere); last change in ns."""
    try:
        found = path.stat()
    except OSError:
        return -1, 0
    plain = stat.S_ISREG(found.st_mode) and os.access(path, os.R_OK)
    return found.st_size if plain else -1, found.st_mtime_ns


def _plain(name: str) -> str:
    """Letters and digits in lower case: `Public_Test` and `public test` are the same."""
    return re.sub(r"[\W_]+", "", name.lower())


def _split_of(name: str) -> int | None:
    return _SPLIT_OF.get(_plain(name))


def _refuse(error: OSError) -> NoReturn:
    raise DataError(f"cannot read {error.filename}: {error.strerror}") from error


def _folders(root: Path) -> list[Path]:
    try:
        with os.scandir(root) as entries:
            inside = sorted(entry.name for entry in entries if entry.is_dir())
    except OSError as error:
        _refuse(error)
    return [root / name for name in inside if not name.startswith((".", "__"))]


def _splits(root: Path, path: str) -> dict[int, Path]:
    splits: dict[int, Path] = {}
    for folder in _folders(root):
        split = _split_of(folder.name)
        if split is None:
            continue
        if split in splits:
            raise DataError(
                f"{path}: {splits[split].name}/ and {folder.name}/ both mean {SPLITS[split]}: keep one"
            )
        splits[split] = folder
    if 0 not in splits or len(splits) < 2:
        found = [f"{folder.name}/" for folder in _folders(root)]
        raise DataError(_expected(path, ", ".join(found[:10]) or "no folder"))
    return dict(sorted(splits.items()))


def _expected(path: str, found: str) -> str:
    return (
        f"{path} is not a tree of pictures: expected train/CLASS/*.jpg and test/CLASS/*.jpg (or png; or "
        f"Training, PublicTest, PrivateTest), CLASS being {', '.join(LABELS)}; found {found}"
    )


def _classes(split: Path, others: list[tuple[Path, str]]) -> dict[str, list[Path]]:
    """Pictures in each class folder and below it, by the folder's name; whatever else goes to `others`."""
    found: dict[str, list[Path]] = {}
    folders = _folders(split)
    others += [(file, "is in no class folder") for file in sorted(split.iterdir())
               if not file.name.startswith((".", "__")) and file not in folders]  # fmt: skip
    for folder in folders:
        for here, below, names in os.walk(folder, onerror=_refuse):
            below[:] = sorted(name for name in below if not name.startswith((".", "__")))
            links = [Path(here, name) for name in below if Path(here, name).is_symlink()]
            others += [(link, "is a link to a folder") for link in links]
            for file in sorted(Path(here, name) for name in names if not name.startswith(".")):
                if _is_picture(file):
                    found.setdefault(folder.name, []).append(file)
                else:
                    others.append((file, "is no picture"))
    return found


def _is_picture(file: Path) -> bool:
    """By its ending, sound or not; else by its content."""
    if file.suffix.lower() in (*SUFFIXES, ".gif"):
        return True
    try:
        return kind_in(file) not in (None, "HEIC")
    except SourceError:
        return False


def _refuse_empty(classes: Classes, path: str) -> None:
    if all(classes.values()):
        return
    counts = []
    for folder, found in classes.items():
        empty = "folders in it, no pictures" if _folders(folder) else "empty"
        pictures = sum(len(files) for files in found.values())
        counts.append(f"{folder.name}/ ({f'{pictures} pictures' if pictures else empty})")
    raise DataError(_expected(path, ", ".join(counts)))


def _compare(classes: Classes, label_of: dict[str, int | None], path: str) -> None:
    differences = []
    for folder, found in classes.items():
        differences += [f"{folder.name}/ has {name} ({len(found[name])} pictures)"
                        for name in sorted(found) if label_of[name] is None]  # fmt: skip
        known = {label_of[name] for name in found}
        lacking = [label for index, label in enumerate(LABELS) if index not in known]
        differences += [f"{folder.name}/ lacks {', '.join(lacking)}"] if lacking else []
    if differences:
        numbers = all(name.isdecimal() for name in label_of)
        ask = (
            "; for folders that are numbers --class-names (or FER_EDGE_CLASS_NAMES) says which is which"
            if numbers
            else ""
        )
        raise DataError(
            f"{path}: each split must have the same seven class folders: {'; '.join(differences)}; "
            f"expected in each {', '.join(LABELS)}{ask}"
        )


def _warnings(
    path: str, left_out: list[BadRow], label_of: dict[str, int | None], class_names: str | None
) -> list[str]:
    lines = []
    if class_names is None and all(name.isdecimal() for name in label_of):
        assumed = ", ".join(f"{number} {label}" for number, label in enumerate(LABELS))
        lines.append(
            f"{path}: class folders 0 to 6 are taken for FER-2013's ({assumed}); other data sets number them "
            "in another order: --class-names (or FER_EDGE_CLASS_NAMES) says which is which"
        )
    if left_out:
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        named = ", ".join(f"{row.where} {row.why}" for row in left_out[:_NAMED])
        lines.append(f"{path}: {len(left_out)} left out: {named}{more}")
    return lines
