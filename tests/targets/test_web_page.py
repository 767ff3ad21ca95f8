"""The page: its own JavaScript against the OpenCV code that `run` uses, and the whole of it in Chromium."""

import json
import shutil
import subprocess
import types
from importlib import resources

import browser
import cv2
import numpy as np
import pytest
from tiny_models import softmax

from fer_edge.errors import FerEdgeError
from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.pictures import read_picture
from fer_edge.targets import web_page
from fer_edge.vision import blazeface
from fer_edge.vision import crop as preprocess
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.frames import Frame, overlap, square_box


def node(module, script, given):
    """What a script that follows one of the page's modules writes, given `given`; both as JSON."""
    if shutil.which("node") is None:
        pytest.skip("needs node, which is not installed")
    text = resources.files("fer_edge.targets").joinpath("page", module).read_text()
    text += 'import fs from "node:fs"; const given = JSON.parse(fs.readFileSync(0));' + script
    command = ["node", "--input-type=module", "-e", text]
    done = subprocess.run(command, input=json.dumps(given), capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


def test_gray_levels_and_faces_are_opencvs():
    """Of a picture of noise; faces within OpenCV's rounding: inside, over the border, smaller and larger than
    the model's input."""
    bgr = np.random.default_rng(0).integers(0, 256, (90, 120, 3), dtype=np.uint8)
    squares = [(10, 5, 48), (0, 0, 90), (30, 20, 61), (-9, 40, 70), (80, -20, 64), (40, 40, 20)]
    rgba = np.dstack([bgr[:, :, ::-1], np.full((90, 120, 1), 255, np.uint8)])
    script = """
    const gray = toGray(given.rgba);
    const faces = given.squares.map(([x, y, side]) => Array.from(crop(gray, 120, 90, x, y, side, 48, 48)));
    console.log(JSON.stringify({gray: Array.from(gray), faces}));
    """
    given = node("picture.js", script, {"rgba": rgba.ravel().tolist(), "squares": squares})
    gray = preprocess.to_gray(bgr)
    np.testing.assert_array_equal(np.reshape(given["gray"], (90, 120)), gray)
    for (x, y, side), face in zip(squares, given["faces"], strict=True):
        wanted = preprocess.crop_face(gray, (x, y, side, side))
        assert np.abs(np.reshape(face, (48, 48)) - wanted.astype(int)).max() <= 1, (x, y, side)


@pytest.mark.parametrize("roll", [-63, 25, 40])
def test_a_tilted_head_is_levelled_as_run_does_it(roll):
    noise = np.random.default_rng(0).integers(0, 256, (12, 16), dtype=np.uint8)
    gray = cv2.resize(noise, (160, 120), interpolation=cv2.INTER_CUBIC)
    squares = [(30, 20, 72), (-9, 40, 68), (50, 30, 32)]  # a quarter of each is whole pixels
    script = """
    const cropped = ([x, y, side]) => Array.from(crop(given.gray, 160, 120, x, y, side, 48, 48, given.roll));
    console.log(JSON.stringify(given.squares.map(cropped)));
    """
    given = {"gray": gray.ravel().tolist(), "squares": squares, "roll": roll}
    for (x, y, side), face in zip(squares, node("picture.js", script, given), strict=True):
        wanted = preprocess.crop_face(gray, (x, y, side, side), roll_deg=roll).astype(int)
        assert np.abs(np.reshape(face, (48, 48)) - wanted).mean() < 4, (x, y, side)


@pytest.mark.parametrize("seed", range(4))
def test_boxes_are_those_of_the_detector_in_python(seed):
    """Random outputs of the network, of which many overlap."""
    random = np.random.default_rng(seed)
    places = random.uniform(-4, 4, (48 * 48, 16)).astype(np.float32)
    places[:, 2:4] = random.uniform(10, 60, (48 * 48, 2))
    logits = random.normal(-4, 1.8, (48 * 48, 1)).astype(np.float32)
    detector = object.__new__(blazeface.BlazeFaceDetector)
    detector._side, detector._anchors = 192, blazeface._anchors(192)
    detector._input = lambda: np.empty((1, 192, 192, 3), np.float32)
    detector._results = lambda: places[None], lambda: logits[None]
    detector._network = types.SimpleNamespace(invoke=lambda: None)
    wanted = detector._look(np.zeros((192, 192, 3), np.uint8), (0, 0, 192, 192))
    script = "console.log(JSON.stringify(decode(given.places, given.logits, given.facts)));"
    given = {"places": places.ravel().tolist(), "logits": logits.ravel().tolist()}
    found = node("faces.js", script, given | {"facts": web_page.DETECTION})
    assert len(found) == len(wanted) > 5
    np.testing.assert_allclose([one["score"] for one in found], [score for score, _ in wanted], atol=1e-5)
    boxes = [[one[name] for name in ("x", "y", "width", "height")] for one in found]
    np.testing.assert_allclose(boxes, [one.box_xywh for _, one in wanted], atol=0.51)
    np.testing.assert_allclose([one["roll"] for one in found], [one.roll_deg for _, one in wanted], atol=0.01)


def test_a_face_is_followed_at_a_lower_score_than_a_new_one_needs():
    def box(x, score):
        return {"x": x, "y": 0, "width": 40, "height": 40, "score": score}

    frames = [[box(0, 0.9), box(100, 0.4)], [box(104, 0.8), box(5, 0.4)], [box(108, 0.4), box(60, 0.4)]]
    script = """
    let known = [];
    const ids = given.map((found) => (known = follow(known, found, 0.5)).map(({id, x}) => [id, x]));
    console.log(JSON.stringify(ids));
    """
    assert node("faces.js", script, frames) == [[[1, 0]], [[2, 104], [1, 5]], [[2, 108]]]


def test_a_square_is_that_of_run():
    boxes = [(3, 5, 40, 50), (-7, 2, 33, 20), (100, 100, 61, 61)]
    given = [dict(zip(("x", "y", "width", "height"), box, strict=True)) for box in boxes]
    script = "console.log(JSON.stringify(given.map((box) => square(box, 0.06))));"
    found = [(one["x"], one["y"], one["side"]) for one in node("faces.js", script, given)]
    assert found == [square_box(box, 0.06)[:3] for box in boxes]


def test_what_the_page_knows_of_the_model_and_that_javascript_has_no_int8(tiny, whole):
    known = web_page.facts(Classifier(tiny))
    assert known["labels"] == ["happy", "sad", "so-so"]
    assert known["stored"] == list(range(256))
    assert (known["rows"], known["columns"], known["dtype"], known["scale"]) == (8, 8, "uint8", 0.0)
    assert len(known["check"]["probabilities"]) == web_page.CHECK_FACES
    with pytest.raises(FerEdgeError, match="takes int8"):
        web_page.page(Classifier(whole))


@pytest.fixture
def chromium():
    try:
        web_page.runtime()
    except FerEdgeError as error:
        pytest.skip(str(error))
    if browser.find() is None:
        pytest.skip("needs Chromium, which is not installed")


def test_the_page_gives_in_chromium_what_numpy_gives(tiny, chromium):
    page = web_page.page(Classifier(tiny))
    assert b"https://cdn" not in page
    assert b"{{" not in page.split(b"<script")[0]
    assert page.count(b"<title>tiny_int8</title>") == 1
    images = np.random.default_rng(0).integers(120, 136, (12, 8, 8), dtype=np.uint8)
    found = browser.report(page, images)
    np.testing.assert_allclose(found["faces"], softmax(images[:, 0, :3]), atol=1e-6)
    assert found["check"]["largest"] < 1e-6


@pytest.mark.parametrize(("name", "turn_deg"), [("two_people.jpg", 0), ("obama_480p.jpg", 30)])
def test_the_page_finds_the_faces_in_chromium(media, chromium, name, turn_deg):
    """And classifies what `run` would, within what the browser's own shrinking of the picture changes."""
    if (model := web_page.find_detector()) is None:
        pytest.skip(f"needs the detector's file: {blazeface.COMMAND}")
    classifier, detector = Classifier(shipped.find_model("edge_int8")), blazeface.BlazeFaceDetector(model)
    frame, _ = read_picture(media / name)
    size = frame.shape[1::-1]
    matrix = cv2.getRotationMatrix2D((size[0] / 2, size[1] / 2), turn_deg, 1.0)
    frame = cv2.warpAffine(frame, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    nothing = np.zeros((0, *classifier.input_size), np.uint8)
    png = cv2.imencode(".png", frame)[1].tobytes()
    found = browser.report(web_page.page(classifier, model), nothing, png)
    faces = Analyser(detector, classifier, still=True).analyse(Frame(frame, 0.0, ""))
    assert len(faces) == found["detected"] == (1 if turn_deg else 2)
    squares = sorted(found["squares"], key=lambda one: one["x"])
    for face, one in zip(sorted(faces, key=lambda face: face.box_xywh), squares, strict=True):
        box = square_box(face.box_xywh, detector.margin)
        assert overlap(box, (one["x"], one["y"], one["side"], one["side"])) > 0.8
        assert one["roll"] == pytest.approx(-turn_deg, abs=8)
        assert np.abs(face.probabilities - one["probabilities"]).max() < 0.15


def test_a_page_without_a_detector_leaves_the_square_to_the_hand(media, tiny, chromium):
    nothing = np.zeros((0, 8, 8), np.uint8)
    found = browser.report(web_page.page(Classifier(tiny)), nothing, (media / "two_people.jpg").read_bytes())
    assert (found["detected"], len(found["squares"])) == (0, 1)
