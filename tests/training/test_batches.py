"""Mixup blends pictures, targets and weights by the same part."""

import dataclasses

import numpy as np
import pytest

pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.data import Dataset
from fer_edge.training.batches import TrainingBatches
from fer_edge.training.recipes import Recipe


def flat(levels):
    """Pictures of one gray level each, and each of a class of its own."""
    images = np.broadcast_to(np.array(levels, np.uint8)[:, None, None], (len(levels), 48, 48))
    labels = np.arange(len(levels), dtype=np.int64)
    return Dataset(images, labels, np.zeros(len(levels), np.uint8), labels + 1, "flat", "hash")


def test_a_blend_is_of_two_pictures_by_the_parts_that_its_target_names():
    levels = np.array([0, 40, 80, 120, 160, 200, 240])
    recipe = Recipe("r", network="nano", batch_size=7, dropout=0.0, mixup=0.4)
    faces, targets, weights = TrainingBatches(flat(levels), recipe, 3)[0]
    np.testing.assert_allclose(targets.sum(1), 1, atol=1e-6)
    assert (np.count_nonzero(targets, axis=1) == 2).all()
    assert (targets.max(1) >= 0.5).all()
    assert targets.max(1).min() < 0.99  # some were blended
    np.testing.assert_allclose(faces[:, 0, 0, 0], targets @ levels, atol=0.51)  # rounded to gray levels
    np.testing.assert_allclose(weights, 1, atol=1e-6)


def test_a_blend_keeps_its_own_rows_label_on_top():
    recipe = Recipe("r", network="nano", batch_size=4, dropout=0.0, mixup=0.4)
    batches = TrainingBatches(flat([10, 60, 110, 160]), recipe, 1)
    _, targets, _ = batches[0]
    np.testing.assert_array_equal(targets.argmax(1), batches.dataset.labels[batches.order])


def test_weights_of_classes_are_blended_like_their_labels():
    recipe = Recipe("r", network="nano", batch_size=4, dropout=0.0, mixup=0.4, balance_classes=1.0)
    data = dataclasses.replace(flat([0, 50, 100, 150]), labels=np.array([0, 0, 0, 1]))
    _, targets, weights = TrainingBatches(data, recipe, 0)[0]
    # counts 3 and 1: weights 1/3 and 1, mean over pictures 1/2, so 2/3 and 2
    np.testing.assert_allclose(weights, targets[:, :2] @ [2 / 3, 2], atol=1e-6)
