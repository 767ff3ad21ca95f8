"""What a batch holds: pictures blended, classes weighed, what teachers say of the pictures as they are."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("keras", reason="the train extra is not installed")

from tiny_network import dataset

from fer_edge.data import Dataset, ferplus
from fer_edge.errors import ModelError
from fer_edge.evaluation import Predictor
from fer_edge.spec import LABELS
from fer_edge.training.batches import Teacher, TrainingBatches, class_weights
from fer_edge.training.recipes import Augmentation, Recipe

TAUGHT = Recipe("r", network="tiny", epochs=1, batch_size=8, dropout=0.0, teacher_weight=0.75)


def pictures_of(levels):
    """Pictures of one gray level each, and each of a class of its own."""
    images = np.broadcast_to(np.array(levels, np.uint8)[:, None, None], (len(levels), 48, 48))
    labels = np.arange(len(levels), dtype=np.int64)
    return Dataset(images, labels, np.zeros(len(levels), np.uint8), labels + 1, "levels", "hash")


def test_a_blend_is_of_two_pictures_by_the_parts_that_its_target_names():
    levels = np.array([0, 40, 80, 120, 160, 200, 240])
    batches = TrainingBatches(pictures_of(levels), Recipe("r", batch_size=7, mixup=0.4), 3)
    faces, targets, weights = batches[0]
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert (np.count_nonzero(targets, axis=1) == 2).all()
    assert 0.5 <= targets.max(1).min() < 0.99  # some were blended
    np.testing.assert_array_equal(targets.argmax(1), batches.order)  # each row's own label is on top
    np.testing.assert_allclose(faces[:, 0, 0, 0], targets @ levels, atol=0.51)  # rounded to gray levels
    np.testing.assert_allclose(weights, 1, atol=1e-6)


def test_class_weights_even_out_the_classes():
    labels = np.array([0] * 6 + [1] * 3 + [3] * 1)
    weights = class_weights(labels, 7)
    np.testing.assert_allclose(weights, [10 / 18, 10 / 9, 0, 10 / 3, 0, 0, 0], rtol=1e-6)
    assert weights[labels].mean() == pytest.approx(1)
    half = class_weights(labels, 7, 0.5)  # sqrt(6) times as much for a class with a sixth of the pictures
    assert half[3] / half[0] == pytest.approx(6**0.5)
    assert half[labels].mean() == pytest.approx(1)
    np.testing.assert_allclose(class_weights(labels, 7, 0)[[0, 1, 3]], 1, rtol=1e-6)


def knows(index, labels=LABELS, name="always the same"):
    """A model that names one class, and what it was asked."""

    def predict(faces):
        seen.append(faces)
        return np.eye(len(labels), dtype=np.float32)[np.full(len(faces), index)]

    seen = []
    return Predictor(name, labels, (48, 48), predict), seen


@pytest.fixture
def data():
    return dataset().rows(np.arange(16))


def test_mean_of_teachers_takes_its_part_of_the_labels(data):
    (one, seen), (two, _) = knows(2), knows(5)
    recipe = dataclasses.replace(TAUGHT, augmentation=Augmentation(flip=True, rotation_deg=10))
    batches = TrainingBatches(data, recipe, 0, Teacher(models=(one, two)))
    faces, targets, _ = batches[0]
    rows = batches.order[:8]
    wanted = 0.25 * np.eye(7)[data.labels[rows]] + 0.375 * np.eye(7)[[2, 5]].sum(0)
    np.testing.assert_allclose(targets, wanted, atol=1e-6)
    np.testing.assert_array_equal(seen, [faces[..., 0]])
    assert (batches.targets[rows].max(1) == 1).all()  # the labels themselves stay as they are


def test_a_teacher_of_the_votes_teaches_the_head_of_the_votes_and_no_other(data):
    voted = dataclasses.replace(data, votes=np.full((16, 10), 1, np.uint8))
    recipe = dataclasses.replace(TAUGHT, votes_weight=1.0)
    eight = knows(7, ferplus.LABELS, "eight")[0]
    batches = TrainingBatches(voted, recipe, 0, Teacher(models=(knows(2)[0], eight)))
    wanted = 0.25 * batches.targets[batches.order[:8]]
    wanted[:, [2, 7 + 7]] += 0.75
    np.testing.assert_allclose(batches[0][1], wanted, atol=1e-6)
    said = r"teacher eight has the labels neutral, .*contempt; this training learns angry"
    with pytest.raises(ModelError, match=said):
        TrainingBatches(data, TAUGHT, 0, Teacher(models=(eight,)))
