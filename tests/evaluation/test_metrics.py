"""Scores against values worked out by hand, and against scikit-learn."""

import numpy as np
import pytest

from fer_edge.evaluation import metrics

# true class 0 five times (3 right), class 1 three times (1 right), class 2 twice and never predicted
CM = np.array([[3, 2, 0], [2, 1, 0], [1, 1, 0]])


def test_by_hand():
    labels, predicted = np.repeat([0, 0, 1, 1, 2, 2], CM[:, :2].ravel()), np.tile([0, 1], 3)
    cm = metrics.confusion_matrix(labels, np.repeat(predicted, CM[:, :2].ravel()), 3)
    assert cm.tolist() == CM.tolist()
    assert metrics.accuracy(CM) == pytest.approx(4 / 10)
    assert metrics.precision(CM) == pytest.approx([3 / 6, 1 / 4, 0])
    assert metrics.recall(CM) == pytest.approx([3 / 5, 1 / 3, 0])
    assert metrics.f1(CM) == pytest.approx([6 / 11, 2 / 7, 0])
    # the paper counts true negatives. Class 0: TP 3, TN 2 (1 as 1, 2 as 1);
    # class 1: TP 1, TN 4 (3 + 1); class 2: TP 0, TN 8
    assert metrics.one_vs_rest_accuracy(CM) == pytest.approx([5 / 10, 5 / 10, 8 / 10])


@pytest.mark.filterwarnings("error")
def test_no_warning_for_classes_without_predictions_or_pictures():
    empty = np.zeros((2, 2), np.int64)
    assert metrics.scores(empty, ("a", "b"))["macro_f1"] == 0
    assert metrics.one_vs_rest_accuracy(empty).tolist() == [0, 0]


def test_scores_are_sklearns():
    from sklearn.metrics import accuracy_score, precision_recall_fscore_support

    rng = np.random.default_rng(3)
    labels, predicted = rng.integers(0, 7, 500), rng.integers(0, 6, 500)  # class 6 is never predicted
    predicted[:200] = labels[:200] % 6
    got = metrics.scores(metrics.confusion_matrix(labels, predicted, 7), "abcdefg")
    p, r, f, support = precision_recall_fscore_support(labels, predicted, labels=range(7), zero_division=0)
    assert got["accuracy"] == pytest.approx(accuracy_score(labels, predicted))
    assert got["macro_precision"] == pytest.approx(p.mean())
    assert got["macro_recall"] == pytest.approx(r.mean())
    assert got["macro_f1"] == pytest.approx(f.mean())
    for i, name in enumerate("abcdefg"):
        expected = {"precision": p[i], "recall": r[i], "f1": f[i], "support": support[i]}
        assert got["per_class"][name] == pytest.approx(expected)


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


def test_macro_f1_interval_covers_what_chance_moves():
    """Of two classes alike in all, macro-F1 is nearly the accuracy: its interval is nearly Wilson's."""
    cm = np.array([[80, 20], [20, 80]])
    low, high = metrics.macro_f1_interval(cm)
    expected = metrics.wilson_interval(160, 200)
    assert (low, high) == pytest.approx(expected, abs=0.015)
    assert metrics.macro_f1_interval(np.zeros((2, 2), int)) == (0, 1)
    assert metrics.macro_f1_interval(np.diag([5, 5])) == (1, 1)
