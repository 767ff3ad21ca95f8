"""Haar faces on real pictures and clips, and what is said where OpenCV has no cascade."""

import types

import cv2
import numpy as np
import pytest

from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.pictures import read_picture
from fer_edge.sources.video import VideoFile
from fer_edge.vision.crop import to_gray
from fer_edge.vision.faces import HaarDetector, load_cascade, make_detector
from fer_edge.vision.frames import overlap

FACES = {
    "astronaut.png": 1,
    "obama_480p.jpg": 1,
    "obama_small_240p.jpg": 1,
    "biden2.jpg": 1,
    "two_people.jpg": 2,
    "coffee_noface.png": 0,
    "cat_chelsea.png": 0,
    "derived/obama_480p_exif6.jpg": 1,
    "derived/obama_gray8.png": 1,
    "derived/obama_cmyk.jpg": 1,
    "derived/visage_été_笑.jpg": 1,
    "derived/truncated.jpg": 1,
}


@pytest.mark.parametrize("name", FACES)
def test_faces_in_pictures(media, name):
    bgr, _ = read_picture(media / name)
    assert len(HaarDetector().detect_still(bgr, to_gray(bgr))) == FACES[name]


def boxes_of(path, size=None, least=None, limit=None):
    detector, video = HaarDetector(least), VideoFile(path)
    video.open()
    boxes = []
    while (frame := video.read()) is not None and len(boxes) != limit:
        bgr = frame.bgr if size is None else cv2.resize(frame.bgr, size)
        boxes.append(detector.detect(bgr, to_gray(bgr)))
    return boxes


def test_a_face_is_found_anew_in_every_frame_and_nothing_else(media):
    boxes = boxes_of(media / "emotions_pexels.mp4", (640, 480))
    assert len(boxes) == 472
    assert sum(bool(b) for b in boxes) >= 460
    assert sum(len(b) > 1 for b in boxes) <= 4


def test_no_box_outlives_its_face(media):
    boxes = boxes_of(media / "face_then_noface.mov")
    assert all(boxes[:70])
    assert not any(boxes[74:])


def test_the_quick_search_finds_the_box_of_the_careful_one(media):
    video, detector = VideoFile(media / "neutral_to_smile.mp4"), HaarDetector()
    video.open()
    for i in range(20):
        frame = video.read()
        gray = to_gray(frame.bgr)
        quick = detector.detect(frame.bgr, gray)
        if i % 5 == 4:
            careful = HaarDetector().detect_still(frame.bgr, gray)
            assert overlap(quick[0], careful[0]) > 0.7


def test_smaller_faces_than_asked_for_are_left_out(media):
    bgr, _ = read_picture(media / "obama_480p.jpg")  # its face is 134 px wide
    assert HaarDetector(200).detect_still(bgr, to_gray(bgr)) == []
    assert HaarDetector(200).detect(bgr, to_gray(bgr)) == []
    assert len(HaarDetector(100).detect(bgr, to_gray(bgr))) == 1


def test_a_frame_smaller_than_a_face_has_none():
    gray = np.zeros((10, 10), np.uint8)
    assert HaarDetector().detect(gray, gray) == []
    assert HaarDetector().detect_still(gray, gray) == []


def test_opencv_5_is_told_plainly():
    with pytest.raises(FerEdgeError, match=r"OpenCV 5\.0\.0 has no CascadeClassifier: pip install.*<5"):
        load_cascade(types.SimpleNamespace(__version__="5.0.0"))


def test_an_opencv_without_the_xml_files_is_told_plainly(tmp_path):
    without = types.SimpleNamespace(
        __version__="4.99", CascadeClassifier=object, data=types.SimpleNamespace(haarcascades=str(tmp_path))
    )
    with pytest.raises(FerEdgeError, match=r"came without haarcascade_frontalface_default\.xml"):
        load_cascade(without)


def test_yunet_needs_the_user_s_model(tmp_path):
    with pytest.raises(UsageError, match="--detector-model"):
        make_detector("yunet")
    with pytest.raises(ModelError, match="no file"):
        make_detector("yunet", tmp_path / "gone.onnx")
    (tmp_path / "text.onnx").write_text("no model")
    with pytest.raises(ModelError, match="not a YuNet model"):
        make_detector("yunet", tmp_path / "text.onnx")


def test_a_misspelt_detector_is_an_error():
    with pytest.raises(UsageError, match="haar, yunet"):
        make_detector("har")


@pytest.mark.parametrize("shape", [(1, 9000), (9000, 1), (8, 60000), (1, 1)])
def test_strips_too_thin_for_a_face_have_none(shape):
    gray = np.full(shape, 90, np.uint8)
    detector = HaarDetector()
    assert detector.detect_still(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), gray) == []
    assert detector.detect(cv2.cvtColor(gray, cv2.COLOR_GRAY2BGR), gray) == []
