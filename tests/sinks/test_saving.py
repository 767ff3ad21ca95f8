"""Saved videos and pictures, read back."""

from collections import namedtuple

import cv2
import numpy as np
import pytest
from loop_fakes import FakeCapture, picture

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks import saved as saving
from fer_edge.sinks.saved import SavedPictures, SavedVideo, Snapshot, saved
from fer_edge.vision.frames import Face, Frame, FrameResult


def result(time_s=0.0, confidence=None, source="x"):
    p = np.array([1.0, 0, 0], np.float32)
    faces = () if confidence is None else (Face((0, 0, 5, 5), 1, "happy", confidence, p, p),)
    return FrameResult(Frame(picture(), time_s, source), 0, faces)


def read_back(path):
    capture = cv2.VideoCapture(str(path))
    frames = []
    while (read := capture.read())[0]:
        frames.append(read[1])
    return capture.get(cv2.CAP_PROP_FPS), frames


@pytest.mark.parametrize("suffix", sorted(saving.CODECS))
def test_every_frame_of_a_file_at_its_own_rate_in_every_container(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    sink = SavedVideo(path, 12.5)
    for i in range(8):
        sink.write(result(i / 12.5), picture(30 * i, (48, 64)))
    assert not path.exists()  # written aside until it is whole
    sink.close()
    fps, frames = read_back(path)
    assert fps == pytest.approx(12.5)
    assert [round(float(f.mean()) / 30) for f in frames] == list(range(8))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_odd_sizes_give_a_playable_file(tmp_path):
    sink = SavedVideo(tmp_path / "o.mp4", 10)
    for i in range(5):
        sink.write(result(i / 10), picture(40 * i, (241, 319)))
    sink.close()
    frames = read_back(tmp_path / "o.mp4")[1]
    assert len(frames) == 5
    assert abs(frames[0].shape[0] - 241) <= 1
    assert abs(frames[0].shape[1] - 319) <= 1


def test_frames_of_another_size_are_brought_to_the_first_one_s(tmp_path):
    sink = SavedVideo(tmp_path / "o.mp4", 10)
    for i, size in enumerate(((48, 64), (96, 128), (48, 64))):
        sink.write(result(i / 10), picture(90, size))
    sink.close()
    assert [f.shape for f in read_back(tmp_path / "o.mp4")[1]] == [(48, 64, 3)] * 3


def test_a_live_source_is_saved_at_the_rate_at_which_its_frames_came(tmp_path):
    sink = SavedVideo(tmp_path / "o.mp4", None, live=True)
    for i in range(40):
        sink.write(result(i / 8), picture(0, (48, 64)))
    sink.close()
    fps, frames = read_back(tmp_path / "o.mp4")
    assert fps == pytest.approx(8, rel=0.01)
    assert len(frames) == 40


def test_a_stream_that_begins_with_frames_that_had_waited_is_saved_at_its_own_rate(tmp_path):
    burst, steady = [i / 200 for i in range(20)], [0.1 + i / 12 for i in range(36)]
    times = burst + steady
    sink = SavedVideo(tmp_path / "o.mp4", 12.0, live=True)
    for time_s in times:
        sink.write(result(time_s), picture(0, (48, 64)))
    sink.close()
    fps, frames = read_back(tmp_path / "o.mp4")
    assert fps == pytest.approx(12)
    assert len(frames) == pytest.approx(times[-1] * 12, abs=2)


def test_a_live_source_that_slows_down_keeps_its_time(tmp_path):
    times = [i / 20 for i in range(20)] + [1 + i / 5 for i in range(10)]  # 1 s at 20, 2 s at 5 a second
    sink = SavedVideo(tmp_path / "o.mp4", None, live=True)
    for time_s in times:
        sink.write(result(time_s), picture(0, (48, 64)))
    sink.close()
    fps, frames = read_back(tmp_path / "o.mp4")
    assert len(frames) / fps == pytest.approx(times[-1], abs=0.1)


def test_a_live_source_with_few_frames_is_saved_too(tmp_path):
    sink = SavedVideo(tmp_path / "o.mp4", None, live=True)
    sink.write(result(0.0), picture(0, (48, 64)))
    sink.close()
    assert len(read_back(tmp_path / "o.mp4")[1]) == 1


def test_without_frames_there_is_no_file(tmp_path):
    SavedVideo(tmp_path / "o.mp4", 10).close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_leaves_a_playable_file_and_a_word(tmp_path, monkeypatch, capsys):
    Disk = namedtuple("Disk", "f_bavail f_frsize")
    free = [10**9] * 5 + [1000]
    monkeypatch.setattr(saving.os, "statvfs", lambda path: Disk(free.pop(0) if len(free) > 1 else free[0], 1))
    sink = SavedVideo(tmp_path / "o.mp4", 10)
    for i in range(9):
        sink.write(result(i / 10), picture(0, (48, 64)))
    assert capsys.readouterr().err.count("disk is full") == 1
    # In place already: a log beside it may need the rest of the disk before the run ends.
    assert len(read_back(tmp_path / "o.mp4")[1]) == 5
    with pytest.raises(OutputError, match="ends after 5 frames"):
        sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"]


def test_a_disk_that_fills_up_among_a_live_source_s_first_frames_is_said_once(tmp_path, monkeypatch, capsys):
    Disk = namedtuple("Disk", "f_bavail f_frsize")
    monkeypatch.setattr(saving.os, "statvfs", lambda path: Disk(1000, 1))
    sink = SavedVideo(tmp_path / "o.mp4", None, live=True)
    for i in range(20):
        sink.write(result(i / 10), picture(0, (48, 64)))
    assert capsys.readouterr().err.count("disk is full") == 1
    with pytest.raises(OutputError):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_cannot_be_played_is_not_left_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(saving, "_is_playable", lambda path: False)
    sink = SavedVideo(tmp_path / "o.mp4", 10)
    sink.write(result(), picture(0, (48, 64)))
    with pytest.raises(OutputError, match="disk full"):
        sink.close()
    assert list(tmp_path.iterdir()) == []


def test_a_picture_under_a_name_that_is_not_ascii(tmp_path):
    path = tmp_path / "sortie_été_笑.png"
    SavedPictures(path, False).write(result(), picture(77))
    assert (cv2.imdecode(np.fromfile(path, np.uint8), 1) == 77).all()


def test_a_folder_s_pictures_keep_their_names(tmp_path):
    sink = SavedPictures(tmp_path / "out", False, is_folder=True)
    sink.write(result(source="in/a.jpg"), picture(1))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.jpg.png"]
    with pytest.raises(OutputError, match="exists already"):
        sink.write(result(source="in/a.jpg"), picture(1))


def test_the_snapshot_is_the_frame_of_the_surest_face(tmp_path):
    sink = Snapshot(tmp_path / "s.png")
    for confidence, level in ((None, 10), (0.4, 20), (0.9, 30), (0.6, 40), (None, 50)):
        sink.write(result(confidence=confidence), picture(level))
    sink.close()
    assert (cv2.imread(str(tmp_path / "s.png")) == 30).all()


def test_a_killed_run_leaves_its_snapshot(tmp_path):
    sink, lazy = Snapshot(tmp_path / "s.png", every_s=0), Snapshot(tmp_path / "l.png", every_s=3600)
    for confidence, level in ((None, 10), (0.9, 30), (0.6, 40)):
        for one in (sink, lazy):
            one.write(result(confidence=confidence), picture(level))
    assert (cv2.imread(str(tmp_path / "s.png")) == 30).all()  # nobody called close
    assert not (tmp_path / "l.png").exists()  # not at every better frame


@pytest.mark.parametrize(
    ("still", "name", "kind"),
    [
        (False, "o.mp4", SavedVideo),
        (True, "o.png", SavedPictures),
        (True, "o.mp4", None),
        (False, "o.png", None),
    ],
)
def test_what_is_saved_follows_the_source(tmp_path, still, name, kind):
    capture = FakeCapture([])
    capture.is_still = still
    if kind is None:
        with pytest.raises(UsageError, match="is saved as one of"):
            saved(capture, tmp_path / name, False)
    else:
        assert isinstance(saved(capture, tmp_path / name, False), kind)
