"""FER-2013 as a folder tree: a folder for each split, in it a folder for each expression."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from fer_edge.data import names
from fer_edge.data.dataset import SPLITS
from fer_edge.errors import DataError
from fer_edge.spec import LABELS

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".pgm")


@dataclass(frozen=True)
class Picture:
    """A picture of the tree: path below the root with slashes, split and label index."""

    name: str
    path: Path
    split: int
    label: int


@dataclass(frozen=True)
class Tree:
    """The pictures in the order of their names, and the protocol that the split folders' names mean."""

    root: Path
    pictures: tuple[Picture, ...]
    protocol: str


def find_tree(path: str) -> Tree:
    """Finds split and class folders, also where one folder holds them all (`archive/train/...`).

    Raises DataError where a split is missing or empty, saying which tree is expected and what was found,
    and where the splits hold different classes, listing the differences.
    """
    root = Path(path)
    for _ in range(3):
        inside = _folders(root)
        if any(names.split_of(folder.name) is not None for folder in inside) or len(inside) != 1:
            break
        root = inside[0]
    splits = _splits(root, path)
    classes = {folder: _classes(folder) for folder in splits.values()}
    _refuse_empty(classes, path)
    _compare(classes, path)
    pictures = [
        Picture(file.relative_to(root).as_posix(), file, split, label)
        for split, folder in splits.items()
        for label, files in _labelled(classes[folder])
        for file in files
    ]
    pictures.sort(key=lambda picture: picture.name)
    official = {names.plain(folder.name) for folder in splits.values()} == names.OFFICIAL
    if set(splits) == {0, 1}:  # train/ and validation/ alone: what is apart is the test
        pictures = [Picture(p.name, p.path, p.split * 2, p.label) for p in pictures]
    return Tree(root, tuple(pictures), "official" if official else "holdout")


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"cannot read {folder}: {error.strerror}") from error


def _folders(root: Path) -> list[Path]:
    inside = [entry.name for entry in _entries(root) if entry.is_dir()]
    return [root / name for name in inside if not name.startswith((".", "__"))]


def _splits(root: Path, path: str) -> dict[int, Path]:
    splits: dict[int, Path] = {}
    for folder in _folders(root):
        split = names.split_of(folder.name)
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


def _classes(folder: Path) -> dict[str, list[Path]]:
    """Class folders that hold pictures, by name."""
    found = {}
    for inside in _folders(folder):
        files = [entry.name for entry in _entries(inside) if entry.name.lower().endswith(SUFFIXES)]
        if files := [name for name in files if not name.startswith(".")]:
            found[inside.name] = [inside / name for name in files]
    return found


def _refuse_empty(classes: dict[Path, dict[str, list[Path]]], path: str) -> None:
    if all(classes.values()):
        return
    counts = []
    for folder, found in classes.items():
        empty = "folders in it, no pictures" if _folders(folder) else "empty"
        pictures = sum(len(files) for files in found.values())
        counts.append(f"{folder.name}/ ({f'{pictures} pictures' if pictures else empty})")
    raise DataError(_expected(path, ", ".join(counts)))


def _compare(classes: dict[Path, dict[str, list[Path]]], path: str) -> None:
    differences = []
    for folder, found in classes.items():
        known = names.labels_of(list(found))
        differences += [f"{folder.name}/ has {name} ({len(found[name])} pictures)"
                        for name in sorted(found) if known[name] is None]  # fmt: skip
        lacking = [label for index, label in enumerate(LABELS) if index not in known.values()]
        differences += [f"{folder.name}/ lacks {', '.join(lacking)}"] if lacking else []
    if differences:
        raise DataError(
            f"{path}: each split must have the same seven class folders: {'; '.join(differences)}; "
            f"expected in each {', '.join(LABELS)}"
        )


def _labelled(found: dict[str, list[Path]]) -> list[tuple[int, list[Path]]]:
    known = names.labels_of(list(found))
    return [(label, files) for name, files in found.items() if (label := known[name]) is not None]
