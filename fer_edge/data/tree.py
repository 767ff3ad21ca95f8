"""FER-2013 as a folder tree: a folder for each split, in it a folder of pictures for each expression."""

import contextlib
import hashlib
import os
import re
from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.data.dataset import SPLITS, BadRow, Dataset, Row
from fer_edge.errors import DataError, SourceError
from fer_edge.pictures import FILMS, SUFFIXES, kind_in, read_picture
from fer_edge.spec import INPUT_SHAPE, LABELS, SPELLINGS
from fer_edge.vision.crop import resize_face

_LABEL_OF = {word: n for n, label in enumerate(LABELS) for word in SPELLINGS[label]}
_UNKNOWN = -1
_SPLIT_OF = {
    **dict.fromkeys(("training", "train"), 0),
    **dict.fromkeys(("publictest", "validation", "valid", "val"), 1),
    **dict.fromkeys(("privatetest", "testing", "test"), 2),
}
_OFFICIAL = {"training", "publictest", "privatetest"}
_MAX_BYTES = 32 << 20  # of a picture of one face
_NAMED = 5  # of what is left out, in a warning
_ASK = "--class-names sets the order"


@dataclass(frozen=True)
class Tree:
    """A tree on disk; a source as `data.load` reads it, like `table.Table`.

    path: given by the user. pictures: path below that with slashes, split and label index of each, sorted.
    protocol: follows from the names of the split folders. left_out: other folders, and files of no class.
    """

    path: str
    pictures: tuple[tuple[str, int, int], ...]
    protocol: str
    left_out: tuple[BadRow, ...]

    def __str__(self) -> str:
        return f"{Path(self.path).name or self.path} ({len(self.pictures)} pictures)"

    def fingerprint(self) -> str:
        """SHA-256 of names, labels, sizes, times of change and inodes, so it changes with any file."""
        digest = hashlib.sha256(self.protocol.encode())
        for name, split, label in self.pictures:
            try:
                found = Path(self.path, name).stat()
                seen = f"{found.st_size}\0{found.st_ctime_ns}\0{found.st_ino}"
            except OSError:  # a broken link
                seen = ""
            digest.update(os.fsencode(f"{name}\0{split}\0{label}\0{seen}\0"))
        return digest.hexdigest()

    def read(self) -> Dataset:
        """Decodes every picture: gray, upright, 48x48 (others are resized if square).

        ids: the position in the order of names, from 1. bad: unusable pictures. Raises DataError if all are.
        """
        with contextlib.closing(self._rows()) as rows:  # the bar goes before an error is told
            return Dataset.of_rows(rows, self.path, self.protocol)

    def _rows(self) -> Generator[Row | BadRow]:
        for place, (name, split, label) in enumerate(console.each(f"reading {self}", self.pictures), 1):
            path = Path(self.path, name)
            try:
                yield place, label, split, read_face(path)
            except SourceError as error:
                named = str(SourceError(f"{path} "))  # its odd characters are escaped in `error`
                yield BadRow(name, str(error).removeprefix(named))


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
    folders = [one for one in _listed(root) if one.is_dir()]
    splits: dict[int, Path] = {}
    left_out: list[BadRow] = []
    for folder in folders:
        split = _SPLIT_OF.get(_plain(folder.name))
        if split is None:
            left_out.append(BadRow(folder.name, "is no split"))
        elif split in splits:
            both = f"{splits[split].name}/ and {folder.name}/"
            raise DataError(f"{path}: {both} both mean {SPLITS[split]}: keep one")
        else:
            splits[split] = folder
    classes = {splits[split]: _classes(splits[split], root, left_out) for split in sorted(splits)}
    if 0 not in splits or len(splits) < 2 or not all(classes.values()):
        counts = [f"{top.name}/ ({sum(map(len, own.values()))} pictures)" for top, own in classes.items()]
        found = counts or [f"{folder.name}/" for folder in folders[:10]] or ["no folder"]
        raise DataError(
            f"{path} is not a tree of pictures: expected train/CLASS/*.jpg and test/CLASS/*.jpg (or png; or "
            f"Training, PublicTest, PrivateTest), CLASS being {', '.join(LABELS)}; found {', '.join(found)}"
        )
    label_of = _labels(classes, class_names, path)
    if left_out:
        more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
        named = ", ".join(f"{row.where} {row.why}" for row in left_out[:_NAMED])
        console.warn(f"{path}: {len(left_out)} left out: {named}{more}")
    pictures = sorted(
        (file.relative_to(root).as_posix(), split, label_of[name])
        for split, folder in splits.items()
        for name, files in classes[folder].items()
        for file in files
    )
    official = {_plain(folder.name) for folder in classes} == _OFFICIAL
    return Tree(path, tuple(pictures), "official" if official else "holdout", tuple(left_out))


def _listed(folder: Path) -> list[Path]:
    """What is directly in `folder`, by name, without what is hidden or macOS' own (`__MACOSX`)."""
    return sorted(path for path in folder.iterdir() if not path.name.startswith((".", "__")))


def _plain(name: str) -> str:
    """Letters and digits in lower case: `Public_Test` and `public test` are the same."""
    return re.sub(r"[\W_]+", "", name.lower())


def _classes(split: Path, root: Path, left_out: list[BadRow]) -> dict[str, list[Path]]:
    """Pictures in and below each class folder, by the folder's name; everything else goes to `left_out`."""
    found: dict[str, list[Path]] = {}

    def leave_out(path: Path, why: str) -> None:
        left_out.append(BadRow(path.relative_to(root).as_posix(), why))

    for top in _listed(split):
        if not os.path.isdir(top):  # False where pathlib raises, as for a link to too long a name
            leave_out(top, "is in no class folder")
            continue
        folders = [top]
        while folders:
            for path in _listed(folders.pop()):
                is_folder = os.path.isdir(path)
                if is_folder and path.is_symlink():
                    leave_out(path, "is a link to a folder")
                elif is_folder:
                    folders.append(path)
                elif _is_picture(path):
                    found.setdefault(top.name, []).append(path)
                else:
                    leave_out(path, "is no picture")
    return found


def _is_picture(file: Path) -> bool:
    """By its extension, valid or not; otherwise by its content."""
    try:
        return file.suffix.lower() in (*SUFFIXES, ".gif") or kind_in(file) not in (None, "HEIC", *FILMS)
    except SourceError:
        return False


def _labels(classes: dict[Path, dict[str, list[Path]]], class_names: str | None, path: str) -> dict[str, int]:
    """Each class folder's label index. Raises DataError unless each split has the same seven classes."""
    names = sorted({name for own in classes.values() for name in own})
    numbers = sorted(names, key=int) if all(map(str.isdecimal, names)) else []
    if class_names is None and [*map(int, numbers)] == [*range(len(LABELS))]:  # others count from 1
        class_names = ",".join(LABELS)
        order = ", ".join(f"{number} {label}" for number, label in enumerate(LABELS))
        taken = f"class folders 0 to 6 are taken for FER-2013's ({order})"
        console.warn(f"{path}: {taken}; other data sets use another order: {_ASK}")
    if class_names is None:
        words = {name: _plain(name).lstrip("0123456789") for name in names}  # 3_happy
        label_of = {name: _LABEL_OF.get(word, _UNKNOWN) for name, word in words.items()}
    else:
        labels = [_LABEL_OF.get(_plain(word), _UNKNOWN) for word in class_names.split(",")]
        if len(labels) != len(numbers) or set(labels) != set(range(len(LABELS))):
            raise DataError(
                f"--class-names {class_names}: name the seven expressions in the order of class folders that "
                f"are numbers, joined by commas ({','.join(LABELS)}); the folders are "
                f"{', '.join(numbers or names)}"
            )
        label_of = dict(zip(numbers, labels, strict=True))
    differences = []
    for folder, found in classes.items():
        unknown = [name for name in sorted(found) if label_of[name] == _UNKNOWN]
        differences += [f"{folder.name}/ has {name} ({len(found[name])} pictures)" for name in unknown]
        known = {label_of[name] for name in found}
        if lacking := [label for index, label in enumerate(LABELS) if index not in known]:
            differences.append(f"{folder.name}/ lacks {', '.join(lacking)}")
    if differences:
        hint = f"; for folders that are numbers {_ASK}" if numbers else ""
        raise DataError(
            f"{path}: each split must have the same seven class folders: {'; '.join(differences)}; "
            f"expected in each {', '.join(LABELS)}{hint}"
        )
    return label_of
