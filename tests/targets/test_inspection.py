"""Facts of files that were made by hand."""

import json

import numpy as np
import pytest
from tiny_models import Builder, Spec, shipped_style
from typer.testing import CliRunner

from fer_edge.cli import application
from fer_edge.errors import ModelError
from fer_edge.model import graph
from fer_edge.spec import USE, ModelCard, TensorSpec
from fer_edge.targets import inspect_show, inspection


def test_a_file_of_ours(tiny):
    found = inspection.inspect(tiny)
    assert found["inputs"] == [
        {"name": "face", "dtype": "uint8", "shape": [1, 8, 8, 1], "scale": 1.0, "zero_point": 0}
    ]
    assert found["outputs"][0]["dtype"] == "float32"
    assert found["labels"] == ["happy", "sad", "so-so"]
    assert found["ops"] == {"DEQUANTIZE": 1, "FULLY_CONNECTED": 1, "QUANTIZE": 1, "SOFTMAX": 1}
    assert (found["macs"], found["parameters"], found["weight_bytes"]) == (3 * 64, 3 * 64, 3 * 64)
    assert found["arithmetic"] == {"int8 x int8": 3 * 64}
    assert found["peak_bytes"] == 2 * 64  # QUANTIZE: uint8 in, int8 out
    assert found["metadata"]["files"] == ["labels.txt", "card.json"]
    assert found["metadata"]["inputs"][0] | {"description": ""} == {
        "name": "face",
        "description": "",
        "files": [],
        "mean": [0.0],
        "std": [1.0],
    }
    assert found["metadata"]["outputs"][0]["files"] == ["labels.txt"]
    assert found["lacks"] == []


def test_normalisation_of_a_model_of_zero_to_one(whole):
    """(gray - mean) / std with std 255 is 0..1."""
    assert inspection.inspect(whole)["metadata"]["inputs"][0]["std"] == [255.0]


def test_a_foreign_file_lacks_labels(tmp_path):
    path = tmp_path / "plain.tflite"
    path.write_bytes(shipped_style())
    found = inspection.inspect(path)
    assert (found["labels"], found["metadata"], found["ships"]) == (None, None, False)
    assert len(found["lacks"]) == 1
    assert "--card" in found["lacks"][0]


def test_a_flex_operator_is_named(tmp_path):
    build = Builder()
    x, y = (build.tensor(name, (1, 4), Spec("float32")) for name in "xy")
    build.operator("CUSTOM", [x], [y], custom="FlexErf")
    path = tmp_path / "flex.tflite"
    path.write_bytes(build.file([x], [y]))
    found = inspection.inspect(path)
    assert found["ops"] == {"FlexErf": 1}
    assert any("FlexErf" in lack for lack in found["lacks"])


def test_several_inputs_are_said(tmp_path):
    build = Builder()
    x, z, y = (build.tensor(name, (1, 4), Spec("float32")) for name in "xzy")
    build.operator("ADD", [x, z], [y])
    path = tmp_path / "two.tflite"
    path.write_bytes(build.file([x, z], [y]))
    found = inspection.inspect(path)
    assert len(found["inputs"]) == 2
    assert any("2 inputs" in lack for lack in found["lacks"])


@pytest.mark.parametrize("data", [b"", b"not a model at all", b"\x1c\0\0\0TFL3" + bytes(40)])
def test_what_is_no_model_is_refused_in_a_line(data, tmp_path):
    path = tmp_path / "bad.tflite"
    path.write_bytes(data)
    with pytest.raises(ModelError, match=r"bad\.tflite"):
        inspection.inspect(path)


def test_per_channel_quantisation_and_types_are_read(tmp_path):
    build = Builder()
    x = build.tensor("x", (1, 4), Spec("int8", 0.5, 3))
    w = build.tensor("w", (2, 4), Spec("int8", 1.0), np.zeros((2, 4), np.int8))
    build.graph.tensors[w].quantization.scale = [0.25, 0.125]
    build.graph.tensors[w].quantization.zeroPoint = [0, 0]
    y = build.tensor("y", (1, 2), Spec("int32", 2.0))
    build.operator("FULLY_CONNECTED", [x, w, -1], [y])
    path = tmp_path / "q.tflite"
    path.write_bytes(build.file([x], [y]))
    (part,) = inspection.graph.read(path.read_bytes())
    assert part.tensors[w].scales == (0.25, 0.125)
    assert (part.tensors[x].scales, part.tensors[x].zero_points) == ((0.5,), (3,))
    assert [tensor.dtype for tensor in part.tensors] == ["int8", "int8", "int32"]


def test_command(tiny):
    done = CliRunner().invoke(application(), ["inspect", str(tiny), "--layers", "--json", "-"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["macs"] == 192
    assert "FULLY_CONNECTED" in done.stderr


def _described(tmp_path, **said):
    ends = TensorSpec("uint8", (1, 48, 48, 1), 1.0), TensorSpec("float32", (1, 3), content="probabilities")
    card = ModelCard("tiny", "int8", ("angry", "happy", "sad"), *ends, **said)
    path = tmp_path / "tiny_int8.tflite"
    path.write_bytes(graph.embed_card(shipped_style(), card))
    return inspect_show.lines(inspection.inspect(path))


def test_what_a_model_is_for_and_how_it_errs_by_class_is_told(tmp_path):
    measured = {
        "accuracy": 0.5,
        "agreement": 1.0,
        "split": "PublicTest",
        "recall": {"angry": 0.25, "happy": 1},
    }
    told = _described(tmp_path, measured=measured, use=USE)
    assert "recall angry 25%, happy 100%" in told
    assert f"use    {USE}" in told


def test_figures_of_a_card_that_are_none_are_passed_over(tmp_path):
    measured = {"accuracy": "x", "agreement": [], "split": 3, "recall": {"angry": "much"}}
    told = _described(tmp_path, measured=measured)
    assert not [line for line in told if line.startswith(("recall", "use "))]
    assert "card   tiny, int8, " in told
