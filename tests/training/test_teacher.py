"""A teacher's probabilities take their part of the labels' place, on the pictures as they were changed."""

import dataclasses

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.data import Dataset, drawn_faces, ferplus  # noqa: E402
from fer_edge.errors import DataError, ModelError, UsageError  # noqa: E402
from fer_edge.evaluation.predictors import Predictor  # noqa: E402
from fer_edge.spec import LABELS  # noqa: E402
from fer_edge.training import fit, session  # noqa: E402
from fer_edge.training.batches import TrainingBatches  # noqa: E402
from fer_edge.training.recipes import Augmentation, Recipe  # noqa: E402
from fer_edge.training.teacher import Teacher  # noqa: E402

RECIPE = Recipe("r", network="nano", epochs=1, batch_size=8, dropout=0.0, teacher_weight=0.75)


def knows(index):
    def predict(faces):
        seen.append(faces)
        return np.eye(7, dtype=np.float32)[np.full(len(faces), index)]

    seen = []
    return Predictor(f"always {index}", LABELS, (48, 48), predict), seen


@pytest.fixture
def data():
    images, labels = drawn_faces(16, 0)
    return Dataset(images, labels, np.zeros(16, np.uint8), np.arange(1, 17), "drawn", "hash")


def test_mean_of_teachers_takes_its_part_of_the_labels(data):
    (one, seen), (two, _) = knows(2), knows(5)
    recipe = dataclasses.replace(RECIPE, augmentation=Augmentation(flip=True, rotation_deg=10))
    batches = TrainingBatches(data, recipe, 0, Teacher(("a", "b"), (one, two)))
    faces, targets, _ = batches[0]
    rows = batches.order[:8]
    wanted = 0.25 * np.eye(7)[data.labels[rows]]
    wanted[:, 2] += 0.375
    wanted[:, 5] += 0.375
    np.testing.assert_allclose(targets, wanted, atol=1e-6)
    np.testing.assert_array_equal(seen[0], faces[..., 0])
    np.testing.assert_array_equal(seen[1], faces[:, :, ::-1, 0])  # it is asked about the mirror image as well
    assert (batches.targets[rows].max(1) == 1).all()  # the labels themselves stay as they are


def test_a_teacher_of_other_expressions_names_the_students(data):
    shuffled = Predictor("s", LABELS[::-1], (48, 48), knows(0)[0].predict)  # its first is our last
    _, targets, _ = TrainingBatches(
        data, dataclasses.replace(RECIPE, teacher_weight=1.0), 0, Teacher((), (shuffled,))
    )[0]
    np.testing.assert_array_equal(targets.argmax(1), 6)


def test_a_teacher_of_the_votes_teaches_the_head_of_the_votes(data):
    def predict(faces):
        return np.eye(8, dtype=np.float32)[np.full(len(faces), 7)]

    voted = dataclasses.replace(data, votes=np.full((16, 10), 1, np.uint8))
    recipe = dataclasses.replace(RECIPE, votes_weight=1.0)
    eight = Predictor("eight", ferplus.LABELS, (48, 48), predict)
    batches = TrainingBatches(voted, recipe, 0, Teacher((), (knows(2)[0], eight)))
    _, targets, _ = batches[0]
    own = batches.targets[batches.order[:8]]
    np.testing.assert_allclose(targets[:, 7:14], 0.25 * own[:, 7:14], atol=1e-6)
    np.testing.assert_allclose(targets[:, 14], 0.25 * own[:, 14] + 0.75, atol=1e-6)
    np.testing.assert_allclose(targets[:, 2], 0.25 * own[:, 2] + 0.75, atol=1e-6)


def test_a_teacher_of_no_head_is_refused(data):
    eight = Predictor("eight", ferplus.LABELS, (48, 48), lambda faces: faces)
    with pytest.raises(
        ModelError, match=r"teacher eight names neutral, .*contempt; this training learns angry"
    ):
        TrainingBatches(data, RECIPE, 0, Teacher((), (eight,)))


class Silent:
    def step(self, epoch, step, steps, loss, accuracy):
        pass

    def epoch(self, row):
        pass


def test_another_teacher_does_not_take_over_a_checkpoint(data, tmp_path):
    how = {"folder": tmp_path, "seed": 0, "watcher": Silent()}
    _, state = fit.train(RECIPE, data, data, teacher=Teacher(("a",), (knows(1)[0],)), **how)
    assert state.teacher == ["a"]
    with pytest.raises(DataError, match="another teacher"):
        fit.train(RECIPE, data, data, teacher=Teacher(("b",), (knows(1)[0],)), **how)


def test_weight_and_teachers_come_together(tmp_path):
    with pytest.raises(UsageError, match="--teacher MODEL"):
        session.run(RECIPE, "drawn", tmp_path, 0)
    alone = dataclasses.replace(RECIPE, teacher_weight=0.0)
    with pytest.raises(UsageError, match="learns from no --teacher"):
        session.run(alone, "drawn", tmp_path, 0, teachers=["tuned_int8"])
