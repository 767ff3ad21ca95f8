"""Facts of files that were made by hand."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest
from tiny_models import Builder, Spec, shipped_style
from typer.testing import CliRunner

from fer_edge.cli import application
from fer_edge.errors import ModelError
from fer_edge.model import file, graph, shipped
from fer_edge.spec import USE, ModelCard, TensorSpec
from fer_edge.targets import inspection, web_page


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
    (part,) = graph.read(path.read_bytes())
    assert part.tensors[w].scales == (0.25, 0.125)
    assert (part.tensors[x].scales, part.tensors[x].zero_points) == ((0.5,), (3,))
    assert [tensor.dtype for tensor in part.tensors] == ["int8", "int8", "int32"]


def test_command(tiny):
    done = CliRunner().invoke(application(), ["inspect", str(tiny), "--layers", "--json", "-"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["macs"] == 192
    assert "FULLY_CONNECTED" in done.stderr


@pytest.mark.parametrize("arguments", [("inspect", "--layers"), ("bench", "--target", "web", "--runs", "1")])
def test_neither_tensorflow_nor_keras_is_needed(arguments, tiny, tmp_path):
    for package in ("tensorflow", "keras", "tf_keras", "matplotlib", "sklearn", "pandas"):
        (tmp_path / f"{package}.py").write_text("raise ImportError('hidden')")
    command, *options = arguments
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from fer_edge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, command, tiny, *options],
        env={**os.environ, web_page.VARIABLE: str(runtime_of_nothing(tmp_path))},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny_int8" in done.stdout


def runtime_of_nothing(folder):
    """A node_modules folder with the files that a page is put together from, all empty."""
    package = folder / web_page.PACKAGE
    wasm = package / "wasm" / web_page.VARIANT
    scripts = [package / "dist/index.js", package.parent / "wasm-utils/dist/index.js"]
    for path in (*scripts, wasm.with_suffix(".wasm"), wasm.with_suffix(".js")):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


F32 = Spec("float32")


def test_costs_of_convolutions_and_the_peak_of_a_residual_block():
    """x -> conv -> conv -> add(x): x is held until the end, so three tensors live at the second conv."""
    build = Builder()
    x = build.tensor("x", (1, 6, 4, 8), F32)
    full = build.tensor("w", (8, 3, 3, 8), F32, np.zeros((8, 3, 3, 8), np.float32))
    deep = build.tensor("d", (1, 5, 5, 8), F32, np.zeros((1, 5, 5, 8), np.float32))
    a, b, y = (build.tensor(name, (1, 6, 4, 8), F32) for name in "aby")
    build.operator("CONV_2D", [x, full, -1], [a])
    build.operator("DEPTHWISE_CONV_2D", [a, deep, -1], [b])
    build.operator("ADD", [x, b], [y])
    part = graph.read(build.file([x], [y]))[0]
    first, second, last = graph.layers(part)
    assert (first.macs, second.macs, last.macs) == (6 * 4 * 8 * 3 * 3 * 8, 6 * 4 * 5 * 5 * 8, 0)
    assert (first.parameters, first.weight_bytes) == (576, 2304)
    assert graph.peak(part) == (3 * 6 * 4 * 8 * 4, 1)


def test_costs_of_matrices():
    build = Builder()
    x = build.tensor("x", (1, 4, 10), Spec("int8", 1.0))
    w = build.tensor("w", (3, 10), Spec("int8", 1.0), np.zeros((3, 10), np.int8))
    y = build.tensor("y", (1, 4, 3), Spec("int8", 1.0))
    build.operator("FULLY_CONNECTED", [x, w, -1], [y])
    (layer,) = graph.layers(graph.read(build.file([x], [y]))[0])
    assert (layer.macs, layer.scale, layer.inputs) == (4 * 10 * 3, 1.0, ("int8", "int8"))


def test_the_papers_network_has_the_macs_that_its_card_says():
    """Table 2 of the paper, 'same' padding: pixels x kernel x channels in x channels out."""
    path = shipped.find_model("tuned_float32")
    part = graph.read(path.read_bytes())[0]
    kernels = (7, 7, 5, 5, 3, 3, 3, 3, 3, 3)
    sides = (48, 48, 24, 24, 12, 12, 6, 6, 3, 3)
    channels = (1, 16, 16, 32, 32, 64, 64, 128, 128, 256, 7)
    shapes = zip(kernels, sides, channels[:-1], channels[1:], strict=True)
    wanted = [kernel**2 * side**2 * taken * given for kernel, side, taken, given in shapes]
    assert [layer.macs for layer in graph.layers(part) if layer.macs] == wanted
    assert json.loads(path.with_suffix(".json").read_text())["macs"] == graph.macs(part) == sum(wanted)
    assert graph.peak(part)[0] == 2 * 48 * 48 * 16 * 4


def test_tflites_official_reader_finds_labels_and_normalisation(tiny):
    support = pytest.importorskip("tflite_support", reason="needs tflite-support, which is not installed")
    shown = support.metadata.MetadataDisplayer.with_model_file(str(tiny))
    (part,) = json.loads(shown.get_metadata_json())["subgraph_metadata"]
    (taken,), (given,) = part["input_tensor_metadata"], part["output_tensor_metadata"]
    assert taken["process_units"][0]["options"] == {"mean": [0.0], "std": [1.0]}
    assert taken["content"]["content_properties"] == {"color_space": "GRAYSCALE"}
    assert given["associated_files"][0]["name"] == "labels.txt"
    assert shown.get_associated_file_buffer("labels.txt").decode().split() == ["happy", "sad", "so-so"]


def _described(tmp_path, **said):
    ends = TensorSpec("uint8", (1, 48, 48, 1), 1.0), TensorSpec("float32", (1, 3), content="probabilities")
    card = ModelCard("tiny", "int8", ("angry", "happy", "sad"), *ends, **said)
    path = tmp_path / "tiny_int8.tflite"
    path.write_bytes(file.embed_card(shipped_style(), card))
    return inspection.lines(inspection.inspect(path))


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
