import contextlib
import os
from collections import namedtuple

import cv2
import numpy as np
import pytest
from loop_fakes import face, picture, read_all, read_back, result

from fer_edge.errors import OutputError
from fer_edge.sinks import saved as saving
from fer_edge.sinks.saved import SavedPictures, SavedVideo, Snapshots
from fer_edge.sources.video import VideoFile

Disk = namedtuple("Disk", "f_bavail f_frsize")


def film(path, fps, times_s, size=(48, 64)):
    """Saves a frame at each time, the n-th of level 30 n."""
    sink = SavedVideo(path, fps)
    for n, time_s in enumerate(times_s):
        sink.show(result(time_s=time_s).frame, picture(30 * n % 240, size))
    return sink


@pytest.mark.parametrize("suffix", sorted(saving.CODECS))
def test_every_frame_of_a_file_at_its_own_rate_in_every_container(tmp_path, suffix):
    path = tmp_path / f"o{suffix}"
    sink = film(path, 12.5, [n / 12.5 for n in range(8)])
    assert not path.exists()  # written aside until it is whole
    sink.close()
    fps, frames = read_back(path)
    assert fps == pytest.approx(12.5)
    assert [round(float(f.mean()) / 30) for f in frames] == list(range(8))
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize(
    ("fps", "times_s", "seconds"),
    [
        (None, [n / 8 for n in range(40)], 5.0),  # a camera that does not tell its rate
        (12.0, [n / 200 for n in range(20)] + [0.1 + n / 12 for n in range(36)], 3.1),  # had waited
        (None, [n / 20 for n in range(20)] + [1 + n / 5 for n in range(10)], 3.0),  # slows down
        (30.0, [0, 0.1, 0.2, 0.5, 1, 1.5, 2], 2.0),  # a file of variable rate
        (30.0, [n / 30.03 for n in range(90)], 3.0),
        (119.947, [n / 119.947 for n in range(60)], 0.5),  # MPEG-4 has 16 bits for the rate
        (10.0, [0, 0.1, 9000, 9000.1], 60.2),  # a clock that jumps by hours
    ],
)
def test_a_film_takes_as_long_as_its_frames_say(tmp_path, fps, times_s, seconds):
    film(tmp_path / "o.mp4", fps, times_s).close()
    rate, frames = read_back(tmp_path / "o.mp4")
    assert len(frames) / rate == pytest.approx(seconds, abs=0.25)


def test_a_browser_s_film_takes_as_long_as_it_took(cases, tmp_path):
    video = VideoFile(cases / "files/mediarecorder.webm")
    frames = read_all(video)
    sink = SavedVideo(tmp_path / "o.mp4", video.fps)
    for frame in frames:
        sink.show(frame, frame.bgr)
    sink.close()
    rate, frames = read_back(tmp_path / "o.mp4")
    assert len(frames) / rate == pytest.approx(2.7, abs=0.1)


def test_odd_and_changing_sizes_give_a_playable_file(tmp_path):
    film(tmp_path / "o.mp4", 10, [n / 10 for n in range(5)], (241, 319)).close()
    frames = read_back(tmp_path / "o.mp4")[1]
    assert len(frames) == 5
    assert np.abs(np.subtract(frames[0].shape[:2], (241, 319))).max() <= 1
    sink = SavedVideo(tmp_path / "p.mp4", 10)
    for i, size in enumerate(((48, 64), (96, 128), (48, 64))):
        sink.show(result(time_s=i / 10).frame, picture(90, size))
    sink.close()
    assert [f.shape for f in read_back(tmp_path / "p.mp4")[1]] == [(48, 64, 3)] * 3


def test_frames_of_one_pixel_are_no_film_and_none_are_no_file(tmp_path):
    with pytest.raises(OutputError, match="cannot encode 1x1 pixels"):
        film(tmp_path / "o.mp4", 10, [0.0], (1, 1))
    SavedVideo(tmp_path / "p.mp4", 10).close()
    with pytest.raises(OutputError, match="no 17000x1 pixels"):
        SavedPictures(tmp_path / "q.webp", False).show(result().frame, picture(0, (1, 17000)))
    assert [path.suffix for path in tmp_path.iterdir() if path.name in ("o.mp4", "p.mp4")] == []


@pytest.mark.parametrize("name", ["sortie_été_笑", os.fsdecode(b"caf\xe9")])
def test_names_that_are_not_ascii_or_no_text(tmp_path, name):
    (tmp_path / name).mkdir()
    SavedPictures(tmp_path / name / f"{name}.png", False).show(result().frame, picture(77))
    assert (cv2.imdecode(np.fromfile(tmp_path / name / f"{name}.png", np.uint8), 1) == 77).all()
    film(tmp_path / name / f"{name}.mp4", 10, [0.0, 0.1]).close()
    assert len(read_back(tmp_path / name / f"{name}.mp4")[1]) == 2


@pytest.mark.parametrize(("free", "kept"), [([10**9] * 5 + [1000], 5), ([1000], 0)])
def test_a_disk_that_fills_up_leaves_a_playable_file_and_a_word(tmp_path, monkeypatch, capsys, free, kept):
    monkeypatch.setattr(saving.os, "statvfs", lambda path: Disk(free.pop(0) if len(free) > 1 else free[0], 1))
    sink = film(tmp_path / "o.mp4", 10, [n / 10 for n in range(20)])
    assert capsys.readouterr().err.count("disk is full") == 1
    if kept:  # in place already: a log beside it may need the rest of the disk before the run ends
        assert len(read_back(tmp_path / "o.mp4")[1]) == kept
    with pytest.raises(OutputError, match="ends after 5 frames" if kept else "is the disk full"):
        sink.close()
    assert [path.name for path in tmp_path.iterdir()] == ["o.mp4"] * bool(kept)


def test_a_file_that_cannot_be_played_is_not_left_behind(tmp_path, monkeypatch):
    nothing = cv2.VideoCapture()
    monkeypatch.setattr(saving.cv2, "VideoCapture", lambda name: nothing)
    with pytest.raises(OutputError, match="disk full"):
        film(tmp_path / "o.mp4", 10, [0.0]).close()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_s_pictures_keep_their_names(tmp_path):
    sink = SavedPictures(tmp_path / "out", False, is_folder=True)
    sink.show(result(source="in/a.jpg").frame, picture(1))
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["a.jpg.png"]
    with pytest.raises(OutputError, match="exists already"):
        sink.show(result(source="in/a.jpg").frame, picture(1))


def seen(level, *people, source="a.mp4"):
    """A frame of that level. people: (track, label, confidence, quality), side by side."""
    boxed = [
        face(label, box=(20 * track, 20, 10, 10), track=track, confidence=sure, quality=quality)
        for track, label, sure, quality in people
    ]
    return result(*boxed, level=level, source=source)


def test_snapshots_are_each_person_s_best_and_a_run_that_is_killed_leaves_them(tmp_path):
    sink = Snapshots(tmp_path / "s.png", False)
    sink.write(seen(10, (1, "sad", 0.4, 1.0)))
    sink.write(seen(20, (1, "sad", 0.9, 1.0), (2, "happy", 0.9, 0.6)))
    sink.write(seen(30, (1, "sad", 0.8, 1.0), (2, "happy", 0.7, 0.9), (3, None, 1.0, 0.2)))
    sink.write(seen(40))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-1.png", "s-2.png"]
    one, two = (cv2.imread(str(tmp_path / f"s-{n}.png")) for n in (1, 2))
    assert (one == 20).all()
    assert (two == 30).all()
    assert one.shape == (20, 20, 3)  # the face and half of its side round it


def test_snapshots_of_pictures_are_named_by_picture_and_replace_nothing(tmp_path):
    for n in range(2):
        sink = Snapshots(tmp_path / "s.png", False, still=True)
        with pytest.raises(OutputError, match="exists already") if n else contextlib.nullcontext():
            sink.write(seen(10, (1, "sad", 0.4, 1.0), source="in/a.jpg"))
            sink.write(seen(20, (1, "sad", 0.3, 1.0), source="in/b.jpg"))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["s-a.jpg-1.png", "s-b.jpg-1.png"]
