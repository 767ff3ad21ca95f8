"""metrics.json: its shape, and that its figures are right."""

import json

import numpy as np
import pytest

from fer_edge import evaluation
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError
from fer_edge.spec import LABELS


def dataset(labels, split=2):
    n = len(labels)
    return Dataset(
        images=np.zeros((n, 48, 48), np.uint8),
        labels=np.array(labels, np.int64),
        split=np.full(n, split, np.uint8),
        ids=np.arange(1, n + 1),
        path="faces.csv",
        sha256="ab",
    )


def report(predicted, labels, seen=None):
    probabilities = np.eye(7, dtype=np.float32)[predicted]
    return evaluation.report(
        probabilities, dataset(labels), model="m", protocol="official", split="PrivateTest", seen=seen
    )


def test_report_has_the_keys_of_the_design_and_the_right_figures():
    got = report([0, 3, 3, 6], [0, 3, 4, 6], seen=np.array([True, False, False, False]))
    assert list(got) == [
        "model",
        "data",
        "accuracy",
        "accuracy_without_duplicates",
        "macro_precision",
        "macro_recall",
        "macro_f1",
        "per_class",
        "confusion_matrix",
    ]
    assert got["data"] == {
        "path": "faces.csv",
        "sha256": "ab",
        "protocol": "official",
        "split": "PrivateTest",
        "n": 4,
    }
    assert got["accuracy"] == 0.75
    assert got["accuracy_without_duplicates"] == pytest.approx(2 / 3)
    assert got["macro_recall"] == pytest.approx(3 / 7)
    assert got["per_class"]["happy"] == pytest.approx(
        {"precision": 0.5, "recall": 1, "f1": 2 / 3, "support": 1}
    )
    assert list(got["per_class"]) == list(LABELS)
    assert got["confusion_matrix"][4] == [0, 0, 0, 1, 0, 0, 0]
    assert json.loads(json.dumps(got)) == got


@pytest.mark.parametrize("seen", [None, np.array([True])])
def test_accuracy_without_duplicates_is_null_where_nothing_is_known_or_left(seen):
    assert report([0], [0], seen)["accuracy_without_duplicates"] is None


def test_no_rows_and_broken_models_are_errors():
    with pytest.raises(DataError, match="no rows in PrivateTest"):
        report(np.zeros(0, int), [])
    nan = np.full((1, 7), np.nan)
    with pytest.raises(ModelError, match="NaN"):
        evaluation.report(nan, dataset([0]), model="m", protocol="official", split="PublicTest")
    with pytest.raises(ModelError, match="shape"):
        evaluation.report(nan[:, :6], dataset([0]), model="m", protocol="official", split="PublicTest")
