"""One frame: crops, labels, uncertainty, faces at the border."""

import numpy as np
import pytest
from loop_fakes import FakeClassifier, analyser, picture

from fer_edge.spec import CropPolicy
from fer_edge.vision.analysis import Frame


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
