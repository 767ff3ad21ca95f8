from __future__ import annotations

import numpy as np
import pytest

from fer_edge.conversion import export, integer, lean, reference
from fer_edge.conversion.calibration import Calibration
from fer_edge.conversion.network import Network
from fer_edge.conversion.recipes import Recipe
from fer_edge.model import graph, interpreter
from fer_edge.spec import Format

FORMATS = (Format.FLOAT32, Format.FLOAT16, Format.DYNAMIC_RANGE, Format.INT8)


@pytest.fixture(scope="module")
def plain(against: reference.Reference, chosen: Calibration, recipe: Recipe) -> dict[Format, bytes]:
    """Files as TensorFlow's converter gives them."""
    made = {format_: export.to_float(against.model, format_) for format_ in FORMATS[:-1]}
    return {**made, Format.INT8: integer.to_integer(against.model, Format.INT8, chosen.faces, recipe)}


def _says(flatbuffer: bytes, faces: np.ndarray) -> np.ndarray:
    model = interpreter.load(flatbuffer, 1, "m")
    (taken,), (given,) = model.get_input_details(), model.get_output_details()
    found = []
    for face in faces:
        model.set_tensor(taken["index"], face.reshape(taken["shape"]))
        model.invoke()
        found.append(model.get_tensor(given["index"]).copy())
    return np.concatenate(found)


@pytest.mark.parametrize("format_", FORMATS)
def test_the_same_comes_out_to_the_last_bit_of_fewer_bytes(
    plain: dict[Format, bytes], format_: Format, against: reference.Reference
) -> None:
    faces = against.pictures.dataset.images[:40]
    small = lean.lean(plain[format_])
    np.testing.assert_array_equal(_says(small, faces), _says(plain[format_], faces))
    assert len(small) < len(plain[format_]) - 1000
    assert lean.lean(small) == small


def test_names_tell_the_operators_in_order_and_the_ends_keep_theirs(plain: dict[Format, bytes]) -> None:
    before, after = (graph.read(data)[0] for data in (plain[Format.INT8], lean.lean(plain[Format.INT8])))
    ends = [[part.tensors[n].name for n in (*part.inputs, *part.outputs)] for part in (before, after)]
    assert ends[0] == ends[1]
    assert ends[1][0] == "face"
    for n, operator in enumerate(after.operators[:-1]):
        assert after.tensors[operator.outputs[0]].name == f"{n}_{operator.name.lower()}"
        if operator.name == "CONV_2D":
            assert [after.tensors[k].name for k in operator.inputs[1:]] == [f"{n}_w", f"{n}_b"]
    assert len({tensor.name for tensor in after.tensors}) == len(after.tensors)


@pytest.mark.parametrize("format_", FORMATS)
def test_weights_are_aligned_as_the_schema_asks(plain: dict[Format, bytes], format_: Format) -> None:
    data = np.frombuffer(lean.lean(plain[format_]), np.uint8)
    model = graph.schema().Model.GetRootAs(data.tobytes(), 0)
    buffers = [model.Buffers(n) for n in range(model.BuffersLength())]
    held = [buffer.DataAsNumpy() for buffer in buffers if buffer.DataLength()]
    base = np.frombuffer(model._tab.Bytes, np.uint8).__array_interface__["data"][0]
    starts = [values.__array_interface__["data"][0] - base for values in held]
    assert len(starts) > 8
    assert {start % 16 for start in starts} == {0}


def test_notes_for_other_programs_stay(plain: dict[Format, bytes]) -> None:
    def notes(data: bytes) -> dict[str, bytes]:
        model = graph.unpacked(data)
        return {note.name.decode(): bytes(model.buffers[note.buffer].data) for note in model.metadata}

    before, after = notes(plain[Format.FLOAT16]), notes(lean.lean(plain[Format.FLOAT16]))
    assert before.pop("CONVERSION_METADATA")
    assert after == before
    assert {"min_runtime_version", "reduced_precision_support"} <= set(after)
    assert "TFLITE_METADATA" not in after


def test_weights_that_operators_share_are_kept_once(plain: dict[Format, bytes]) -> None:
    net = Network(plain[Format.FLOAT32])
    first, second = (net.operators[n].inputs[2] for n in net.layers()[:2])
    net.graph.tensors[second].buffer = net.graph.tensors[first].buffer
    again = Network(lean.lean(net.to_bytes()))
    assert again.graph.tensors[second].buffer == again.graph.tensors[first].buffer != 0
