"""Pictures as a source: one frame each, what cannot be read counted and named."""

import cv2
import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.sources.pictures import Pictures


def encoded():
    return cv2.imencode(".jpg", np.full((32, 48, 3), 90, np.uint8))[1].tobytes()


def folder_of(tmp_path, **files):
    for name, data in files.items():
        (tmp_path / f"{name}.jpg").write_bytes(data)
    return Pictures.in_folder(tmp_path)


def read_all(capture):
    frames = []
    while (frame := capture.read()) is not None:
        frames.append(frame)
    return frames


def test_an_unreadable_picture_in_a_folder_is_named_skipped_and_counted(tmp_path, capsys):
    good = encoded()
    capture = folder_of(tmp_path, a=good, b=b"", c=b"text", d=good)
    frames = read_all(capture)
    assert [frame.source for frame in frames] == [str(tmp_path / "a.jpg"), str(tmp_path / "d.jpg")]
    assert capture.unreadable == 2
    assert capture.ended
    err = capsys.readouterr().err
    assert "b.jpg is empty; skipped" in err
    assert "c.jpg is not a picture" in err


def test_a_folder_of_which_nothing_can_be_read_fails(tmp_path):
    with pytest.raises(SourceError, match="none of the 2 pictures"):
        read_all(folder_of(tmp_path, a=b"", b=b"x"))


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(SourceError, match=r"no pictures.*\.jpg"):
        Pictures.in_folder(tmp_path)


def test_what_else_the_folder_holds_is_named_once_at_the_end(tmp_path, capsys):
    """T3."""
    for name in ("x.heic", "y.gif", "z"):
        (tmp_path / name).write_bytes(b"GIF89a" if name == "y.gif" else b"?")
    assert len(read_all(folder_of(tmp_path, a=encoded()))) == 1
    assert "no pictures that can be read: 3 files: x.heic, y.gif, z" in capsys.readouterr().err
