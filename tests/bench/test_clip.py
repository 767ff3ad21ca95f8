"""Detectors and labels on videos: late labels worked out by hand, rows, videos from outside."""

from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.bench import clip, clip_sheets
from fer_edge.bench.lag import LabelLag
from fer_edge.bench.run import silent
from fer_edge.errors import ModelError, UsageError
from fer_edge.vision.frames import Face, Frame, FrameResult


def result(time_s, own, shown, track=1):
    """A frame with one face whose own label is `own` and whose shown one is `shown` (indices)."""
    one_hot = np.eye(3, dtype=np.float32)
    label = None if shown is None else "abc"[shown]
    face = Face((0, 0, 9, 9), track, label, 0.9, one_hot[own], one_hot[shown or 0].astype(float))
    return FrameResult(Frame(np.zeros((1, 1, 3), np.uint8), time_s, "clip"), 0, (face,))


@pytest.mark.parametrize(
    ("frames", "worst_s"),
    [
        ([(0.0, 0, 0), (0.1, 0, 0)], None),
        ([(0.0, 0, 0), (0.1, 1, 0), (0.2, 1, 0), (0.4, 1, 1)], 0.3),
        ([(0.0, 0, 0), (0.1, 1, 0), (0.2, 0, 0), (0.3, 1, 0), (0.4, 1, 1)], 0.1),
        ([(0.0, 0, 0), (0.1, 1, 0), (0.6, 1, 1), (0.7, 0, 1), (0.8, 0, 0)], 0.5),
    ],
    ids=["no change", "third frame", "from the last run of the label", "the worst of two"],
)
def test_lag_runs_from_the_first_frame_that_says_the_label(frames, worst_s):
    lag = LabelLag()
    for frame in frames:
        lag.add(result(*frame))
    assert lag.worst_s == (None if worst_s is None else pytest.approx(worst_s))


def test_faces_do_not_share_their_lag():
    lag = LabelLag()
    for track, frame in (
        (1, (0.0, 1, 1)),
        (2, (0.0, 0, 0)),
        (1, (9.0, 1, 1)),
        (2, (9.5, 1, 0)),
        (2, (9.7, 1, 1)),
    ):
        lag.add(result(*frame, track=track))
    assert lag.worst_s == pytest.approx(0.2)


def test_a_row_for_each_video_and_detector():
    rows = clip.rows(
        [Path("a"), Path("b")], clip.Setting("", detector_model="y.onnx", threads=2), with_yunet=True
    )
    assert [(row.video, row.detector) for row in rows] == [
        (clip, name) for clip in ("a", "b") for name in ("plain", "haar", "yunet")
    ]
    assert {(row.detector_model, row.threads) for row in rows} == {("y.onnx", 2)}


def test_sizes_are_read_or_refused():
    assert clip.parse_size("640x480") == (640, 480)
    assert clip.parse_size(None) is None
    for text in ("640", "0x480", "640x", "640*480", "1x2x3"):
        with pytest.raises(UsageError, match="WIDTHxHEIGHT"):
            clip.parse_size(text)


def test_frames_by_their_number_of_faces():
    assert clip.histogram([0, 2, 1, 1]) == {"0": 1, "1": 2, "2": 1}
    assert clip_sheets.by_faces({"0": 1, "2": 4}) == "1, 0, 4"
    assert clip_sheets.by_faces({"0": 7}) == "7, 0"


@pytest.fixture
def noise(tmp_path):
    """13 frames of noise."""
    path = tmp_path / "noise.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 10.0, (64, 48))
    for _ in range(13):
        writer.write(np.random.default_rng(0).integers(0, 255, (48, 64, 3), np.uint8))
    writer.release()
    return path


def test_a_video_without_faces(noise):
    rows = clip_sheets.measured(clip.rows([noise], clip.Setting("", size=(80, 60)), with_yunet=False), silent)
    assert [row["detector"] for row in rows] == ["plain", "haar"]
    for row in rows:
        assert (row["frames"], row["faces_in_frame"], row["size"]) == (13, {"0": 13}, [80, 60])
        assert row["sampled"] == {"every": 6, "faces_in_frame": {"0": 3}}  # frames 0, 6 and 12
        assert row["label_lag_s"] is None
        assert not row["tensorflow_loaded"]
    speed, steadiness = clip_sheets.both(rows)
    assert [row[:3] for row in speed.rows] == [
        ("noise.avi", "plain", "80x60"),
        ("noise.avi", "haar", "80x60"),
    ]
    assert steadiness.rows[0][2:5] == ("13, 0", "3, 0", "0")


def test_what_is_no_clip_is_said(tmp_path):
    (tmp_path / "text.mp4").write_text("no video")
    with pytest.raises(ModelError, match="cannot be opened as a video"):
        clip.measure(clip.Setting(str(tmp_path / "text.mp4"), "haar"))


def test_a_smile_is_noticed_within_half_a_second(media):
    row = clip.measure(clip.Setting(str(media / "neutral_to_smile.mp4"), "haar"))
    assert row["faces_in_frame"] == {"1": 72}
    assert row["tracks"] == 1
    assert 0 < row["label_lag_s"] <= 0.5
    assert row["label_changes_per_minute"] <= row["unsmoothed_label_changes_per_minute"]
