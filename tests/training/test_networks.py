"""Table 2 and equation (1) of the paper, in the network that is trained."""

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.training import networks  # noqa: E402


@pytest.fixture(scope="module")
def paper():
    return networks.paper()


def test_parameters_are_those_of_table_2(paper):
    # Worked out by hand: convolutions k*k*in*out + out, batch normalisations 4 a channel, 2 of them trained.
    sides = [(7, 1, 16), (7, 16, 16), (5, 16, 32), (5, 32, 32), (3, 32, 64), (3, 64, 64)]
    sides += [(3, 64, 128), (3, 128, 128), (3, 128, 256), (3, 256, 7)]
    convolutions = sum(k * k * i * o + o for k, i, o in sides)
    channels = sum(o for _, _, o in sides[:-1])
    assert convolutions + 4 * channels == 642_935
    assert paper.count_params() == 642_935
    trained = sum(int(np.prod(w.shape)) for w in paper.trainable_weights)
    assert trained == convolutions + 2 * channels == 641_463


def test_multiply_accumulates(paper):
    # output side squared x kernel x channels, by hand
    by_hand = 48**2 * 49 * (16 + 256) + 24**2 * 25 * (512 + 1024) + 12**2 * 9 * (2048 + 4096)
    by_hand += 6**2 * 9 * (8192 + 16384) + 3**2 * 9 * (32768 + 1792)
    assert networks.multiply_accumulates(paper) == by_hand


def test_equation_1_is_the_first_layer(paper):
    # ((p / 255) - 0.5) * 2; Table 5 prints 0.45 for 70, whose value is -0.451.
    layer = keras.Model(paper.input, paper.get_layer("normalisation").output)
    face = np.zeros((1, 48, 48, 1), np.float32)
    face[0, 0, :4, 0] = 70, 63, 0, 255
    got = keras.ops.convert_to_numpy(layer(face))[0, 0, :4, 0]
    np.testing.assert_allclose(got, [-0.45098, -0.50588, -1.0, 1.0], atol=1e-5)


def test_activations_stand_only_where_the_table_has_them(paper):
    kinds = [type(layer).__name__ for layer in paper.layers]
    assert kinds.count("ReLU") == 4
    assert kinds.count("BatchNormalization") == 9
    assert kinds[-4:] == ["BatchNormalization", "Conv2D", "GlobalMaxPooling2D", "Softmax"]
    assert all(
        layer.get_config()["activation"] == "linear" for layer in paper.layers if "conv2d" in layer.name
    )


def test_edge_and_nano_keep_their_limits():
    edge, nano = networks.build("edge", 0.1), networks.build("nano", 0.0)
    assert edge.count_params() <= 300_000
    assert networks.multiply_accumulates(edge) <= 36e6
    assert nano.count_params() <= 60_000


def convolution(side, given, made):  # kernel, then batch normalisation's four values a channel
    return side * side * given * made + 4 * made


def width(given, made):  # a convolution and a block
    return convolution(3, given, made) + 2 * convolution(3, made, made)


def test_parameters_by_hand():
    edge = convolution(5, 1, 32) + 2 * convolution(3, 32, 32) + width(32, 64) + width(64, 80) + 81 * 7
    whole = convolution(3, 1, 16) + width(16, 32) + width(32, 64) + width(64, 84) + 85 * 7
    deep = width(1, 24) + width(24, 64) + width(64, 128) + width(128, 256) + 257 * 7
    for name, parameters in (("edge", edge), ("whole", whole), ("deep", deep)):
        assert networks.build(name, 0.1).count_params() == parameters


def test_each_convolution_has_its_own_activation_or_joins_one():
    for layer in networks.build("edge", 0.1).layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            (follower,) = [node.operation for node in layer._outbound_nodes]
            assert isinstance(follower, keras.layers.ReLU | keras.layers.Add)


@pytest.mark.parametrize("name", ["paper", "edge", "nano"])
def test_other_numbers_of_classes(name):
    assert networks.build(name, 0.1, 8).output_shape == (None, 8)
