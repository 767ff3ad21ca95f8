"""One frame: crops, labels, uncertainty, faces at the border; tracks and labels that hold over time."""

import math

import numpy as np
import pytest
from loop_fakes import FakeClassifier, analyser, picture

from fer_edge.vision.analysis import Tracker
from fer_edge.vision.crop import READABLE
from fer_edge.vision.frames import Frame


def frame(bgr=None, time_s=0.0):
    return Frame(picture(50) if bgr is None else bgr, time_s, "x")


def test_a_face_carries_its_own_probabilities_and_the_smoothed_label():
    subject = analyser((0, 0, 20, 20), classifier=FakeClassifier((0.8, 0.1, 0.1), (0.1, 0.8, 0.1)))
    subject.analyse(frame())
    face = subject.analyse(frame(time_s=0.1))[0]
    assert face.probabilities == pytest.approx([0.1, 0.8, 0.1])
    assert (face.label, face.track) == ("happy", 1)  # one frame of 'sad' is not enough
    assert face.confidence == pytest.approx(0.8 * 0.5 ** (1 / 3) + 0.1 * (1 - 0.5 ** (1 / 3)))


def test_a_face_that_cannot_be_read_has_no_label_and_is_not_smoothed_in():
    sharp = np.random.default_rng(0).integers(0, 255, (60, 80, 3), np.uint8)
    classifier = FakeClassifier((0, 1, 0), (1, 0, 0), (0, 1, 0), (0.9, 0.1, 0))
    subject = analyser((10, 10, 48, 48), classifier=classifier, min_quality=READABLE)
    shown = enumerate((picture(50), sharp, picture(50), sharp))
    seen = [subject.analyse(frame(bgr, i / 10))[0] for i, bgr in shown]
    assert [face.label for face in seen] == [None, "happy", None, "happy"]
    assert [face.quality > READABLE for face in seen] == [False, True, False, True]
    assert seen[1].confidence == seen[2].confidence == 1  # what showed nothing left no trace
    past = 0.5 ** (0.2 / 0.3)  # as old as the last frame that counted
    assert seen[3].confidence == pytest.approx(past + 0.9 * (1 - past))


def test_pictures_stand_alone():
    subject = analyser((0, 0, 20, 20), classifier=FakeClassifier((1, 0, 0), (0.4, 0.6, 0)), still=True)
    *_, (face,) = (subject.analyse(frame()) for _ in range(2))
    assert (face.label, face.track, face.confidence) == ("sad", 1, pytest.approx(0.6))  # not smoothed


@pytest.mark.parametrize(
    ("box", "reported"),
    [
        ((0, 0, 20, 20), (0, 0, 20, 20)),
        ((-10, -10, 30, 30), (0, 0, 20, 20)),
        ((70, 50, 30, 30), (70, 50, 10, 10)),
        ((500, 500, 20, 20), None),  # wholly outside: no face
    ],
)
@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 1), (60, 80, 3), (60, 80, 4)])
def test_a_face_at_the_border_is_clipped_and_classified(box, reported, shape):
    classifier = FakeClassifier(margin=0.3)
    bgr = np.full(shape, 50, np.uint8)
    faces = analyser(box, classifier=classifier).analyse(frame(bgr))
    assert [face.box_xywh for face in faces] == [reported] * len(faces)
    assert len(faces) == (reported is not None)
    assert all((seen == 50).all() for seen in classifier.seen)


def test_each_face_has_a_crop_of_its_own_with_the_model_s_margin():
    bgr, classifier = picture(0), FakeClassifier(margin=0.5)
    bgr[20:40, 20:40], bgr[20:40, 60:80] = 200, 100
    boxes = (20, 20, 20, 20), (60, 20, 20, 20)
    analyser(*boxes, classifier=classifier).analyse(frame(bgr))
    first, second = classifier.seen[0]
    assert first.tolist() == [[0, 0, 0, 0], [0, 200, 200, 0], [0, 200, 200, 0], [0, 0, 0, 0]]
    assert second.max() == 100


def tracks_of(shares, times_s, half_life_s=0.3):
    tracker, box = Tracker(half_life_s), (0, 0, 20, 20)
    rows = zip(shares, times_s, strict=True)
    tracks = [tracker.update([box], np.array([own], np.float32), time_s, [True])[0] for own, time_s in rows]
    return tracks[-1].class_id, tracks[-1].smoothed


@pytest.mark.parametrize(
    ("times_s", "half_life_s", "expected"),
    [
        ([0.3], 0.3, (0.5, 0.5)),  # after one half-life the past weighs one half
        ([0.6], 0.3, (0.25, 0.75)),
        ([0.03 * n for n in range(1, 11)], 0.3, (0.5, 0.5)),  # whatever the frame rate
        ([0.01], 0.0, (0, 1)),  # no smoothing
        ([0.3], math.inf, (1, 0)),  # the past never fades
    ],
)
def test_the_past_fades_by_its_half_life(times_s, half_life_s, expected):
    shares = [(1, 0)] + [(0, 1)] * len(times_s)
    assert tracks_of(shares, [0.0, *times_s], half_life_s)[1] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("shares", "step_s", "half_life_s", "label"),
    [
        ([(0.51, 0.5), (0.42, 0.58)], 0.3, 0.3, 0),  # ahead by 0.08 of the half that is new
        ([(0.51, 0.5), (0.38, 0.62)], 0.3, 0.3, 1),
        ([(0.6, 0.4), (0.49, 0.51)], 1 / 30, 0, 1),  # without smoothing the frame's own
        ([(0.9, 0.1)] + [(0.1, 0.9)] * 15, 1 / 30, 0.3, 1),  # a change is shown within half a second
        (([(0.7, 0.3)] * 3 + [(0.3, 0.7)]) * 15, 1 / 30, 0.3, 0),  # flicker of single frames is not
    ],
)
def test_a_label_holds_until_another_is_clearly_ahead(shares, step_s, half_life_s, label):
    times_s = [step_s * n for n in range(len(shares))]
    assert tracks_of(shares, times_s, half_life_s)[0] == label


@pytest.mark.parametrize(
    ("lefts", "ids"),
    [
        ([(0, 100), (102, 3)], [2, 1]),  # their order changes
        ([(0,), (10, 1)], [2, 1]),  # the better overlap wins, the other face is new
        ([(0,), (13,)], [1]),  # of 20 pixels 7 in common: 7 / 33 is 0.21 of both together
        ([(0,), (14,)], [2]),  # 6 / 34 is 0.18: another face
        ([(0,), (10,), (20,), (30,)], [1]),  # it moves step by step
        ([(0, 12), (4,)], [1]),  # of two that a box overlaps the nearer goes on
        ([(0,), (), (0,)], [1]),  # a short gap
        ([(0,), (), (), (0,)], [2]),  # a long one
    ],
)
def test_who_is_who_follows_the_overlap(lefts, ids):
    tracker = Tracker()
    for n, row in enumerate(lefts):
        boxes = [(left, 0, 20, 20) for left in row]
        tracks = tracker.update(boxes, np.full((len(row), 2), 0.5, np.float32), 0.45 * n, [True] * len(row))
    assert [track.id for track in tracks] == ids
    assert [track.box_xywh for track in tracks] == boxes


@pytest.mark.parametrize(
    ("times_s", "ids"),
    [
        ((0, 2, 4, 6), [1, 1, 1, 1]),  # a frame in two seconds: the same person
        ((0, 0.8, 1.61, -2.4, -3.2, 4.01), [1, 1, 1, 1]),  # not found in two frames
        ((0, 0.1, 0.2, 9, 9.1), [1, 1, 1, 2, 2]),  # a camera that came back
    ],
)
def test_who_is_new_follows_the_pace(times_s, ids):
    eyes, found = analyser((10, 10, 20, 20)), []
    boxes = eyes.detector.faces
    for time_s in times_s:
        eyes.detector.faces = boxes if time_s >= 0 else []
        found += [face.track for face in eyes.analyse(frame(time_s=abs(time_s)))]
    assert found == ids
