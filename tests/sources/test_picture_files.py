"""Pictures as a source: one frame each, what cannot be read counted and named."""

import cv2
import numpy as np
import pytest
from loop_fakes import read_all

from fer_edge.errors import SourceError
from fer_edge.sources.pictures import Pictures

GOOD = cv2.imencode(".jpg", np.full((32, 48, 3), 90, np.uint8))[1].tobytes()


def test_what_a_folder_holds_besides_good_pictures_is_named_and_counted(tmp_path, capsys):
    """T3."""
    for name in ("x.heic", "y.gif", "z"):
        (tmp_path / name).write_bytes(b"GIF89a" if name == "y.gif" else b"?")
    for name, data in {"a": GOOD, "b": b"", "c": b"text", "d": GOOD}.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
    capture = Pictures.in_folder(tmp_path)
    assert [frame.source for frame in read_all(capture)] == [str(tmp_path / f"{name}.jpg") for name in "ad"]
    assert capture.unreadable == 2
    err = capsys.readouterr().err
    assert "b.jpg is empty; skipped" in err
    assert "c.jpg is not a picture" in err
    assert err.count("no pictures that can be read: 3 files: x.heic, y.gif, z") == 1


def test_a_folder_without_a_picture_that_can_be_read_fails(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no pictures.*\.jpg"):
        Pictures.in_folder(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match="none of the 2 pictures"):
        read_all(Pictures.in_folder(tmp_path))
