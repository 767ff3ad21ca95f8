"""The robustness table: which pictures, and that its figures are right."""

import json

import numpy as np
import pytest

from fer_edge.data.dataset import Dataset
from fer_edge.evaluation import Predictor, robustness
from fer_edge.spec import LABELS


def dataset(count=40):
    """Row n is a flat picture of gray level 40 + 5 n; its label says whether that is below 128."""
    levels = (40 + 5 * np.arange(count)).astype(np.uint8)
    return Dataset(
        images=levels[:, None, None] * np.ones((1, 48, 48), np.uint8),
        labels=np.where(levels < 128, 0, 3),
        split=np.full(count, 2, np.uint8),
        ids=np.arange(1, count + 1),
        path="faces.csv",
        sha256="ab",
    )


def by_brightness(seen):
    def predict(faces):
        seen.append(faces)
        out = np.zeros((len(faces), 7), np.float32)
        out[np.arange(len(faces)), np.where(faces.mean(axis=(1, 2)) < 128, 0, 3)] = 1
        return out

    return Predictor("m", LABELS, (48, 48), predict)


def test_accuracy_of_each_condition_by_hand():
    whole = dataset()
    got = robustness.measure(by_brightness([]), whole, pictures=99)
    rows = got["conditions"]
    assert (got["n"], got["seed"], len(rows)) == (40, 0, 8)
    levels = 40 + 5 * np.arange(40)
    for name in ("clean", "tight crop 5 px", "face at 80 %", "rotated 15°", "blur sigma 1.5"):
        assert rows[name]["accuracy"] == 1
    # times 0.4 every picture is below 128: right are those that were so before
    assert rows["dark x0.4"]["accuracy"] == np.mean(levels < 128)
    assert rows["gamma 2.2"]["accuracy"] == np.mean((levels < 128) | (255 * (levels / 255) ** 2.2 >= 128))
    assert rows["clean"]["macro_f1"] == pytest.approx(2 / 7)  # two of seven classes are there
    low, high = rows["dark x0.4"]["low"], rows["dark x0.4"]["high"]
    assert 0 < low < rows["dark x0.4"]["accuracy"] < high < 1
    assert json.loads(json.dumps(got)) == got


def test_the_pictures_are_drawn_by_the_seed_and_the_noise_after_them():
    seen = []
    robustness.measure(by_brightness(seen), dataset(), pictures=10, seed=5)
    rng = np.random.default_rng(5)
    drawn = dataset().images[rng.permutation(40)[:10]]
    np.testing.assert_array_equal(seen[0], drawn)
    noise = np.clip(drawn + rng.normal(0, 15, drawn.shape), 0, 255).round().astype(np.uint8)
    np.testing.assert_array_equal(seen[-1], noise)


def test_the_table_shows_what_is_lost():
    result = robustness.measure(by_brightness([]), dataset())
    rows = {row[0]: row for row in robustness.table(result, "m", "PrivateTest").rows}
    assert rows["dark x0.4"][1] == "45.0"  # 18 of 40 levels lie below 128
    assert rows["dark x0.4"][3] == "-55.0"
