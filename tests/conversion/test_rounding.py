"""A network made ready for int8, by rounding that loses less and by tensorflow-model-optimization."""

import keras
import numpy as np
import pytest

from fer_edge.conversion import folding, formats, rounding, source, toolkit
from fer_edge.data import drawn_faces
from fer_edge.errors import ModelError
from fer_edge.model import graph

FACES, LABELS = drawn_faces(140, seed=3)
LEVELS = FACES[:24, ..., None].astype(np.float32)


def says(network):
    return np.asarray(network(LEVELS))


@pytest.fixture(scope="module")
def centred(residual):
    return folding.folded(residual, centred=True)


def test_batch_normalisation_goes_into_its_convolution(residual):
    folded = folding.folded(residual)
    kinds = [folding.kind(layer) for layer in folded.layers]
    assert "BatchNormalization" not in kinds
    assert kinds.count("Conv2D") == 3
    for network in (folded, folding.folded(folded)):
        np.testing.assert_allclose(says(network), says(residual), atol=1e-5)


def test_centred_gray_levels_change_the_border_alone(residual, centred):
    assert 0 < np.abs(says(centred) - says(residual)).max() < 0.02  # padding is half a gray level brighter
    assert (centred.layers[1].scale, centred.layers[1].offset) == (1.0, -128.0)
    np.testing.assert_allclose(says(folding.folded(centred, centred=True)), says(centred), atol=1e-6)


@pytest.mark.parametrize(("padding", "centred"), [("same", False), ("valid", True)])
def test_what_padding_with_0_and_an_activation_before_normalisation_mean_stays(padding, centred):
    x = inputs = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 5, padding=padding, activation="relu")(keras.layers.Rescaling(1 / 255)(x))
    network = keras.Model(inputs, keras.layers.BatchNormalization(moving_mean_initializer="ones")(x))
    folded = folding.folded(network, centred=True)
    assert (folded.layers[1].offset == -128) is centred
    np.testing.assert_allclose(says(folded), says(network), atol=1e-5)


def test_a_sequential_model_is_folded_wherever_it_normalises(tmp_path):
    """After ReLU, between dense layers, and after separable convolutions, as in mini-Xception."""
    made, norm = keras.layers, keras.layers.BatchNormalization
    pile = [made.Rescaling(1 / 255), made.Conv2D(4, 3, strides=2, activation="relu"), norm()]
    pile += made.MaxPooling2D(2), made.SeparableConv2D(6, 3, depth_multiplier=2), norm(), made.ReLU()
    pile += made.Flatten(), made.Dense(9, "relu", use_bias=False), norm(), made.Dropout(0.5)
    pile += made.Dense(7), made.Softmax()
    network, rng = keras.Sequential([keras.Input((48, 48, 1)), *pile]), np.random.default_rng(0)
    for layer in network.layers:
        if isinstance(layer, norm):
            gamma, *others = (rng.uniform(0.5, 2, len(value)) for value in layer.get_weights())
            layer.set_weights([gamma * rng.choice([-1, 1], len(gamma)), *others])
    network.save(tmp_path / "pile.keras")
    folded = folding.folded(source.load(tmp_path / "pile.keras"))
    kinds = ["Rescaling", "Conv2D", "DepthwiseConv2D", "MaxPooling2D", "DepthwiseConv2D", "Conv2D"]
    kinds += ["Flatten", "Dense", "Dense", "Softmax"]
    assert [folding.kind(layer) for layer in folded.layers[1:]] == kinds
    np.testing.assert_allclose(says(folded), says(network), atol=1e-5)
    (main,) = graph.read(formats.FORMATS["full_integer"].make(formats.Material(network, FACES)))
    assert {tensor.dtype for tensor in main.tensors} == {"int8", "int32"}


def test_what_looks_like_another_layer_is_kept_as_it_is(tmp_path):
    """Statistics that Keras copies, a normalisation of rows, an activation that is a layer."""
    made, adapted = keras.layers, keras.layers.Normalization(axis=None)
    adapted.adapt(LEVELS)
    rows = made.BatchNormalization(axis=1, moving_mean_initializer="random_normal")
    first = made.Conv2D(9, 4, 5, use_bias=False, activation=made.PReLU())  # files lack its weights
    pile = [adapted, first, rows, made.Activation(made.LeakyReLU(0.2)), made.Flatten()]
    network = keras.Sequential([keras.Input((48, 48, 1)), *pile, made.Dense(7, activation="softmax")])
    network.save(tmp_path / "odd.keras")
    loaded = source.load(tmp_path / "odd.keras")
    for same in (loaded, folding.folded(loaded)):
        np.testing.assert_allclose(says(same), says(network), atol=1e-5)


@pytest.mark.parametrize(
    ("together", "rounded"),
    [(0.0, [0, 0]), (1.0, [0, 1]), (-1.0, [0, 0])],  # 0.3 lost: nobody's, the next one's 0.6, or its 0.0
)
def test_what_a_weight_loses_goes_to_the_inputs_that_go_with_it(together, rounded):
    covariance = np.eye(3)
    covariance[0, 1] = covariance[1, 0] = together
    whole, scales = rounding.rounded_weights(np.array([[0.3, 0.3, 127.0]]), covariance)
    assert scales == [1.0]
    np.testing.assert_array_equal(whole, [[*rounded, 127]])


def test_zeros_of_pruning_stay():
    rng = np.random.default_rng(0)
    weights, mixed = rng.normal(size=(4, 20)) * (rng.random((4, 20)) < 0.5), rng.normal(size=(20, 20))
    whole, _ = rounding.rounded_weights(weights, mixed @ mixed.T)
    assert (whole[weights == 0] == 0).all()


def test_compensated_weights_are_multiples_and_say_much_the_same(material, against):
    network = folding.folded(material.network, centred=True)
    ranges = rounding.measured(network, material.faces, float_end=True)
    settled = rounding.compensated(network, ranges, material.faces)
    images = against.pictures.dataset.images[:100, ..., None].astype(np.float32)
    assert np.abs(np.asarray(settled(images)) - np.asarray(network(images))).mean() < 0.01
    kernel = next(layer for layer in settled.layers if hasattr(layer, "kernel")).get_weights()[0]
    steps = kernel / (np.abs(kernel).max(axis=(0, 1, 2)) / 127)
    assert np.abs(steps - np.rint(steps)).max() < 1e-3  # or TFLite would find other steps


def test_a_layer_on_one_step_keeps_its_values():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    settled = rounding.on_one_step(kernel)
    np.testing.assert_array_equal(rounding.on_one_step(settled), settled)
    assert np.abs(settled - kernel).max() <= np.abs(kernel).max() / 200 + 1e-6
    assert len(np.unique(settled)) <= 201
    np.testing.assert_allclose(rounding.with_one_step(settled), settled, atol=1e-6)
    small = kernel[..., :4]  # too small to matter
    np.testing.assert_array_equal(rounding.on_one_step(small), small)


def _retrained(model, **values):
    material, recipe = formats.Material(model, FACES), formats.Recipe(steps=4, qat_steps=3, batch=8, **values)
    return toolkit.retrain(material, FACES, LABELS.astype(np.int64), recipe, seed=0)


def _kernels(network):
    return [layer.get_weights()[0] for layer in network.layers if hasattr(layer, "kernel")]


def test_pruned_clustered_and_trained_with_rounding_together(residual):
    found = _retrained(residual, qat=True, sparsity=0.5, clusters=6)
    assert found.compressed
    kernels = _kernels(found.network)
    for kernel in kernels[1:]:
        assert (kernel == 0).mean() >= 0.49
        assert len(np.unique(kernel)) <= 6
    assert len(np.unique(kernels[0])) > 100  # the first layer is left alone
    for kernel in _kernels(found.aware)[1:-1]:
        assert (kernel == 0).mean() >= 0.49
    assert set(found.ranges) == set(rounding.rounded_layers(found.aware, float_end=True))
    assert all(low <= 0 < high for low, high in found.ranges.values())


def test_rounding_alone_leaves_the_float_network_as_it_is(residual):
    found = _retrained(residual, qat=True)
    assert (found.network, found.compressed) == (residual, False)
    network = folding.folded(residual, centred=True)
    for before, aware in zip(*map(_kernels, (network, found.aware)), strict=True):
        assert not np.array_equal(before, aware)
    images = FACES[:20, ..., None].astype(np.float32)
    integers = rounding.rounded(found.aware, found.ranges, images, float_end=True)
    assert np.abs(np.asarray(integers) - np.asarray(network(images))).mean() < 0.05


def test_a_layer_that_keras_2_lacks_is_named():
    inputs = keras.Input((48, 48, 1), name="face")
    x = keras.layers.RMSNormalization()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x))
    with pytest.raises(ModelError, match="Keras 2 has no layer RMSNormalization"):
        _retrained(model, sparsity=0.5)
