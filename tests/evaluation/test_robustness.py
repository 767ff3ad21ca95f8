"""Each corruption against values worked out by hand; which pictures the table is made of, and its figures."""

import json

import cv2
import numpy as np
import pytest

from fer_edge.data.dataset import Dataset
from fer_edge.evaluation import CONDITIONS, Predictor, Selection, report, robustness
from fer_edge.spec import LABELS


def spoilt(name, face):
    return CONDITIONS[name](face, np.random.default_rng(3))


def test_each_condition_is_what_it_was_when_older_tables_were_made():
    face = np.random.default_rng(1).integers(0, 256, (48, 48), np.uint8)
    before = face.copy()
    small = cv2.resize(face, (38, 38), interpolation=cv2.INTER_AREA)
    turn = cv2.getRotationMatrix2D((23.5, 23.5), 15, 1)  # counter-clockwise
    noise = np.random.default_rng(3).normal(0, 15, face.shape)
    wanted = {
        "clean": face,
        "tight crop 5 px": cv2.resize(face[5:-5, 5:-5], (48, 48)),
        "face at 80 %": cv2.copyMakeBorder(small, 5, 5, 5, 5, cv2.BORDER_REPLICATE),
        "dark x0.4": np.floor(face * 0.4),
        "gamma 2.2": np.floor(255 * (face / 255) ** 2.2),
        "rotated 15°": cv2.warpAffine(face, turn, (48, 48), borderMode=cv2.BORDER_REPLICATE),
        "blur sigma 1.5": cv2.GaussianBlur(face, (0, 0), 1.5),
        "noise sigma 15": np.rint(np.clip(face + noise, 0, 255)),
    }
    assert list(CONDITIONS) == list(wanted)
    for name, expected in wanted.items():
        np.testing.assert_array_equal(spoilt(name, face), expected, err_msg=name)
        assert spoilt(name, face).dtype == np.uint8
    np.testing.assert_array_equal(face, before)
    grays = np.array([[0, 128, 254, 255]], np.uint8)
    assert spoilt("dark x0.4", grays).tolist() == [[0, 51, 101, 102]]
    assert spoilt("gamma 2.2", grays).tolist() == [[0, 55, 252, 255]]  # 255 x 0.2195


LEVELS = 40 + 5 * np.arange(40)
FLAT, ANGRY = (LEVELS[:, None, None] * np.ones((1, 48, 48))).astype(np.uint8), LEVELS < 128
ROWS = Dataset(FLAT, np.where(ANGRY, 0, 3), np.full(40, 2, np.uint8), np.arange(1, 41), "faces.csv", "ab")
SELECTION = Selection(ROWS, "official", "PrivateTest", np.zeros(40, bool))
"""Flat pictures of these gray levels; a label says whether its picture's is below 128, as the model does."""


def by_brightness(seen):
    def predict(faces):
        seen.append(faces)
        return np.eye(7, dtype=np.float32)[np.where(faces.mean(axis=(1, 2)) < 128, 0, 3)]

    return Predictor("m", LABELS, (48, 48), predict)


def test_accuracy_of_each_condition_by_hand():
    got = robustness(by_brightness([]), SELECTION, pictures=99)
    rows = got["conditions"]
    assert (got["n"], got["seed"], len(rows)) == (40, 0, 8)
    for name in ("clean", "tight crop 5 px", "face at 80 %", "rotated 15°", "blur sigma 1.5"):
        assert rows[name]["accuracy"] == 1
    # times 0.4 every picture is below 128: right are those that were so before
    assert rows["dark x0.4"]["accuracy"] == np.mean(LEVELS < 128)
    assert rows["gamma 2.2"]["accuracy"] == np.mean((LEVELS < 128) | (255 * (LEVELS / 255) ** 2.2 >= 128))
    assert rows["clean"]["macro_f1"] == pytest.approx(2 / 7)  # two of seven classes are there
    assert 0 < rows["dark x0.4"]["low"] < rows["dark x0.4"]["accuracy"] < rows["dark x0.4"]["high"] < 1
    assert json.loads(json.dumps(got)) == got
    table = {row[0]: row for row in report.robustness_table(got, "m", "PrivateTest").rows}
    assert table["dark x0.4"][1] == "45.0"  # 18 of 40 levels lie below 128
    assert table["dark x0.4"][3] == "-55.0"


def test_the_pictures_are_drawn_by_the_seed_and_the_noise_after_them():
    seen = []
    robustness(by_brightness(seen), SELECTION, pictures=10, seed=5)
    rng = np.random.default_rng(5)
    drawn = SELECTION.dataset.images[rng.permutation(40)[:10]]
    np.testing.assert_array_equal(seen[0], drawn)
    noise = np.clip(drawn + rng.normal(0, 15, drawn.shape), 0, 255).round().astype(np.uint8)
    np.testing.assert_array_equal(seen[-1], noise)
