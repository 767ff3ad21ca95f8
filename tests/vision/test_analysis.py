"""One frame: crops, labels, uncertainty, faces at the border; tracks and labels that hold over time."""

import numpy as np
import pytest
from loop_fakes import FakeClassifier, analyser, picture

from fer_edge.spec import CropPolicy
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


def test_below_the_least_confidence_there_is_no_label():
    subject = analyser((0, 0, 20, 20), classifier=FakeClassifier((0.5, 0.3, 0.2)), min_confidence=0.6)
    face = subject.analyse(frame())[0]
    assert (face.label, face.confidence) == (None, pytest.approx(0.5))


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


def test_pictures_that_stand_alone_are_not_smoothed():
    subject = analyser((0, 0, 20, 20), classifier=FakeClassifier((1, 0, 0), (0.4, 0.6, 0)), still=True)
    subject.analyse(frame())
    face = subject.analyse(frame())[0]
    assert (face.label, face.track, face.confidence) == ("sad", 1, pytest.approx(0.6))


@pytest.mark.parametrize(
    ("box", "reported"),
    [
        ((0, 0, 20, 20), (0, 0, 20, 20)),
        ((-10, -10, 30, 30), (0, 0, 20, 20)),
        ((70, 50, 30, 30), (70, 50, 10, 10)),
    ],
)
def test_a_face_at_the_border_is_clipped_and_classified(box, reported):
    classifier = FakeClassifier()
    faces = analyser(box, classifier=classifier, policy=CropPolicy(margin=0.3)).analyse(frame())
    assert [face.box_xywh for face in faces] == [reported]
    assert (classifier.seen[0] == 50).all()


def test_a_box_wholly_outside_is_no_face():
    assert analyser((500, 500, 20, 20)).analyse(frame()) == ()


def test_the_model_s_margin_is_applied_to_the_crop():
    bgr = picture(0)
    bgr[20:40, 20:40] = 200
    classifier = FakeClassifier()
    analyser((20, 20, 20, 20), classifier=classifier, policy=CropPolicy(margin=0.5)).analyse(frame(bgr))
    assert classifier.seen[0][0].tolist() == [[0, 0, 0, 0], [0, 200, 200, 0], [0, 200, 200, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("shape", [(60, 80), (60, 80, 1), (60, 80, 4)])
def test_frames_of_one_and_four_channels_are_analysed(shape):
    assert len(analyser((0, 0, 20, 20)).analyse(frame(np.full(shape, 50, np.uint8)))) == 1


def test_more_faces_than_ever_before_all_get_their_own_crop():
    bgr = picture(0)
    for i in range(4):
        bgr[:, 20 * i : 20 * i + 20] = 50 * i
    classifier = FakeClassifier()
    analyser(*[(20 * i, 0, 20, 20) for i in range(4)], classifier=classifier).analyse(frame(bgr))
    assert [int(face.max()) for face in classifier.seen[0]] == [0, 50, 100, 150]


def p(*values):
    return np.array(values, np.float32)


def labels_of(times_and_shares, half_life_s=0.3):
    """Label and smoothed shares after each update of one face."""
    tracker, box = Tracker(half_life_s), (0, 0, 20, 20)
    tracks = [tracker.update([box], p(*shares)[None], time_s)[0] for time_s, shares in times_and_shares]
    return tracks[-1].class_id, tracks[-1].smoothed


@pytest.mark.parametrize(
    ("times_s", "half_life_s", "expected"),
    [
        ((0.3,), 0.3, (0.5, 0.5)),  # after one half-life the past weighs one half
        ((0.6,), 0.3, (0.25, 0.75)),
        ([0.03 * n for n in range(1, 11)], 0.3, (0.5, 0.5)),  # whatever the frame rate
        ((0.01,), 0.0, (0, 1)),  # no smoothing
    ],
)
def test_the_past_fades_by_its_half_life(times_s, half_life_s, expected):
    shown = [(0.0, (1, 0)), *((time_s, (0, 1)) for time_s in times_s)]
    assert labels_of(shown, half_life_s)[1] == pytest.approx(expected)


@pytest.mark.parametrize(("lead", "held"), [(0.08, 0), (0.12, 1)])
def test_a_label_holds_until_another_is_clearly_ahead(lead, held):
    now = (0.5 - lead, 0.5 + lead)  # half of it counts, the other half is even
    assert labels_of([(0.0, (0.51, 0.5)), (0.3, now)])[0] == held


def test_ids_follow_the_faces_when_their_order_changes():
    tracker, even = Tracker(), np.full((2, 2), 0.5, np.float32)
    left, right = (0, 0, 20, 20), (100, 0, 20, 20)
    assert [t.id for t in tracker.update([left, right], even, 0.0)] == [1, 2]
    assert [t.id for t in tracker.update([(102, 0, 20, 20), (3, 1, 20, 20)], even, 0.1)] == [2, 1]


def test_the_better_overlap_wins_and_the_other_face_is_new():
    tracker = Tracker()
    tracker.update([(0, 0, 20, 20)], p(0.5, 0.5)[None], 0.0)
    boxes = [(10, 0, 20, 20), (1, 0, 20, 20)]
    assert [t.id for t in tracker.update(boxes, np.full((2, 2), 0.5, np.float32), 0.1)] == [2, 1]


@pytest.mark.parametrize(("x", "same"), [(13, True), (14, False)])
def test_a_face_that_jumped_is_another(x, same):
    """Of 20 pixels, 7 and 6 in common: 7 / 33 is 0.21 of both together, 6 / 34 is 0.18."""
    tracker, one = Tracker(), p(0.5, 0.5)[None]
    tracker.update([(0, 0, 20, 20)], one, 0.0)
    assert tracker.update([(x, 0, 20, 20)], one, 0.1)[0].id == (1 if same else 2)


def test_a_face_that_moves_is_followed_step_by_step():
    tracker, one = Tracker(), p(0.5, 0.5)[None]
    tracks = [tracker.update([(10 * n, 0, 20, 20)], one, n * 0.9)[0] for n in range(5)]
    assert {track.id for track in tracks} == {1}
    assert tracks[-1].box_xywh == (40, 0, 20, 20)


def test_without_smoothing_the_label_is_the_frames_own():
    tracker, box = Tracker(half_life_s=0), (0, 0, 20, 20)
    shares = [p(0.6, 0.4), p(0.49, 0.51), p(0.6, 0.4)]
    assert [tracker.update([box], now[None], i / 30)[0].class_id for i, now in enumerate(shares)] == [0, 1, 0]


def test_of_two_faces_that_a_box_overlaps_the_nearer_goes_on():
    tracker = Tracker()
    tracker.update([(0, 0, 20, 20), (12, 0, 20, 20)], np.full((2, 2), 0.5, np.float32), 0.0)
    assert tracker.update([(4, 0, 20, 20)], p(0.5, 0.5)[None], 0.1)[0].id == 1


def test_a_face_keeps_its_id_over_a_short_gap_and_loses_it_over_a_long_one():
    tracker, one = Tracker(), p(0.5, 0.5)[None]
    box = (0, 0, 20, 20)
    tracker.update([box], one, 0.0)
    assert tracker.update([box], one, 0.9)[0].id == 1
    assert tracker.update([box], one, 1.8)[0].id == 1  # counted from when it was seen last
    assert tracker.update([box], one, 2.9)[0].id == 2


def test_each_face_is_smoothed_on_its_own():
    tracker = Tracker(half_life_s=0.3)
    boxes = [(0, 0, 20, 20), (100, 0, 20, 20)]
    tracker.update(boxes, np.array([[1, 0], [0, 1]], np.float32), 0.0)
    tracks = tracker.update(boxes, np.array([[0, 1], [0, 1]], np.float32), 0.3)
    assert tracks[0].smoothed == pytest.approx([0.5, 0.5])
    assert tracks[1].smoothed == pytest.approx([0, 1])


def test_a_change_of_expression_is_shown_within_half_a_second():
    tracker, box = Tracker(), (0, 0, 20, 20)
    tracker.update([box], p(0.9, 0.1)[None], 0.0)
    times_s = [i / 30 for i in range(1, 40)]
    labels = [tracker.update([box], p(0.1, 0.9)[None], t)[0].class_id for t in times_s]
    late = times_s[labels.index(1)]
    assert late <= 0.5


def test_flicker_of_single_frames_does_not_change_the_label():
    tracker, box = Tracker(), (0, 0, 20, 20)
    labels = {
        tracker.update([box], (p(0.3, 0.7) if i % 4 == 3 else p(0.7, 0.3))[None], i / 30)[0].class_id
        for i in range(60)
    }
    assert labels == {0}


@pytest.mark.parametrize(
    ("times_s", "ids"),
    [
        ((0, 2, 4, 6), [1, 1, 1, 1]),  # a frame in two seconds: the same person
        ((0, 0.1, 0.2, 9, 9.1), [1, 1, 1, 2, 2]),  # a camera that came back
    ],
)
def test_who_is_new_follows_the_pace(times_s, ids):
    eyes = analyser((10, 10, 20, 20))
    assert [eyes.analyse(frame(time_s=time_s))[0].track for time_s in times_s] == ids
