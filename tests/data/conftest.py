"""Small tables and trees whose content is known."""

import itertools
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from known_rows import face


@pytest.fixture
def table(tmp_path: Path, own_cache: Path) -> Callable[..., Path]:
    """Writes a table of the given rows and gives its path."""

    def write(rows: list[str], header: str = "emotion,pixels,Usage") -> Path:
        path = tmp_path / "fer2013.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Callable[..., Path]:
    """Draws n pictures into each class folder of each split, picture 1 first, and gives the root."""

    def draw(splits: dict[str, tuple[str, ...]], n: int = 2, suffix: str = ".png", under: str = "") -> Path:
        count = itertools.count(1)
        folders = [tmp_path / "tree" / under / split / name for split in splits for name in splits[split]]
        for folder in folders:
            folder.mkdir(parents=True)
            for index in range(n):
                cv2.imwrite(str(folder / f"im{index}{suffix}"), face(next(count)))
        return tmp_path / "tree"

    return draw
