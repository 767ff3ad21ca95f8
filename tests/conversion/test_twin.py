"""The differentiable twin against the interpreter, what is learnt with it, and what it explains."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import explaining, explaining_show, integer, recipes, reference, tuning
from fer_edge.conversion.calibration import Calibration
from fer_edge.conversion.network import Network
from fer_edge.conversion.twin import Twin
from fer_edge.data import drawn_faces
from fer_edge.model import keras_files
from fer_edge.spec import Format

FACES = drawn_faces(30, seed=9)[0]
BATCH = FACES[..., None].astype(np.float32)


@pytest.fixture(scope="module", params=[Format.INT8, Format.FULL_INTEGER])
def made(
    request: pytest.FixtureRequest,
    against: reference.Reference,
    chosen: Calibration,
    recipe: recipes.Recipe,
) -> integer.Made:
    return integer.made(against.model, request.param, chosen.faces, recipe)


def _interpreted(flatbuffer: bytes) -> np.ndarray:
    net = Network(flatbuffer)
    return np.concatenate([values for (values,) in net.run(FACES, list(net.shown.outputs))])


@pytest.mark.parametrize("format_", [Format.INT8, Format.FULL_INTEGER])
def test_the_twin_gives_what_the_interpreter_gives(
    format_: Format, chosen: Calibration, recipe: recipes.Recipe
) -> None:
    """On nano as it ships, since a network trained here differs from machine to machine."""
    nano = keras_files.load(Path(__file__).resolve().parents[2] / "models" / "nano.keras")
    made = integer.made(nano, format_, chosen.faces, recipe)
    twin = Twin(made.flatbuffer, made.calibrated)
    got, wanted, in_float = np.asarray(twin(BATCH)), *map(_interpreted, (made.flatbuffer, made.calibrated))
    # The kernels round once more, inside: single values differ by a step of a hidden tensor.
    assert np.abs(got - wanted).mean() < min(0.003, 0.7 * np.abs(in_float - wanted).mean())
    assert np.abs(np.asarray(twin.teacher(BATCH)) - in_float).max() < 1e-4
    assert (got.argmax(axis=1) == wanted.argmax(axis=1)).mean() > 0.95


def test_nothing_learnt_changes_nothing(made: integer.Made) -> None:
    twin = Twin(made.flatbuffer, made.calibrated)
    whole = Format.FULL_INTEGER if _takes_int8(made.flatbuffer) else Format.INT8
    again = twin.settled(integer.quantised(twin.ranged(), whole, 1))
    assert np.array_equal(_interpreted(again), _interpreted(made.flatbuffer))


def _takes_int8(flatbuffer: bytes) -> bool:
    net = Network(flatbuffer)
    return net.operators[0].name != "QUANTIZE"


def test_training_brings_a_spoilt_network_nearer_to_its_float_one(made: integer.Made) -> None:
    spoilt = Network(made.flatbuffer)
    layer = spoilt.layers()[1]
    bias = spoilt.operators[layer].inputs[2]
    unit = spoilt.steps(bias)[0][0]
    spoilt.set_constant(bias, spoilt.constant(bias) + np.rint(0.3 / unit))
    plan = tuning.Tuning(steps=75, batch=20, rate=0.05)
    twin = tuning.tune(spoilt.to_bytes(), made.calibrated, plan, tuning.Lesson(FACES))
    wanted = np.asarray(twin.teacher(BATCH))
    before = np.asarray(Twin(spoilt.to_bytes(), made.calibrated)(BATCH))
    assert np.abs(np.asarray(twin(BATCH)) - wanted).mean() < 0.8 * np.abs(before - wanted).mean()


def test_training_pictures_are_shifted_and_mirrored_alone() -> None:
    ramp = np.tile(np.arange(48, dtype=np.uint8), (1, 48, 1))
    out = tuning.changed(ramp, 200, np.random.default_rng(0))[..., 0]
    steps = np.diff(out[:, 20, 5:40], axis=1)
    assert set(np.unique(steps)) == {-1.0, 1.0}  # mirrored or not
    assert set(np.unique(np.abs(out[:, 20, 24] - 23.5))) <= {0.5, 1.5, 2.5, 3.5}
    assert np.array_equal(out, tuning.changed(ramp, 200, np.random.default_rng(0))[..., 0])


def test_each_layer_is_explained(made: integer.Made, tmp_path: Path, capsys: pytest.CaptureFixture) -> None:
    layers = explaining.explain(made, FACES)
    whole = _takes_int8(made.flatbuffer)
    assert [layer.operator for layer in layers].count("CONV_2D") == 2
    assert {layer.kept for layer in layers} == ({"int8"} if whole else {"int8", "float"})
    first, *rest = layers
    assert (first.step, first.low, first.high, first.snr_db) == (1.0, -128.0, 127.0, None)
    assert first.alone_activation == 0  # gray levels are held exactly
    for layer in rest:
        assert layer.snr_db is None or 5 < layer.snr_db < 100
        if layer.step is not None:
            assert layer.high - layer.low == pytest.approx(255 * layer.step)
            assert layer.alone_activation > 0
    explaining_show.show(layers, "title")
    shown = capsys.readouterr().out
    assert "CONV_2D" in shown
    assert ("In float: none" in shown) == whole
    explaining_show.plot(layers, "title", tmp_path / "layers.png")
    assert (tmp_path / "layers.png").read_bytes()[:4] == b"\x89PNG"
    assert explaining.to_dicts(layers)[0]["operator"] == first.operator


def test_pruned_weights_stay_pruned_and_the_teacher_is_who_is_named(made: integer.Made) -> None:
    pruned = Network(made.flatbuffer)
    weights = pruned.operators[pruned.layers()[1]].inputs[1]
    values = pruned.constant(weights)
    values[np.abs(values) < 20] = 0
    pruned.set_constant(weights, values)
    uniform = tuning.Lesson(FACES, lambda batch: np.full((len(batch), 7), 1 / 7, np.float32))
    plan = tuning.Tuning(steps=20, batch=10, rate=0.2, keep_zeros=True)
    twin = tuning.tune(pruned.to_bytes(), made.calibrated, plan, uniform)
    whole = Format.FULL_INTEGER if _takes_int8(made.flatbuffer) else Format.INT8
    after = Network(twin.settled(integer.quantised(twin.ranged(), whole, 1)))
    moved = after.constant(after.operators[after.layers()[1]].inputs[1])
    assert (moved[values == 0] == 0).all()
    assert (moved != values).any()
    spread = [np.asarray(run(BATCH)).std(axis=1).mean() for run in (twin, twin.teacher)]
    assert spread[0] < spread[1]  # nearer to the teacher that says nothing


def test_the_same_training_gives_the_same_bytes(made: integer.Made) -> None:
    plan = tuning.Tuning(steps=5, batch=16, rate=0.1)
    twins = [tuning.tune(made.flatbuffer, made.calibrated, plan, tuning.Lesson(FACES)) for _ in range(2)]
    first, second = ([v.numpy() for v in twin.variables()] for twin in twins)
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert any(a.any() for a in first)
