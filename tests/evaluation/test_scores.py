"""metrics.json: its shape, and that its figures are right."""

import json

import numpy as np
import pytest

from fer_edge import evaluation
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, ModelError, UsageError
from fer_edge.evaluation import Predictor
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
    return evaluation.result_of(
        probabilities, evaluation.Selection(dataset(labels), "official", "PrivateTest", seen), "m"
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
    nan, one = np.full((1, 7), np.nan), evaluation.Selection(dataset([0]), "official", "PublicTest", None)
    with pytest.raises(ModelError, match="NaN"):
        evaluation.result_of(nan, one, "m")
    with pytest.raises(ModelError, match="shape"):
        evaluation.result_of(nan[:, :6], one, "m")


def brightest(name="m", labels=LABELS, size=(48, 48)):
    """Names class i where pixel i of the first row is brightest."""

    def predict(faces):
        assert faces.shape[1:] == size
        return faces[:, 0, :7].astype(np.float32) / 255

    return Predictor(name, tuple(labels), size, predict)


def test_probabilities_are_in_the_order_of_the_data_whatever_the_models_is():
    images = np.zeros((300, 48, 48), np.uint8)
    images[np.arange(300), 0, np.arange(300) % 7] = 255
    done = []
    alphabetical = sorted(LABELS)
    p = evaluation.probabilities_of(brightest(labels=alphabetical), images, step=done.append)
    assert [LABELS[i] for i in p.argmax(axis=1)] == [alphabetical[n % 7] for n in range(300)]
    assert sum(done) == 300
    with pytest.raises(ModelError, match="contempt"):
        evaluation.probabilities_of(brightest(labels=(*LABELS[:6], "contempt")), images)


def test_flip_averages_with_the_mirror_image():
    images = np.zeros((1, 48, 48), np.uint8)
    images[0, 0, 2], images[0, 0, 47 - 5] = 255, 51
    p = evaluation.probabilities_of(brightest(), images, flip=True)
    assert p[0] == pytest.approx([0, 0, 0.5, 0, 0, 0.1, 0])


def test_faces_are_resized_to_what_the_model_wants():
    images = np.full((2, 48, 48), 128, np.uint8)
    p = evaluation.probabilities_of(brightest(size=(64, 64)), images)
    assert p == pytest.approx(np.full((2, 7), 128 / 255), abs=0.01)


def whole():
    """Ten rows: six Training, two PublicTest, two PrivateTest; row 9 is a copy of row 0."""
    split = np.array([0] * 6 + [1] * 2 + [2] * 2, np.uint8)
    images = np.arange(10, dtype=np.uint8)[:, None, None] * np.ones((1, 48, 48), np.uint8)
    images[9] = images[0]
    labels = np.arange(10) % 7
    return Dataset(images, labels, split, np.arange(1, 11), path="faces.csv", sha256="ab")


def test_select_takes_what_the_protocol_reports_and_marks_duplicates():
    official = evaluation.select(whole(), "official", None)
    assert (official.protocol, official.split, official.dataset.ids.tolist()) == (
        "official",
        "PrivateTest",
        [9, 10],
    )
    assert official.seen.tolist() == [False, True]
    paper = evaluation.select(whole(), "paper", None)
    assert (paper.protocol, paper.split, paper.dataset.ids.tolist()) == ("paper", "PublicTest", [7, 8])


def test_select_a_split_by_name_and_some_of_its_rows():
    some = evaluation.select(whole(), "official", "Training", limit=3, seed=1)
    ids = some.dataset.ids.tolist()
    assert len(ids) == 3
    assert ids == sorted(ids)
    assert set(ids) < set(range(1, 7))
    assert ids == evaluation.select(whole(), "official", "Training", limit=3, seed=1).dataset.ids.tolist()
    assert len(evaluation.select(whole(), "official", "Training", limit=99).dataset) == 6


def test_several_splits_are_joined_by_plus():
    both = evaluation.select(whole(), "official", "PublicTest+PrivateTest")
    assert (both.split, both.dataset.ids.tolist()) == ("PublicTest+PrivateTest", [7, 8, 9, 10])
    with pytest.raises(UsageError, match="no split 'x'"):
        evaluation.select(whole(), "official", "PublicTest+x")


def test_select_without_training_knows_no_duplicates():
    assert evaluation.select(whole().part("PublicTest"), "official", "PublicTest").seen is None


def test_select_refuses_splits_that_are_none_or_empty():
    with pytest.raises(UsageError, match="PrivateTest"):
        evaluation.select(whole(), "official", "privatetest")
    with pytest.raises(DataError, match="no PublicTest"):
        evaluation.select(whole().part("Training"), "official", "PublicTest")
