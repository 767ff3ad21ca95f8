"""What tensorflow-model-optimization does to a small network, and that it is the one that does it."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import formats, rounding, source, toolkit
from fer_edge.data import drawn_faces
from fer_edge.errors import ModelError

FACES, LABELS = drawn_faces(140, seed=3)
LESSON = toolkit.Lesson(FACES, LABELS.astype(np.int64))
SHORT = formats.Recipe(steps=4, qat_steps=3, batch=8)


def _retrained(model: object, *, qat: bool = False, **values: float) -> tuple[object, toolkit.Retrained]:
    network = rounding.folded(model, centred=True)
    names = rounding.rounded_layers(network, float_end=True)
    ranges = rounding.measured(network, names, FACES) if qat else {}
    settings = toolkit.Settings.of(SHORT.override(**values), qat, seed=0)
    return network, toolkit.retrain(network, LESSON, settings, ranges)


def _kernels(network: object) -> list[np.ndarray]:
    return [layer.get_weights()[0] for layer in network.layers if hasattr(layer, "kernel")]


def test_pruned_clustered_and_trained_with_rounding_together(residual: object) -> None:
    network, found = _retrained(residual, qat=True, sparsity=0.5, clusters=6)
    kernels = _kernels(found.network)
    for kernel in kernels[1:]:
        assert (kernel == 0).mean() >= 0.49
        assert len(np.unique(kernel)) <= 6
    assert len(np.unique(kernels[0])) > 100  # the first layer is left alone
    for kernel in _kernels(found.aware)[1:-1]:
        assert (kernel == 0).mean() >= 0.49
    assert set(found.ranges) == set(rounding.rounded_layers(network, float_end=True))
    assert all(low <= 0 < high for low, high in found.ranges.values())


def test_rounding_alone_leaves_the_float_network_as_it_is(residual: object) -> None:
    network, found = _retrained(residual, qat=True)
    for before, after, aware in zip(*map(_kernels, (network, found.network, found.aware)), strict=True):
        np.testing.assert_array_equal(before, after)
        assert not np.array_equal(before, aware)
    images = FACES[:20, ..., None].astype(np.float32)
    integers = rounding.Rounded(found.aware, found.ranges, True)
    assert np.abs(np.asarray(integers(images)) - np.asarray(network(images))).mean() < 0.05


def test_nothing_of_the_working_folder_is_imported(
    residual: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("numpy", "tensorflow", "tf_keras"):
        (tmp_path / f"{name}.py").write_text("raise SystemExit('of the working folder')")
    monkeypatch.chdir(tmp_path)
    _, found = _retrained(residual, sparsity=0.3)
    assert (_kernels(found.network)[1] == 0).mean() >= 0.29
    assert "tensorflow_model_optimization" not in sys.modules
    assert os.environ.get("TF_USE_LEGACY_KERAS") is None


def test_a_layer_that_keras_2_lacks_is_named() -> None:
    keras = source.import_keras()
    inputs = keras.Input((48, 48, 1), name="face")
    x = keras.layers.RMSNormalization()(keras.layers.Flatten()(inputs))
    model = keras.Model(inputs, keras.layers.Dense(7, activation="softmax")(x))
    with pytest.raises(ModelError, match="Keras 2 has no layer RMSNormalization"):
        _retrained(model, sparsity=0.5)


def test_pictures_are_mirrored_and_shifted() -> None:
    faces = np.arange(48, dtype=np.uint8)[None, None, :].repeat(48, 1).repeat(64, 0)
    seen = toolkit.changed(faces, np.random.default_rng(0))
    assert seen.shape == (64, 48, 48, 1)
    shifts = {float(abs(seen[k, 24, 25, 0] - seen[k, 24, 24, 0])) for k in range(64)}
    assert shifts == {1.0}
    assert {bool(seen[k, 0, 30, 0] > seen[k, 0, 20, 0]) for k in range(64)} == {True, False}
    assert 5 < len({float(value) for value in seen[:, 24, 24, 0]}) <= 14  # seven shifts, two directions
