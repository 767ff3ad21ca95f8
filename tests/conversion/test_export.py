from __future__ import annotations

import numpy as np
import pytest

from fer_edge.conversion import export, integer, reference, source
from fer_edge.conversion.calibration import Calibration
from fer_edge.conversion.network import Network
from fer_edge.conversion.recipes import Recipe
from fer_edge.errors import ModelError
from fer_edge.spec import Format


def test_an_operator_that_tflite_lacks_is_named_in_a_line(recipe: Recipe, chosen: Calibration) -> None:
    keras = source.import_keras()
    x = inputs = keras.Input((48, 48, 1))
    x = keras.ops.erfinv(keras.layers.Rescaling(1 / 300)(x))
    x = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    for make in (
        lambda: export.to_float(model, Format.FLOAT32),
        lambda: export.to_int16x8(model, chosen.faces[:1]),
        lambda: integer.to_integer(model, Format.INT8, chosen.faces, recipe),
    ):
        with pytest.raises(ModelError, match=r"does not build in \(Erfinv\)") as caught:
            make()
        assert "\n" not in str(caught.value)


def test_int16x8_has_the_steps_of_int16(against: reference.Reference, chosen: Calibration) -> None:
    faces = against.pictures.dataset.images[:20]
    wide = Network(export.to_int16x8(against.model, chosen.faces))
    real = Network(export.to_float(against.model, Format.FLOAT32))
    (got,) = (np.concatenate(v) for v in zip(*wide.run(faces, list(wide.shown.outputs)), strict=True))
    assert np.abs(got - against.probabilities[:20]).mean() < 0.003
    outputs = [net.operators[net.layers()[0]].outputs[0] for net in (wide, real)]
    (scale,), (zero_point,) = wide.steps(outputs[0])
    largest = max(np.abs(value).max() for (value,) in real.run(chosen.faces, outputs[1:]))
    assert zero_point == 0  # int16 is symmetric
    assert scale == pytest.approx(largest / 32767, rel=0.01)
