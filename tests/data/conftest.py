"""Small tables and trees whose content is known."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from known_rows import face


@pytest.fixture
def table(tmp_path: Path, own_cache: Path) -> Callable[..., Path]:
    """Writes a table of the given rows and gives its path."""

    def write(rows: list[str], header: str = "emotion,pixels,Usage", name: str = "fer2013.csv") -> Path:
        path = tmp_path / name
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def tree(tmp_path: Path, own_cache: Path) -> Callable[..., Path]:
    """Draws n pictures into each class folder of each split and gives the root."""

    def draw(splits: dict[str, tuple[str, ...]], n: int = 2, suffix: str = ".png", under: str = "") -> Path:
        count = 0
        for split, classes in splits.items():
            for name in classes:
                folder = tmp_path / "tree" / under / split / name
                folder.mkdir(parents=True)
                for index in range(n):
                    count += 1
                    cv2.imwrite(str(folder / f"im{index}{suffix}"), face(count))
        return tmp_path / "tree"

    return draw
