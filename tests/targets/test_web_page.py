"""The page: its own JavaScript against the OpenCV code that `run` uses, and the whole of it in Chromium."""

import json
import shutil
import subprocess
from importlib import resources

import browser
import numpy as np
import pytest

from fer_edge.errors import FerEdgeError
from fer_edge.model.classifier import Classifier
from fer_edge.targets import drawn, web_page
from fer_edge.vision import crop as preprocess


@pytest.fixture(scope="module")
def said():
    """What node gives for a picture of noise: its gray levels, and faces cropped from it."""
    if shutil.which("node") is None:
        pytest.skip("needs node, which is not installed")
    random = np.random.default_rng(0)
    bgr = random.integers(0, 256, (90, 120, 3), dtype=np.uint8)
    squares = [(10, 5, 48), (0, 0, 90), (30, 20, 61), (-9, 40, 70), (80, -20, 64), (40, 40, 20)]
    rgba = np.dstack([bgr[:, :, ::-1], np.full((90, 120, 1), 255, np.uint8)])
    script = resources.files("fer_edge.targets").joinpath("page", "picture.js").read_text()
    script += """
    import fs from "node:fs";
    const {rgba, squares} = JSON.parse(fs.readFileSync(0));
    const gray = toGray(rgba);
    const faces = squares.map(([x, y, side]) => Array.from(crop(gray, 120, 90, x, y, side, 48, 48)));
    console.log(JSON.stringify({gray: Array.from(gray), faces}));
    """
    given = json.dumps({"rgba": rgba.ravel().tolist(), "squares": squares})
    command = ["node", "--input-type=module", "-e", script]
    done = subprocess.run(command, input=given, capture_output=True, text=True, check=True)
    return bgr, squares, json.loads(done.stdout)


def test_gray_levels_are_opencvs(said):
    bgr, _, given = said
    np.testing.assert_array_equal(np.reshape(given["gray"], (90, 120)), preprocess.to_gray(bgr))


def test_faces_are_opencvs_within_its_rounding(said):
    """Inside, over the border, smaller and larger than the model's input."""
    bgr, squares, given = said
    gray = preprocess.to_gray(bgr)
    for (x, y, side), face in zip(squares, given["faces"], strict=True):
        wanted = preprocess.crop_face(gray, (x, y, side, side))
        assert np.abs(np.reshape(face, (48, 48)) - wanted.astype(int)).max() <= 1, (x, y, side)


def test_what_the_page_knows_of_the_model(tiny):
    known = web_page.facts(Classifier(tiny))
    assert known["labels"] == ["happy", "sad", "so-so"]
    assert known["stored"] == list(range(256))
    assert (known["rows"], known["columns"], known["dtype"], known["scale"]) == (8, 8, "uint8", 0.0)
    assert len(known["check"]["probabilities"]) == len(drawn(web_page.CHECK_FACES).images)


def test_javascript_has_no_int8(whole):
    with pytest.raises(FerEdgeError, match="takes int8"):
        web_page.page(Classifier(whole))


def test_the_page_gives_in_chromium_what_numpy_gives(tiny):
    try:
        web_page.runtime()
    except FerEdgeError as error:
        pytest.skip(str(error))
    if browser.find() is None:
        pytest.skip("needs Chromium, which is not installed")
    page = web_page.page(Classifier(tiny))
    assert b"https://cdn" not in page
    assert b"{{" not in page.split(b"<script")[0]
    assert page.count(b"<title>tiny_int8</title>") == 1
    faces = np.random.default_rng(0).integers(120, 136, (12, 8, 8), dtype=np.uint8)
    found = browser.report(page, faces)
    powers = np.exp(faces.reshape(12, -1)[:, :3].astype(float) - 128)
    np.testing.assert_allclose(found["faces"], powers / powers.sum(axis=1, keepdims=True), atol=1e-6)
    assert found["check"]["largest"] < 1e-6
