"""The page's own JavaScript that crops and shrinks, against the OpenCV code that `run` uses."""

import json
import shutil
import subprocess
from importlib import resources

import numpy as np
import pytest

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
