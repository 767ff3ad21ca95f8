"""A network made ready for int8: what is exact is, and rounding loses less."""

import numpy as np
import pytest

from fer_edge.conversion import rounding, source
from fer_edge.data import drawn_faces

FACES = drawn_faces(24, seed=5)[0]
LEVELS = FACES[..., None].astype(np.float32)


def says(network):
    return np.asarray(network(LEVELS))


@pytest.fixture(scope="module")
def centred(residual):
    return rounding.folded(residual, centred=True)


@pytest.fixture(scope="module")
def ranges(centred):
    return rounding.measured(centred, FACES, float_end=True)


def test_batch_normalisation_goes_into_its_convolution(residual):
    folded = rounding.folded(residual)
    kinds = [rounding.kind(layer) for layer in folded.layers]
    assert "BatchNormalization" not in kinds
    assert kinds.count("Conv2D") == 3
    for network in (folded, rounding.folded(folded)):
        np.testing.assert_allclose(says(network), says(residual), atol=1e-5)


def test_centred_gray_levels_change_the_border_alone(residual, centred):
    assert 0 < np.abs(says(centred) - says(residual)).max() < 0.02  # padding is half a gray level brighter
    assert (centred.layers[1].scale, centred.layers[1].offset) == (1.0, -128.0)
    np.testing.assert_allclose(says(rounding.folded(centred, centred=True)), says(centred), atol=1e-6)


def test_other_first_layers_are_left_alone():
    keras = source.import_keras()
    inputs = keras.Input((48, 48, 1))
    pooled = keras.layers.MaxPooling2D(8)(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(pooled)))
    assert np.array_equal(says(rounding.folded(model, centred=True)), says(model))


def test_what_int8_holds_is_every_layer_but_those_fused_or_at_a_float_end(centred):
    def kinds(float_end):
        names = rounding.rounded_layers(centred, float_end=float_end)
        return [rounding.kind(centred.get_layer(name)) for name in names]

    # The first two convolutions have their ReLU in them, the sum does not; pooling has its input's range.
    assert kinds(True) == ["Conv2D", "Conv2D", "Conv2D", "ReLU"]
    assert kinds(False) == [*kinds(True), "GlobalAveragePooling2D", "Dense", "Softmax"]


def test_values_are_rounded_to_steps_of_their_range(residual, centred, ranges):
    assert list(ranges) == list(rounding.rounded_layers(centred, float_end=True))
    rounded = rounding.Rounded(centred, ranges, True)
    values = rounded.tensors(LEVELS)
    for name, (low, high) in ranges.items():
        steps = np.asarray(values[id(centred.get_layer(name).output)]) * (255 / (high - low))
        assert np.abs(steps - np.rint(steps)).max() < 1e-2
    assert 0 < np.abs(np.asarray(rounded(LEVELS)) - says(residual)).max() < 0.05
    assert np.array_equal(np.asarray(values[id(centred.layers[1].output)]), LEVELS - 128)


def test_a_summand_is_held_as_far_as_the_relu_after_the_sum_shows_it(centred, ranges):
    import keras

    add = next(layer for layer in centred.layers if rounding.kind(layer) == "Add")
    other, summand = add.input
    name = next(layer.name for layer in centred.layers if layer.output is summand)
    added, values = keras.Model(centred.inputs, [other, summand])(LEVELS)
    seen = np.maximum(values, -np.asarray(added))
    assert (seen > np.asarray(values)).any()
    assert ranges[name][0] >= min(seen.min(), 0) - 1e-5
    assert ranges[name][1] <= seen.max() + 1e-5


def error_of(values, low, high):
    step = (high - low) / 255
    stored = np.rint((np.clip(values, low, high) - low) / step)
    return float(((stored * step + low - values) ** 2).mean())


def test_a_few_far_values_are_clipped_where_that_costs_less():
    even = np.linspace(-3, 5, 100_000)
    assert rounding.best_range(np.histogram(even, 4096)[0], (-3, 5)) == pytest.approx((-3, 5))
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000), [-20.0, 20.0])
    low, high = rounding.best_range(np.histogram(values, 4096)[0], (-20, 20))
    assert low == -high
    assert error_of(values, low, high) < error_of(values, -20, 20)
    factors = np.linspace(0.2, 1, 33)
    best = factors[np.argmin([error_of(values, -20 * f, 20 * f) for f in factors])]
    assert high / 20 == pytest.approx(best, abs=0.026)  # within one step of the factors


def test_rounding_with_compensation_loses_less_than_rounding_alone():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 12)) + 0.1 * rng.normal(size=(4000, 12))
    weights = rng.normal(size=(5, 12))

    def lost(covariance):
        whole, scales = rounding.rounded_weights(weights, covariance)
        assert np.array_equal(whole, np.rint(whole))
        assert (np.abs(whole).max(axis=1) == 127).all()  # so that TFLite finds the same steps
        return float((((whole * scales[:, None] - weights) @ inputs.T) ** 2).mean())

    assert lost(np.cov(inputs.T)) < 0.5 * lost(np.eye(12))


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


@pytest.mark.parametrize("ranged", [True, False])
def test_compensated_weights_are_multiples_and_say_more_of_the_same(material, against, ranged):
    network = rounding.folded(material.network, centred=True)
    found = rounding.measured(network, material.faces, float_end=True) if ranged else {}
    settled = rounding.compensated(network, found, material.faces)
    images = against.pictures.dataset.images[:100, ..., None].astype(np.float32)
    assert np.abs(np.asarray(settled(images)) - np.asarray(network(images))).mean() < 0.01
    if ranged:  # of less than 1,024 weights, which TFLite leaves in float where activations are
        kernel = next(layer for layer in settled.layers if hasattr(layer, "kernel")).get_weights()[0]
        steps = kernel / (np.abs(kernel).max(axis=(0, 1, 2)) / 127)
        assert np.abs(steps - np.rint(steps)).max() < 1e-3


def test_a_layer_on_one_step_keeps_its_values():
    kernel = np.random.default_rng(0).normal(size=(3, 3, 16, 16)).astype(np.float32)
    settled = rounding.on_one_step(kernel)
    np.testing.assert_array_equal(rounding.on_one_step(settled), settled)
    assert np.abs(settled - kernel).max() <= np.abs(kernel).max() / 200 + 1e-6
    assert len(np.unique(settled)) <= 201
    np.testing.assert_allclose(rounding.with_one_step(settled), settled, atol=1e-6)
    small = kernel[..., :4]  # too small to matter
    np.testing.assert_array_equal(rounding.on_one_step(small), small)
