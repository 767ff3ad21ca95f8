"""Each step towards integers on a small residual network: the exact ones are, rounding gets better."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fer_edge.conversion import (
    calibration,
    entry,
    equalising,
    export,
    integer,
    ranges,
    recipes,
    reference,
    rounding,
    source,
)
from fer_edge.conversion.network import Network
from fer_edge.data import drawn_faces
from fer_edge.spec import Format

FACES = drawn_faces(24, seed=5)[0]


@pytest.fixture(scope="module")
def residual() -> Any:
    """Two blocks with an addition and a mean at the end, channels of very different sizes."""
    keras = source.import_keras()
    from keras import layers

    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = layers.ReLU()(layers.Conv2D(6, 5, strides=4, padding="same", use_bias=False)(x))
    y = layers.ReLU()(layers.Conv2D(6, 3, padding="same", bias_initializer="random_normal")(x))
    y = layers.Conv2D(6, 3, padding="same")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(x))
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(8)(x)), name="residual")
    for n, layer in enumerate(layer for layer in model.layers if "conv" in layer.name):
        kernel, *bias = layer.get_weights()
        layer.set_weights([kernel * np.geomspace(1, 40, 6)[:: 1 if n % 2 else -1], *bias])
    return model


@pytest.fixture(scope="module")
def noted(residual: Any) -> bytes:
    return integer._noted(entry.centred(residual), (1, 48, 48, 1), FACES)


def _keras(model: Any) -> np.ndarray:
    return np.asarray(model(FACES[..., None].astype(np.float32), training=False))


def _probabilities(flatbuffer: bytes) -> np.ndarray:
    net = Network(flatbuffer)
    return np.concatenate([values for (values,) in net.run(FACES, list(net.shown.outputs))])


def test_centred_gray_levels_change_the_border_alone(residual: Any) -> None:
    centred = entry.centred(residual)
    got = np.asarray(centred(FACES[..., None].astype(np.float32)))
    assert 0 < np.abs(got - _keras(residual)).max() < 0.02  # zero padding is half a gray level brighter
    names = {type(layer).__name__ for layer in residual.layers}
    assert "Rescaling" in names  # the model itself is left as it was


def test_other_first_layers_are_left_alone() -> None:
    keras = source.import_keras()
    inputs = keras.Input((48, 48, 1))
    pooled = keras.layers.MaxPooling2D(8)(keras.layers.Rescaling(1 / 255)(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7)(keras.layers.Flatten()(pooled)))
    got = np.asarray(entry.centred(model)(FACES[..., None].astype(np.float32)))
    assert np.array_equal(got, _keras(model))


def test_int8_holds_each_gray_level(residual: Any, noted: bytes, recipe: recipes.Recipe) -> None:
    made = integer.made(residual, Format.INT8, _pinned(), recipe)
    net = Network(made.flatbuffer)
    (first,) = [n for n, op in enumerate(net.operators) if op.name == "CONV_2D"][:1]
    (scale,), (zero_point,) = net.steps(net.operators[first].inputs[0])
    assert (scale, zero_point) == (1.0, 0)
    (seen,) = next(iter(net.run(FACES[:1], [net.operators[first].inputs[0]])))
    assert np.array_equal(seen[0, ..., 0], FACES[0].astype(np.float32) - 128)


def _pinned() -> np.ndarray:
    faces = FACES.copy()
    faces[0, 0, :2] = 0, 255
    return faces


def test_equalised_channels_compute_the_same_and_are_of_like_size(noted: bytes) -> None:
    equal = equalising.equalise(noted, FACES, 1.0)
    assert np.abs(_probabilities(equal) - _probabilities(noted)).max() < 1e-5
    before, after = (_spread(flatbuffer) for flatbuffer in (noted, equal))
    # The second convolution's output is tied to nothing else: its channels come to the same size, as far as
    # the largest factor, 30, reaches. Sizes are of samples.
    assert before[1] > 5
    assert after[1] == pytest.approx(max(1, before[1] / 30), rel=0.15)
    assert max(after) < max(before)
    assert equalising.equalise(noted, FACES, 0.0) == noted


def _spread(flatbuffer: bytes) -> list[float]:
    """Largest over smallest 99.9th percentile of channels at each convolution's output."""
    net = Network(flatbuffer)
    given = [op.outputs[0] for op in net.operators if op.name == "CONV_2D"]
    values = [np.concatenate(v).reshape(-1, 6) for v in zip(*net.run(FACES, given), strict=True)]
    sizes = [np.percentile(np.abs(v), 99.9, axis=0) for v in values]
    return [float(size.max() / size.min()) for size in sizes]


def test_rounding_with_compensation_loses_less_than_rounding_alone() -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(4000, 3)) @ rng.normal(size=(3, 12)) + 0.1 * rng.normal(size=(4000, 12))
    weights = rng.normal(size=(5, 12))
    scales = np.abs(weights).max(axis=1) / 7  # coarse, so that rounding matters
    covariance = np.cov(inputs.T)

    def lost(whole: np.ndarray) -> float:
        return float((((whole * scales[:, None] - weights) @ inputs.T) ** 2).mean())

    rounded = rounding.rounded_weights(weights, scales, covariance)
    assert np.array_equal(rounded, np.rint(rounded))
    assert lost(rounded) < 0.5 * lost(np.rint(weights / scales[:, None]))
    alone = rounding.rounded_weights(weights, scales, np.eye(12))
    assert np.array_equal(alone, np.rint(weights / scales[:, None]))  # inputs that do not go together


@pytest.mark.parametrize(
    ("together", "rounded"),
    [(0.0, [0, 0]), (1.0, [0, 1]), (-1.0, [0, 0])],  # 0.3 lost: nobody's, the next one's 0.6, or its 0.0
)
def test_what_a_weight_loses_goes_to_the_inputs_that_go_with_it(together: float, rounded: list[int]) -> None:
    covariance = np.array([[1.0, together], [together, 1.0]])
    given = rounding.rounded_weights(np.array([[0.3, 0.3]]), np.ones(1), covariance)
    np.testing.assert_array_equal(given, [rounded])


def test_rounded_weights_stay_between_127_and_its_negative() -> None:
    rounded = rounding.rounded_weights(np.array([[-1.4], [1.4]]), np.array([0.01, 0.01]), np.eye(1))
    assert rounded.tolist() == [[-127], [127]]


def test_constants_stand_for_the_weights_that_they_were_made_from() -> None:
    keras = source.import_keras()
    from keras import layers

    inputs = keras.Input((6, 6, 1))
    x = layers.DepthwiseConv2D(3, depth_multiplier=4)(inputs)
    x = layers.Flatten()(layers.Conv2D(5, 2, bias_initializer="normal")(x))
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))
    scales = {"DEPTHWISE_CONV_2D": 4, "CONV_2D": 5, "FULLY_CONNECTED": 7}  # one a channel
    wide = Network(export.to_int16x8(model, FACES[:, :6, :6]))
    real = Network(export.to_float(model, Format.FLOAT32))
    for n, counterpart in zip(wide.layers(), real.layers(), strict=True):
        weights, bias = wide.operators[n].inputs[1:]
        steps = wide.steps(weights)[0]
        assert len(steps) == scales.pop(wide.operators[n].name)
        wanted = real.constant(real.operators[counterpart].inputs[1])
        assert np.abs(wide.real_constant(weights) - wanted).max() <= 0.51 * steps.max()
        if bias >= 0:  # the dense layer's zeros are left out
            wanted = real.constant(real.operators[counterpart].inputs[2])
            np.testing.assert_allclose(wide.real_constant(bias), wanted, atol=1e-5)
    assert not scales


def test_patches_are_what_a_convolution_sees() -> None:
    import tensorflow as tf

    rng = np.random.default_rng(0)
    values = rng.normal(size=(7, 8, 2)).astype(np.float32)
    kernel = rng.normal(size=(3, 5, 2, 4)).astype(np.float32)
    for strides in ((1, 1), (2, 3)):
        for padding in ("SAME", "VALID"):
            seen = rounding.patches(values, (3, 5), strides, padding == "SAME")
            got = np.tensordot(seen, kernel, 3)
            wanted = tf.nn.conv2d(values[None], kernel, strides, padding)[0].numpy()
            np.testing.assert_allclose(got, wanted, atol=1e-5)


def test_a_bias_makes_up_for_what_the_layers_before_shifted(noted: bytes) -> None:
    calibrated = ranges.measured(noted, FACES)
    plain = integer.quantised(calibrated, Format.INT8, 1)
    off = Network(plain)
    first = off.layers()[0]
    bias = off.operators[first].inputs[2]
    off.set_constant(bias, off.constant(bias) + 400)
    refined = rounding.refine(off.to_bytes(), calibrated, FACES)
    wanted = _probabilities(calibrated)
    errors = [np.abs(_probabilities(f) - wanted).mean() for f in (off.to_bytes(), plain, refined)]
    assert errors[2] < errors[0]
    assert errors[2] < 1.5 * errors[1]


def test_weights_of_dynamic_range_make_up_for_their_rounding_too(
    against: reference.Reference, chosen: calibration.Calibration
) -> None:
    plain, real = (export.to_float(against.model, f) for f in (Format.DYNAMIC_RANGE, Format.FLOAT32))
    refined = rounding.refine(plain, real, chosen.faces)
    before, after = Network(plain), Network(refined)
    assert [op.name for op in after.operators] == [op.name for op in before.operators]
    faces = against.pictures.dataset.images[:100]
    errors = []
    for net in (before, after):
        in_float = Network(real)  # the rounded weights alone, without the activations' rounding
        for n, k in zip(net.layers(), in_float.layers(), strict=True):
            (_, weights, bias), (_, stored, other) = net.operators[n].inputs, in_float.operators[k].inputs
            values = net.real_constant(weights) if net.is_integer(n) else net.constant(weights)
            in_float.set_constant(stored, values)
            in_float.set_constant(other, net.constant(bias))
        given = [values[0] for (values,) in in_float.run(faces, list(in_float.shown.outputs))]
        errors.append(np.abs(given - against.probabilities[:100]).mean())
    assert errors[1] < 0.8 * errors[0]
    (first, *_) = [n for n in after.layers() if after.is_integer(n)]
    _, weights, bias = after.operators[first].inputs
    assert np.array_equal(after.steps(weights)[0], before.steps(weights)[0])
    assert after.constant(bias).dtype == np.float32


def test_weights_of_int16x8_make_up_for_their_rounding_too(
    against: reference.Reference, chosen: calibration.Calibration, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = export.to_int16x8(against.model, chosen.faces)
    real = export.to_float(against.model, Format.FLOAT32)
    refined = rounding.refine(plain, real, chosen.faces)
    faces = against.pictures.dataset.images[:100]
    errors = []
    for flatbuffer in (plain, refined):
        net = Network(flatbuffer)
        given = [values[0] for (values,) in net.run(faces, list(net.shown.outputs))]
        errors.append(np.abs(given - against.probabilities[:100]).mean())
    assert errors[1] < 0.8 * errors[0]
    monkeypatch.setattr(rounding, "_is_wide", lambda net: False)  # its own slow kernels, no stand-in
    slowly = Network(rounding.refine(plain, real, chosen.faces))
    for n in slowly.layers():
        weights = slowly.operators[n].inputs[1]
        quickly = Network(refined).constant(weights)
        assert (slowly.constant(weights) == quickly).mean() > 0.95
        assert (quickly == Network(plain).constant(weights)).mean() < 0.95


def test_the_mean_before_a_float_end_is_float_too(noted: bytes) -> None:
    net = Network(integer.quantised(ranges.measured(noted, FACES), Format.INT8, 1))
    mean = next(op for op in net.operators if op.name == "MEAN")
    assert not len(net.steps(mean.outputs[0])[0])
    whole = Network(integer.quantised(ranges.measured(noted, FACES), Format.FULL_INTEGER, 1))
    assert all(whole.is_integer(n) for n in whole.layers())


def test_ranges_are_those_of_the_pictures(residual: Any, noted: bytes) -> None:
    net = Network(ranges.measured(noted, FACES, narrow=False))
    ends = {op.name: op for op in net.operators}
    given = [op.outputs[0] for op in net.operators if op.name in {"CONV_2D", "ADD"}]
    found = {n: np.array(v) for n, v in zip(given, zip(*net.run(FACES, given), strict=True), strict=True)}
    summand = given[2]
    (other,) = set(ends["ADD"].inputs) - {summand}
    # The sum ends in ReLU: of what is added to `other`, all below -other makes no difference.
    found[summand] = np.maximum(found[summand], -found[other])
    for n, values in found.items():
        assert net.range(n) == pytest.approx((min(values.min(), 0), values.max()), rel=1e-5)
    assert export.input_shape(residual) == (1, 48, 48, 1)
