"""What tensorflow-model-optimization does to a small network, and that it is the one that does it."""

import numpy as np
import pytest

from fer_edge.conversion import formats, rounding, source, toolkit
from fer_edge.data import drawn_faces
from fer_edge.errors import ModelError

FACES, LABELS = drawn_faces(140, seed=3)
SHORT = formats.Recipe(steps=4, qat_steps=3, batch=8)


def _retrained(model, **values):
    material = formats.Material(model, FACES)
    return toolkit.retrain(material, FACES, LABELS.astype(np.int64), SHORT.override(**values), seed=0)


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
    network = rounding.folded(residual, centred=True)
    for before, aware in zip(*map(_kernels, (network, found.aware)), strict=True):
        assert not np.array_equal(before, aware)
    images = FACES[:20, ..., None].astype(np.float32)
    integers = rounding.Rounded(found.aware, found.ranges, True)
    assert np.abs(np.asarray(integers(images)) - np.asarray(network(images))).mean() < 0.05


def test_a_layer_that_keras_2_lacks_is_named():
    keras = source.import_keras()
    inputs = keras.Input((48, 48, 1), name="face")
    x = keras.layers.RMSNormalization()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x))
    with pytest.raises(ModelError, match="Keras 2 has no layer RMSNormalization"):
        _retrained(model, sparsity=0.5)
