"""Each corruption against values worked out by hand; which pictures the table is made of, and its figures."""

import json

import numpy as np
import pytest

from fer_edge.data.dataset import Dataset
from fer_edge.evaluation import CONDITIONS, Predictor, Selection, report, robustness
from fer_edge.spec import LABELS


def flat(level):
    return np.full((48, 48), level, np.uint8)


def spoilt(name, face):
    before = face.copy()
    out = CONDITIONS[name](face, np.random.default_rng(3))
    assert (out.shape, out.dtype) == ((48, 48), np.uint8)
    np.testing.assert_array_equal(face, before)
    return out


def test_crops_too_tight_and_too_loose():
    ring = flat(255)
    ring[5:-5, 5:-5] = 0
    assert spoilt("tight crop 5 px", ring).max() == 0
    ring[5] = 255
    assert spoilt("tight crop 5 px", ring)[0].min() == 255
    half = flat(0)
    half[:24] = 255
    out = spoilt("face at 80 %", half)
    assert out[:23].min() == 255  # 5 px of border and the upper half of 38
    assert out[25:].max() == 0
    edge = flat(0)
    edge[:, :2] = 240
    shrunk = spoilt("face at 80 %", edge)[24]
    assert (shrunk[:6] == 240).all()
    assert shrunk[8:].max() == 0


def test_dark_and_gamma_round_down():
    assert [int(spoilt("dark x0.4", flat(v))[0, 0]) for v in (0, 254, 255)] == [0, 101, 102]
    assert [int(spoilt("gamma 2.2", flat(v))[0, 0]) for v in (0, 128, 255)] == [0, 55, 255]  # 255 x 0.2195


def test_turned_is_counter_clockwise_about_the_centre():
    spot = flat(0)
    spot[22:26, 38:42] = 255  # its centre (23.5, 39.5), 16 px right of the picture's
    out = spoilt("rotated 15°", spot).astype(float)
    row = (out.sum(axis=1) * np.arange(48)).sum() / out.sum()
    column = (out.sum(axis=0) * np.arange(48)).sum() / out.sum()
    assert row == pytest.approx(23.5 - 16 * np.sin(np.radians(15)), abs=0.1)
    assert column == pytest.approx(23.5 + 16 * np.cos(np.radians(15)), abs=0.1)


def test_blur_spreads_a_point_as_a_gaussian_of_one_and_a_half_pixels():
    point = flat(0)
    point[24, 24] = 255
    out = spoilt("blur sigma 1.5", point)
    assert int(out[24, 24]) == pytest.approx(255 / (2 * np.pi * 1.5**2), abs=1)
    assert int(out[24, 26]) == pytest.approx(255 / (2 * np.pi * 1.5**2) * np.exp(-4 / 4.5), abs=1)


def test_noise_has_its_strength_and_is_cut_not_wrapped():
    out = spoilt("noise sigma 15", flat(128))
    assert out.std() == pytest.approx(15, abs=0.5)
    assert out.mean() == pytest.approx(128, abs=1)
    assert spoilt("noise sigma 15", flat(255)).min() > 128


LEVELS = 40 + 5 * np.arange(40)
SELECTION = Selection(
    Dataset(
        (LEVELS[:, None, None] * np.ones((1, 48, 48))).astype(np.uint8),
        np.where(LEVELS < 128, 0, 3),
        np.full(40, 2, np.uint8),
        np.arange(1, 41),
        "faces.csv",
        "ab",
    ),
    "official",
    "PrivateTest",
    np.zeros(40, bool),
)
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
