"""What is counted over a run, and the times of its stages."""

import numpy as np
import pytest
from loop_fakes import picture

from fer_edge.loop import REMEMBERED, Summary
from fer_edge.vision.analysis import KEPT, StageTimes
from fer_edge.vision.frames import Face, Frame, FrameResult


def face(label, own=0, track=1):
    return Face((0, 0, 5, 5), track, label, 0.5, np.eye(3, dtype=np.float32)[own], np.eye(3)[own])


def counted(*frames):
    """frames: the faces of each."""
    summary = Summary([])
    for index, faces in enumerate(frames):
        summary.add(FrameResult(Frame(picture(), index / 10, "x"), index, tuple(faces)))
    return summary.as_dict()


def test_shares_changes_and_frames():
    labels = [("happy", 0), ("happy", 1), ("happy", 0), ("sad", 1)]
    value = counted(*([face(label, own)] for label, own in labels), [])
    assert (value["frames"], value["frames_with_face"], value["faces"], value["tracks"]) == (5, 4, 4, 1)
    assert value["shares"] == {"happy": 0.75, "sad": 0.25}
    assert value["seconds"] == pytest.approx(0.4)  # of the clip; `took_s` is the run's
    assert value["took_s"] < 60
    assert value["label_changes_per_minute"] == pytest.approx(1 * 60 / 0.4)
    assert value["unsmoothed_label_changes_per_minute"] == pytest.approx(3 * 60 / 0.4)


def test_two_faces_are_not_one_that_changes_its_label_and_an_uncertain_one_is_counted():
    value = counted(*[[face("happy", 0, track=1), face(None, 1, track=2)]] * 4)
    assert value["label_changes_per_minute"] == 0
    assert value["shares"] == {"happy": 0.5, "uncertain": 0.5}


def test_nothing_grows_with_the_number_of_tracks():
    summary = Summary([])
    for i in range(3 * REMEMBERED):
        summary.add(FrameResult(Frame(picture(), i, "x"), i, (face("happy", track=i),)))
    assert summary.as_dict()["tracks"] == 3 * REMEMBERED
    assert len(summary._last) == REMEMBERED


def test_stage_times_are_percentiles_of_the_latest():
    assert Summary([StageTimes(["detect"])]).lines()[0].startswith("0 frames")
    times = StageTimes(["detect", "never"])
    for ms in range(1, 101):
        times.add("detect", ms / 1000)
    assert times.table() == {"detect": {"n": 100, "mean_ms": 50.5, "p50_ms": 50.5, "p95_ms": 95.05}}
    for _ in range(KEPT):
        times.add("detect", 0.002)
    expected = {"n": 100 + KEPT, "mean_ms": 2.0, "p50_ms": 2.0, "p95_ms": 2.0}
    assert times.table()["detect"] == expected
