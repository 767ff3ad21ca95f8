"""Table 2 and equation (1) of the paper in the network that is trained, and the loss against numpy's."""

import dataclasses

import keras
import numpy as np
import pytest
from tiny_models import softmax
from tiny_network import dataset

from fer_edge.data import ferplus
from fer_edge.training import batches, networks
from fer_edge.training.recipes import Recipe

RECIPE = Recipe("r", network="nano", label_smoothing=0.1, votes_weight=0.5, dropout=0.0)


@pytest.fixture(scope="module")
def paper():
    return networks.paper()


def test_sizes_are_those_of_table_2(paper):
    # Worked out by hand: convolutions k*k*in*out + out, batch normalisations 4 a channel, 2 of them trained.
    sides = [(7, 1, 16), (7, 16, 16), (5, 16, 32), (5, 32, 32), (3, 32, 64), (3, 64, 64)]
    sides += [(3, 64, 128), (3, 128, 128), (3, 128, 256), (3, 256, 7)]
    convolutions = sum(k * k * i * o + o for k, i, o in sides)
    channels = sum(o for _, _, o in sides[:-1])
    assert paper.count_params() == convolutions + 4 * channels == 642_935
    trained = sum(int(np.prod(w.shape)) for w in paper.trainable_weights)
    assert trained == convolutions + 2 * channels == 641_463
    # multiply-accumulates: output side squared x kernel x channels
    by_hand = 48**2 * 49 * (16 + 256) + 24**2 * 25 * (512 + 1024) + 12**2 * 9 * (2048 + 4096)
    assert networks.multiply_accumulates(paper) == by_hand + 6**2 * 9 * 24576 + 3**2 * 9 * 34560


def test_equation_1_is_the_first_layer(paper):
    # ((p / 255) - 0.5) * 2; Table 5 prints 0.45 for 70, whose value is -0.451.
    layer = keras.Model(paper.input, paper.get_layer("normalisation").output)
    face = np.zeros((1, 48, 48, 1), np.float32)
    face[0, 0, :4, 0] = 70, 63, 0, 255
    got = keras.ops.convert_to_numpy(layer(face))[0, 0, :4, 0]
    np.testing.assert_allclose(got, [-0.45098, -0.50588, -1.0, 1.0], atol=1e-5)


def test_parameters_by_hand_and_limits():
    def convolution(side, given, made):  # kernel, then batch normalisation's four values a channel
        return side * side * given * made + 4 * made

    def width(given, made):  # a convolution and a block
        return convolution(3, given, made) + 2 * convolution(3, made, made)

    edge = convolution(5, 1, 32) + 2 * convolution(3, 32, 32) + width(32, 64) + width(64, 80) + 81 * 7
    deep = width(1, 24) + width(24, 64) + width(64, 128) + width(128, 256) + 257 * 7
    for name, parameters in (("edge", edge), ("deep", deep)):
        assert networks.build(name, 0.1).count_params() == parameters
    assert edge <= 300_000
    assert networks.multiply_accumulates(networks.build("edge", 0.1)) <= 36e6
    assert networks.build("nano", 0.0).count_params() <= 60_000


@pytest.fixture
def data():
    votes = np.zeros((4, 10), np.uint8)
    votes[0, :2] = 4, 6
    votes[[1, 2, 3], [7, 9, 3]] = 10  # the third is not a face: no vote for an expression
    return dataclasses.replace(dataset().rows(np.arange(4)), votes=votes)


def test_targets_are_labels_then_shares(data):
    wanted = batches.targets(data)
    np.testing.assert_array_equal(wanted[:, :7].argmax(1), data.labels)
    shares = np.eye(8)[[0, 7, 0, 3]] * [[0.4], [1], [0], [1]]
    shares[0, 1] = 0.6
    np.testing.assert_allclose(wanted[:, 7:], shares, atol=1e-7)
    majorities = batches.targets(ferplus.relabelled(data))
    np.testing.assert_allclose(majorities, shares[[0, 1, 3]], atol=1e-7)


def test_loss_is_both_cross_entropies_and_the_votes_network_has_the_second_head(data):
    network, trainee = networks.compiled(RECIPE, 7)
    wanted = batches.targets(data)
    faces = data.images[..., None].astype(np.float32)
    logits = keras.ops.convert_to_numpy(trainee(faces, training=False))
    labels, votes = softmax(logits[:, :7]), softmax(logits[:, 7:])
    by_hand = -((wanted[:, :7] * 0.9 + 0.1 / 7) * np.log(labels)).sum(1)
    by_hand += 0.5 * -(wanted[:, 7:] * np.log(votes)).sum(1)
    assert trainee.evaluate(faces, wanted, verbose=0)[0] == pytest.approx(by_hand.mean(), rel=1e-4)
    given = keras.ops.convert_to_numpy(networks.votes_network(network, trainee)(faces, training=False))
    np.testing.assert_allclose(given, votes, atol=1e-5)
    paper = dataclasses.replace(RECIPE, network="paper")  # its last layer is no such head
    assert networks.votes_network(*networks.compiled(paper, 7)) is None
