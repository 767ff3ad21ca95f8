"""FER-2013 as a folder tree: a folder for each split, in it a folder of pictures for each expression."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.data.dataset import SPLITS, BadRow, Dataset, Row
from fer_edge.errors import DataError, SourceError
from fer_edge.pictures import FILMS, SUFFIXES, kind_in, read_picture
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
_HIDDEN = (".", "__")  # __MACOSX
_ASK = "--class-names sets the order"


class Picture(NamedTuple):
    """A picture of the tree: path below the root with slashes, split and label index."""

    name: str
    path: Path
    split: int
    label: int


@dataclass(frozen=True)
class Tree:
    """A tree on disk; a source as `data.load` reads it, like `table.Table`.

    path: given by the user. pictures: in the order of their names. protocol: follows from the names of the
    split folders. left_out: everything else except hidden files.
    """

    path: str
    pictures: tuple[Picture, ...]
    protocol: str
    left_out: tuple[BadRow, ...]

    def __str__(self) -> str:
        return f"{Path(self.path).name or self.path} ({len(self.pictures)} pictures)"

    def fingerprint(self) -> str:
        """SHA-256 of names, labels, sizes and modification times, so it changes with any file."""
        digest = hashlib.sha256(self.protocol.encode())
        for name, path, split, label in self.pictures:
            try:
                found = path.stat()
                seen = f"{found.st_size}\0{found.st_ctime_ns}\0{found.st_ino}"
            except OSError:  # a broken link
                seen = ""
            digest.update(os.fsencode(f"{name}\0{split}\0{label}\0{seen}\0"))
        return digest.hexdigest()

    def read(self) -> Dataset:
        """Decodes every picture: gray, upright, 48x48 (others are resized if square).

        ids: the position in the order of names, from 1. Unusable pictures are in `bad`. Raises DataError if
        none can be used.
        """
        with console.progress(f"reading {self}", len(self.pictures)) as step:
            return Dataset.of_rows(self._rows(step), self.path, self.protocol)

    def _rows(self, step: Callable[[int], object]) -> Iterator[Row | BadRow]:
        for place, picture in enumerate(self.pictures, 1):
            try:
                yield place, picture.label, picture.split, read_face(picture.path)
            except SourceError as error:
                named = str(SourceError(f"{picture.path} "))  # its odd characters are escaped in `error`
                yield BadRow(picture.name, str(error).removeprefix(named))
            step(1)


def read_face(path: Path) -> NDArray[np.uint8]:
    """uint8 (48, 48); of a picture that can be read in part a warning is printed. Raises SourceError."""
    gray, warning = read_picture(path, gray=True, max_bytes=_MAX_BYTES)
    height, width = gray.shape
    if height != width:
        square = f"a square of {INPUT_SHAPE[1]}x{INPUT_SHAPE[0]}"
        raise SourceError(f"{path} has {width}x{height} pixels, not {square}")
    if warning:
        console.warn(warning)
    return resize_face(gray, INPUT_SHAPE[:2])


def find_tree(path: str, class_names: str | None = None) -> Tree:
    """Finds split and class folders.

    class_names: see `load`. Warns about what it leaves out or assumes. Raises OSError, and DataError if a
    split is missing, empty or has other classes, saying what is expected and what was found.
    """
    root = Path(path)
    folders = _folders(root)
    splits = _splits(folders, path)
    left_out = [BadRow(folder.name, "is no split") for folder in folders if folder not in splits]
    classes = {folder: _classes(folder, root, left_out) for folder in splits}
    if 0 not in splits.values() or len(splits) < 2 or not all(classes.values()):
        counts = [
            f"{folder.name}/ ({sum(map(len, own.values()))} pictures)" for folder, own in classes.items()
        ]
        found = counts or [f"{folder.name}/" for folder in folders[:10]] or ["no folder"]
        raise DataError(
            f"{path} is not a tree of pictures: expected train/CLASS/*.jpg and test/CLASS/*.jpg (or png; or "
            f"Training, PublicTest, PrivateTest), CLASS being {', '.join(LABELS)}; found {', '.join(found)}"
        )
    labels = _labels(classes, class_names, path)
    if left_out:
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        named = ", ".join(f"{row.where} {row.why}" for row in left_out[:_NAMED])
        console.warn(f"{path}: {len(left_out)} left out: {named}{more}")
    pictures = sorted(
        Picture(file.relative_to(root).as_posix(), file, split, labels[name])
        for folder, split in splits.items()
        for name, files in classes[folder].items()
        for file in files
    )
    official = {_plain(folder.name) for folder in splits} == _OFFICIAL
    return Tree(path, tuple(pictures), "official" if official else "holdout", tuple(left_out))


def _folders(root: Path) -> list[Path]:
    """Folders directly in `root`, by name, without hidden ones."""
    return sorted(one for one in root.iterdir() if one.is_dir() and not one.name.startswith(_HIDDEN))


def _raise(error: OSError) -> NoReturn:
    raise error


def _plain(name: str) -> str:
    """Letters and digits in lower case: `Public_Test` and `public test` are the same."""
    return re.sub(r"[\W_]+", "", name.lower())


def _splits(folders: list[Path], path: str) -> dict[Path, int]:
    """Split folders with the split's index, Training first. Raises DataError if two mean the same."""
    found: dict[int, Path] = {}
    for folder in folders:
        split = _SPLIT_OF.get(_plain(folder.name))
        if split is not None and found.setdefault(split, folder) is not folder:
            both = f"{found[split].name}/ and {folder.name}/"
            raise DataError(f"{path}: {both} both mean {SPLITS[split]}: keep one")
    return {found[split]: split for split in sorted(found)}


def _classes(split: Path, root: Path, left_out: list[BadRow]) -> dict[str, list[Path]]:
    """Pictures in and below each class folder, by the folder's name; everything else goes to `left_out`."""
    found: dict[str, list[Path]] = {}
    folders = _folders(split)
    loose = (file for file in sorted(split.iterdir()) if file not in folders)
    others = [(file, "is in no class folder") for file in loose if not file.name.startswith(_HIDDEN)]
    for folder in folders:
        for here, below, names in os.walk(folder, onerror=_raise):
            below[:] = sorted(name for name in below if not name.startswith(_HIDDEN))
            links = filter(Path.is_symlink, (Path(here, name) for name in below))
            others += [(link, "is a link to a folder") for link in links]
            for file in sorted(Path(here, name) for name in names if not name.startswith(".")):
                if _is_picture(file):
                    found.setdefault(folder.name, []).append(file)
                else:
                    others.append((file, "is no picture"))
    left_out += [BadRow(path.relative_to(root).as_posix(), why) for path, why in others]
    return found


def _is_picture(file: Path) -> bool:
    """By its extension, valid or not; otherwise by its content."""
    try:
        return file.suffix.lower() in (*SUFFIXES, ".gif") or kind_in(file) not in (None, "HEIC", *FILMS)
    except SourceError:
        return False


def _labels_of(folders: set[str], class_names: str | None) -> dict[str, int | None]:
    """Each class folder's label index, None if unknown.

    A number before the word is passed over (`3_happy`). Numbers alone are what `class_names` says (`load`),
    else FER-2013's if they are 0 to 6, else unknown: other data sets count from 1 and in another order.
    """
    numbers = sorted(folders, key=int) if all(map(str.isdecimal, folders)) else []
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


def _labels(classes: dict[Path, dict[str, list[Path]]], class_names: str | None, path: str) -> dict[str, int]:
    """Each class folder's label index. Raises DataError, listing the differences, unless each split has the
    seven classes; says what is assumed of numbers."""
    label_of = _labels_of({name for own in classes.values() for name in own}, class_names)
    numbered = all(map(str.isdecimal, label_of))
    differences = []
    for folder, found in classes.items():
        unknown = [name for name in sorted(found) if label_of[name] is None]
        differences += [f"{folder.name}/ has {name} ({len(found[name])} pictures)" for name in unknown]
        known = {label_of[name] for name in found}
        if lacking := [label for index, label in enumerate(LABELS) if index not in known]:
            differences.append(f"{folder.name}/ lacks {', '.join(lacking)}")
    if differences:
        hint = f"; for folders that are numbers {_ASK}" if numbered else ""
        raise DataError(
            f"{path}: each split must have the same seven class folders: {'; '.join(differences)}; "
            f"expected in each {', '.join(LABELS)}{hint}"
        )
    if numbered and class_names is None:
        numbers = ", ".join(f"{number} {label}" for number, label in enumerate(LABELS))
        taken = f"class folders 0 to 6 are taken for FER-2013's ({numbers})"
        console.warn(f"{path}: {taken}; other data sets use another order: {_ASK}")
    return {name: label for name, label in label_of.items() if label is not None}
