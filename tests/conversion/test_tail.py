from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from fer_edge.conversion import reference, source, tail


def test_the_linear_layers_become_one_and_nothing_changes(against: reference.Reference) -> None:
    folded = tail.find(against.model)
    assert folded is not None
    assert folded.weights.shape == (2 * 2 * 16, 2 * 2 * 7)
    images = against.pictures.dataset.images[:40]
    logits = folded.logits(images).astype(np.float64)
    expected = np.exp(logits - logits.max(axis=1, keepdims=True))
    expected /= expected.sum(axis=1, keepdims=True)
    assert np.abs(expected - against.probabilities[:40]).max() < 1e-4
    face = images[:1, ..., None].astype(np.float32)
    assert np.abs(np.asarray(folded.probabilities(face)) - against.probabilities[0]).max() < 1e-4


def test_a_floor_below_all_logits_changes_nothing_and_one_above_all_levels_them(
    against: reference.Reference,
) -> None:
    folded = tail.find(against.model)
    assert folded is not None
    images = against.pictures.dataset.images[:1]
    face = images[..., None].astype(np.float32)
    lowest = dataclasses.replace(folded, floor=float(folded.logits(images).min()) - 1)
    assert np.abs(np.asarray(lowest.probabilities(face)) - against.probabilities[0]).max() < 1e-4
    highest = dataclasses.replace(folded, floor=float(folded.logits(images).max()) + 1)
    assert np.asarray(highest.probabilities(face))[0] == pytest.approx([1 / 7] * 7)
    median = folded.with_floor(images, 50)
    assert median.floor == pytest.approx(np.median(folded.logits(images)))


def _model(*last: object) -> object:
    keras = source.import_keras()
    x = inputs = keras.Input((48, 48, 1))
    x = keras.layers.MaxPooling2D(12)(x)
    for layer in last:
        x = layer(x)
    return keras.Model(inputs, x)


def test_other_ends_are_left_alone() -> None:
    from keras import layers

    pooled = [layers.GlobalMaxPooling2D(), layers.Softmax()]
    wide = [layers.Conv2D(64, 3, padding="same"), layers.Conv2D(7, 3, padding="same")]
    assert tail.find(_model(*wide, *pooled)) is not None
    relu = [layers.Conv2D(64, 3, padding="same", activation="relu"), layers.Conv2D(7, 1)]
    assert tail.find(_model(*relu, layers.GlobalMaxPooling2D(), layers.Softmax())) is None  # would grow
    assert tail.find(_model(*wide, layers.GlobalAveragePooling2D(), layers.Softmax())) is None
    assert tail.find(_model(layers.Flatten(), layers.Dense(7), layers.Softmax())) is None
