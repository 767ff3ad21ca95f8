import itertools

import cv2
import pytest
from known_rows import face


@pytest.fixture
def table(tmp_path, own_cache):
    def write(rows, header="emotion,pixels,Usage"):
        path = tmp_path / "fer2013.csv"
        path.write_text("\n".join([header, *rows]) + "\n")
        return path

    return write


@pytest.fixture
def tree(tmp_path, own_cache):
    def draw(splits, n=2, suffix=".png", under=""):
        """n pictures in each class folder of each split, picture 1 first."""
        count = itertools.count(1)
        folders = [tmp_path / "tree" / under / split / name for split in splits for name in splits[split]]
        for folder in folders:
            folder.mkdir(parents=True)
            for index in range(n):
                cv2.imwrite(str(folder / f"im{index}{suffix}"), face(next(count)))
        return tmp_path / "tree"

    return draw
