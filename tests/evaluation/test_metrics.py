"""Scores against values worked out by hand."""

import numpy as np
import pytest

from fer_edge.evaluation import metrics

# true class 0 five times (3 right), class 1 three times (1 right), class 2 twice and never predicted
CM = np.array([[3, 2, 0], [2, 1, 0], [1, 1, 0]])


def test_by_hand():
    labels, predicted = np.repeat([0, 0, 1, 1, 2, 2], CM[:, :2].ravel()), np.tile([0, 1], 3)
    cm = metrics.confusion_matrix(labels, np.repeat(predicted, CM[:, :2].ravel()), 3)
    assert cm.tolist() == CM.tolist()
    got = metrics.scores(CM, "abc")
    assert got["accuracy"] == pytest.approx(4 / 10)
    right = {"precision": [3 / 6, 1 / 4, 0], "recall": [3 / 5, 1 / 3, 0], "f1": [6 / 11, 2 / 7, 0]}
    for name, values in right.items():
        assert [row[name] for row in got["per_class"].values()] == pytest.approx(values)
        assert got[f"macro_{name}"] == pytest.approx(sum(values) / 3)
    assert [row["support"] for row in got["per_class"].values()] == [5, 3, 2]


def test_wilson_interval():
    # 10 of 20: centre 0.5; half-width 1.96 / (1 + 3.8416 / 20) * sqrt(0.25 / 20 + 3.8416 / 1600) = 0.2007
    assert metrics.wilson_interval(10, 20) == pytest.approx((0.2993, 0.7007), abs=1e-4)
    # none of ten: 0 .. z^2 / (n + z^2)
    assert metrics.wilson_interval(0, 10) == pytest.approx((0, 3.8415 / 13.8415), abs=1e-4)
    assert metrics.wilson_interval(0, 0) == (0, 1)
    low, high = metrics.wilson_interval(2487, 3589)  # data/README: 3,589 pictures give about 1.5 points
    assert (high - low) / 2 == pytest.approx(0.015, abs=5e-4)


def test_agreement_and_largest_difference():
    p = np.array([[0.6, 0.4], [0.1, 0.9], [0.5, 0.5]])
    q = np.array([[0.7, 0.3], [0.8, 0.2], [0.5, 0.5]])
    assert metrics.agreement(p, q) == pytest.approx(2 / 3)
    assert metrics.max_abs_diff(p, q) == pytest.approx(0.7)
    assert metrics.max_abs_diff(np.array([0], np.uint8), np.array([255], np.uint8)) == 255  # no wrap
