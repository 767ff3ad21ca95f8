"""Pictures as a source: one frame each, what cannot be read counted and named."""

import os

import cv2
import numpy as np
import pytest
from loop_fakes import read_all

from fer_edge.errors import SourceError
from fer_edge.sources.pictures import Pictures

GOOD = cv2.imencode(".jpg", np.full((32, 48, 3), 90, np.uint8))[1].tobytes()


def test_what_a_folder_holds_besides_good_pictures_is_named_and_counted(tmp_path, capsys):
    """T1, T3: by content or, where that is unknown, by ending."""
    files = {"a.jpg": GOOD, "b.tif": b"", "c.jpg": b"text", "d": GOOD, ".hidden.jpg": GOOD}
    films = {"v.heic": b"\0\0\0\x18ftypheic", "w.mjpeg": GOOD, "x.txt": b"?", "y.gif": b"GIF89a"}
    for name, data in {**files, **films}.items():
        (tmp_path / name).write_bytes(data)
    os.mkfifo(tmp_path / "e.png")
    (tmp_path / "sub").mkdir()
    capture = Pictures.in_folder(tmp_path)
    assert [frame.source for frame in read_all(capture)] == [str(tmp_path / name) for name in ("a.jpg", "d")]
    assert capture.unreadable == 3
    err = capsys.readouterr().err
    for said in ("b.tif is empty; skipped", "c.jpg is not a picture", "e.png is no file: a pipe"):
        assert said in err
    assert err.count("no pictures that can be read: 4 files: v.heic, w.mjpeg, x.txt, y.gif") == 1


def test_a_folder_without_a_picture_that_can_be_read_fails(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no pictures.*\.jpg"):
        Pictures.in_folder(tmp_path)
    for name in ("a.jpg", "b.jpg"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match="none of the 2 pictures"):
        read_all(Pictures.in_folder(tmp_path))
