"""The loss against numpy's, with and without a head for the votes."""

import dataclasses

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.data import Dataset, drawn_faces, ferplus  # noqa: E402
from fer_edge.errors import UsageError  # noqa: E402
from fer_edge.training import objective  # noqa: E402
from fer_edge.training.recipes import Recipe  # noqa: E402

RECIPE = Recipe("r", network="nano", label_smoothing=0.1, votes_weight=0.5, dropout=0.0)


@pytest.fixture
def data():
    images, labels = drawn_faces(4, 0)
    votes = np.zeros((4, 10), np.uint8)
    votes[0, :2] = 4, 6
    votes[1, 7] = 10
    votes[2, 9] = 10  # not a face: no vote for an expression
    votes[3, 3] = 10
    return Dataset(images, labels, np.zeros(4, np.uint8), np.arange(1, 5), "drawn", "hash", votes=votes)


def log_softmax(logits):
    shifted = logits - logits.max(1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(1, keepdims=True))


def test_targets_are_labels_then_shares(data):
    wanted = objective.targets(data, RECIPE)
    assert wanted.shape == (4, 15)
    np.testing.assert_array_equal(wanted[:, :7].argmax(1), data.labels)
    np.testing.assert_allclose(wanted[0, 7:], [0.4, 0.6, 0, 0, 0, 0, 0, 0], atol=1e-7)
    assert wanted[2, 7:].sum() == 0


def test_loss_is_both_cross_entropies(data):
    _, trainee = objective.compiled(RECIPE, 7)
    faces = data.images[..., None].astype(np.float32)
    wanted = objective.targets(data, RECIPE)
    logits = np.asarray(keras.ops.convert_to_numpy(trainee(faces, training=False)), np.float64)
    smooth = wanted[:, :7] * 0.9 + 0.1 / 7
    by_hand = -(smooth * log_softmax(logits[:, :7])).sum(1)
    by_hand += 0.5 * -(wanted[:, 7:] * log_softmax(logits[:, 7:])).sum(1)
    assert trainee.evaluate(faces, wanted, verbose=0)[0] == pytest.approx(by_hand.mean(), rel=1e-4)


def test_head_for_the_votes_is_not_in_the_network():
    network, trainee = objective.compiled(RECIPE, 7)
    assert network.output_shape == (None, 7)
    assert trainee.output_shape == (None, 15)
    features = network.get_layer("features").output.shape[-1]
    assert trainee.count_params() - network.count_params() == (features + 1) * 8


def test_paper_network_takes_the_head_too():
    network, trainee = objective.compiled(dataclasses.replace(RECIPE, network="paper"), 7)
    assert trainee.count_params() - network.count_params() == (256 + 1) * 8


def test_classes_of_ferplus_learn_shares(data):
    relabelled = ferplus.relabelled(data)
    wanted = objective.targets(relabelled, dataclasses.replace(RECIPE, votes_weight=0.0))
    assert wanted.shape == (3, 8)
    np.testing.assert_allclose(wanted[0], [0.4, 0.6, 0, 0, 0, 0, 0, 0], atol=1e-7)
    network, _ = objective.compiled(dataclasses.replace(RECIPE, votes_weight=0.0), 8)
    assert network.output_shape == (None, 8)


def test_votes_that_are_missing_are_asked_for(data):
    with pytest.raises(UsageError, match="--votes"):
        objective.targets(dataclasses.replace(data, votes=None), RECIPE)


def test_votes_network_gives_what_the_second_head_gave(data):
    _, trainee = objective.compiled(RECIPE, 7)
    votes = objective.votes_network(RECIPE, 7, trainee.get_weights())
    faces = data.images[..., None].astype(np.float32)
    logits = np.asarray(keras.ops.convert_to_numpy(trainee(faces, training=False)), np.float64)
    given = keras.ops.convert_to_numpy(votes(faces, training=False))
    np.testing.assert_allclose(given, np.exp(log_softmax(logits[:, 7:])), atol=1e-5)


def test_paper_network_has_no_such_head():
    recipe = dataclasses.replace(RECIPE, network="paper")
    _, trainee = objective.compiled(recipe, 7)
    assert objective.votes_network(recipe, 7, trainee.get_weights()) is None
