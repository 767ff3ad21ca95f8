"""What is counted over a run, and the times of its stages."""

import numpy as np
import pytest
from loop_fakes import LABELS, picture

from fer_edge.loop import summary as summaries
from fer_edge.loop.summary import REMEMBERED, StageTimes, Summary
from fer_edge.vision.frames import Face, Frame, FrameResult


def result(index, *faces):
    return FrameResult(Frame(picture(), index / 10, "x"), index, faces)


def face(label, own=0, track=1):
    return Face((0, 0, 5, 5), track, label, 0.5, np.eye(3, dtype=np.float32)[own], np.eye(3)[own])


def test_shares_changes_and_frames():
    summary = Summary(LABELS, [])
    for i, (label, own) in enumerate([("happy", 0), ("happy", 1), ("happy", 0), ("sad", 1)]):
        summary.add(result(i, face(label, own)))
    summary.add(result(4))
    value = summary.as_dict()
    assert (value["frames"], value["frames_with_face"], value["faces"], value["tracks"]) == (5, 4, 4, 1)
    assert value["shares"] == {"happy": 0.75, "sad": 0.25}
    assert value["seconds"] == pytest.approx(0.4)
    assert value["label_changes_per_minute"] == pytest.approx(1 * 60 / 0.4)
    assert value["unsmoothed_label_changes_per_minute"] == pytest.approx(3 * 60 / 0.4)


def test_two_faces_are_not_one_that_changes_its_label():
    summary = Summary(LABELS, [])
    for i in range(4):
        summary.add(result(i, face("happy", 0, track=1), face("sad", 1, track=2)))
    assert summary.as_dict()["label_changes_per_minute"] == 0


def test_an_uncertain_face_is_counted_as_such():
    summary = Summary(LABELS, [])
    summary.add(result(0, face(None)))
    assert summary.as_dict()["shares"] == {"uncertain": 1.0}


def test_nothing_grows_with_the_number_of_tracks():
    summary = Summary(LABELS, [])
    for i in range(3 * REMEMBERED):
        summary.add(result(i, face("happy", track=i)))
    assert summary.as_dict()["tracks"] == 3 * REMEMBERED
    assert len(summary._last_label) == REMEMBERED


def test_a_run_without_frames_has_a_summary():
    assert Summary(LABELS, [StageTimes(["detect"])]).lines()[0].startswith("0 frames")


def test_stage_times_are_percentiles_of_what_was_added():
    times = StageTimes(["detect", "never"])
    for ms in range(1, 101):
        times.add("detect", ms / 1000)
    assert times.table() == {"detect": {"n": 100, "mean_ms": 50.5, "p50_ms": 50.5, "p95_ms": 95.05}}


def test_only_the_latest_times_are_kept():
    times = StageTimes(["detect"])
    for _ in range(summaries.KEPT):
        times.add("detect", 1.0)
    for _ in range(summaries.KEPT):
        times.add("detect", 0.002)
    assert times.table()["detect"] == {"n": 2 * summaries.KEPT, "mean_ms": 2.0, "p50_ms": 2.0, "p95_ms": 2.0}
