"""The table of targets, and each target through its own tool where that is installed here."""

import dataclasses
import gzip
import importlib.util
import json
import shutil
import subprocess
from contextlib import nullcontext

import numpy as np
import pytest
from doc_blocks import PAGES, blocks
from tiny_models import softmax
from typer.testing import CliRunner

from fer_edge import targets
from fer_edge.cli import application
from fer_edge.errors import FerEdgeError, GateError, MissingExtraError, UsageError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.targets import TARGETS, microcontroller, onnx_file, template, web_page

FACES = np.random.default_rng(0).integers(120, 136, (12, 8, 8), dtype=np.uint8)
OF_TINY = softmax(FACES[:, 0, :3])


def needs(*packages):
    absent = [package for package in packages if importlib.util.find_spec(package) is None]
    return pytest.mark.skipif(bool(absent), reason=f"needs {', '.join(absent)}")


def test_names_are_known_or_refused_with_those_that_exist():
    named = ["microcontroller", "ethos-u", "ethos-u55-128", "ethos-u85-2048", "web"]
    assert [target.name for target in targets.parse(named[:1])] == named[:1]
    assert [target.name for target in targets.parse(named[1:3])] == ["ethos-u55-128"]
    assert [target.name for target in targets.parse(named[3:])] == named[3:]
    with pytest.raises(UsageError, match="choose from microcontroller, ethos-u, onnx"):
        targets.parse(["tpu"])


@pytest.mark.parametrize(
    ("package", "extra"), [("tflite_micro", "microcontroller"), ("ethosu", "ethos-u"), ("tf2onnx", "onnx")]
)
def test_an_absent_tool_is_named_with_what_to_install(package, extra, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(MissingExtraError) as caught:
        TARGETS[extra].require()
    assert f"pip install 'fer-edge[{extra}]'" in str(caught.value)
    done = CliRunner().invoke(application(), ["convert", "nano", "--data", "drawn", "--target", extra])
    assert done.exception is not None
    assert "converting" not in done.output  # for minutes, in vain


def test_an_absent_npm_package_is_named_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(web_page.VARIABLE, raising=False)
    with pytest.raises(FerEdgeError, match="npm install @litertjs/core"):
        TARGETS["web"].require()


@pytest.mark.parametrize(
    ("fixture", "step", "allowed"),
    [("whole", 1 / 256, 2 / 256), ("tiny", 0.0, 0.5)],  # tiny: int8 logits in steps of 1, then softmax
)
def test_tflite_micro_may_differ_by_its_rounding(fixture, step, allowed, request):
    """Two steps of the output, or half a step of logits."""
    classifier, p = Classifier(request.getfixturevalue(fixture)), np.zeros((1, 7), np.float32)
    classifier.output = dataclasses.replace(classifier.output, scale=step)
    microcontroller.check(classifier, p, p + np.float32(allowed))
    with pytest.raises(GateError, match=f"{allowed:.4f} allowed"):
        microcontroller.check(classifier, p, p + np.float32(1.02 * allowed))


@pytest.mark.parametrize(
    ("found", "passes"),
    [((500, 0.95, 0.1), True), ((500, 0.948, 0), False), ((500, 1, 0.11), False), ((8, 7 / 8, 0), True)],
)
def test_integers_of_another_runtime_may_differ_by_their_rounding(tiny, found, passes):
    with nullcontext() if passes else pytest.raises(GateError, match="for npu agrees with LiteRT on"):
        targets.check(targets.Agreement(*found), Classifier(tiny), "npu")


@needs("tflite_micro")
def test_tflite_micro_gives_what_numpy_gives(tiny):
    artifact = TARGETS["microcontroller"].make(Classifier(tiny), FACES)
    np.testing.assert_allclose(artifact.probabilities, OF_TINY, atol=1e-6)
    assert artifact.report["arena_bytes"] % 1024 == 0
    assert 0 < artifact.report["arena_bytes"] < 64 * 1024
    assert artifact.report["flash_bytes"] == len(file.without_zip(tiny.read_bytes()))


@needs("ethosu")
def test_npu_takes_an_integer_model_and_the_card_travels(whole):
    target = TARGETS["ethos-u55-64"]
    artifact = target.make(Classifier(whole), FACES)
    assert target.outputs == ("{stem}_ethos-u55-64.tflite",)
    assert graph.operators(artifact.contents[0]) == {"ethos-u": 1}
    assert file.card_in(artifact.contents[0], "").labels == ("yes", "no")
    assert artifact.report["cycles"] > 0
    assert "ms at" in artifact.needs


@needs("ethosu")
def test_operators_that_stay_on_the_cpu_fail_the_gate(tiny):
    with pytest.raises(GateError, match="SOFTMAX") as caught:
        TARGETS["ethos-u"].make(Classifier(tiny), FACES)
    assert caught.value.exit_code == 3


@needs("tf2onnx", "onnxruntime")
def test_onnx_runtime_gives_what_numpy_gives(tiny):
    import onnx

    artifact = onnx_file.make(Classifier(tiny), FACES)
    np.testing.assert_allclose(artifact.probabilities, OF_TINY, atol=1e-6)
    proto = onnx.load_from_string(artifact.contents[0])
    assert {p.key: p.value for p in proto.metadata_props}["labels"].split("\n") == ["happy", "sad", "so-so"]
    assert [proto.graph.input[0].name, proto.graph.output[0].name] == ["face", "probabilities"]


def test_the_target_of_the_documentation_beside_one_that_refuses(tiny, tmp_path, monkeypatch):
    def refuses(classifier, pictures):
        raise GateError("not a number of mine")

    page = next(page for page in PAGES if page.name == "targets.md")
    (block,) = [block for block in blocks(page) if block.language == "python"]
    monkeypatch.setattr(targets, "TARGETS", dict(TARGETS))
    exec(block.code, {})
    targets.TARGETS["no"] = targets.Target("no", (), ("{stem}.no",), lambda: None, refuses)
    asked = ["convert", str(tiny), "--out", str(tmp_path), "--json", "-", "--target", "gzip"]
    done = CliRunner().invoke(application(), asked)
    assert done.exit_code == 0, done.stderr
    (artifact,) = json.loads(done.stdout)["targets"]
    assert (artifact["target"], artifact["unpacked"]) == ("gzip", tiny.stat().st_size)
    packed = tmp_path / "tiny_int8.tflite.gz"
    assert gzip.decompress(packed.read_bytes()) == tiny.read_bytes()
    done = CliRunner().invoke(application(), [*asked, "--target", "no", "--force"])
    assert str(done.exception) == "not a number of mine"
    for wrong, said in (
        ("--mirror", "is converted already"),
        ("--labels=ferplus:v.csv", "is converted already"),
        ("--data=v.csv --json=v.csv", "it is the input"),
    ):
        done = CliRunner().invoke(application(), [*asked, "--force", *wrong.split()])
        assert said in str(done.exception)
    assert [path.name for path in tmp_path.iterdir()] == [packed.name]


PROGRAM = """
#include <stdio.h>
#include "{{file}}.h"
int main(void) {
  fwrite({{name}}_model, 1, {{upper}}_MODEL_BYTES, stdout);
  fwrite({{name}}_stored, sizeof *{{name}}_stored, 256, stdout);
  for (int n = 0; n < 256; n++) {
    float real = {{name}}_real(({{name}}_output_t)(n - 128));
    fwrite(&real, sizeof real, 1, stdout);
  }
  for (int n = 0; n < {{upper}}_LABELS; n++) puts({{name}}_labels[n]);
  return 0;
}
"""


def sources(path):
    values = microcontroller._values(Classifier(path), file.without_zip(path.read_bytes()), 4096)
    return values, {name: template("c", name, values) for name in ("model.h", "model.c", "main.cc")}


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs gcc")
@pytest.mark.parametrize("fixture", ["tiny", "whole"])
def test_compiled_source_holds_model_labels_and_both_conversions(fixture, request, tmp_path):
    path = request.getfixturevalue(fixture)
    classifier, flatbuffer, stem = Classifier(path), file.without_zip(path.read_bytes()), path.stem
    values, texts = sources(path)
    dump = PROGRAM
    for name in ("file", "name", "upper"):
        dump = dump.replace("{{" + name + "}}", values[name])
    for name, text in ((f"{stem}.h", texts["model.h"]), (f"{stem}.c", texts["model.c"]), ("dump.c", dump)):
        (tmp_path / name).write_text(text)
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *strict, "dump.c", f"{stem}.c", "-o", "dump"], cwd=tmp_path, check=True)
    said = subprocess.run([tmp_path / "dump"], capture_output=True, check=True).stdout
    assert said[: len(flatbuffer)] == flatbuffer
    stored, real, labels = np.split(np.frombuffer(said[len(flatbuffer) :], np.uint8), [256, 256 + 1024])
    gray = stored.view(classifier.input.dtype)
    np.testing.assert_array_equal(gray, np.arange(256) - (128 if fixture == "whole" else 0))
    wanted = np.arange(256) * 2 / 255 if fixture == "whole" else np.arange(256) - 128  # scale 2/255, 0: none
    np.testing.assert_allclose(real.view(np.float32), wanted, rtol=1e-6)
    assert labels.tobytes().decode().splitlines() == list(classifier.labels)


def test_operators_are_spelt_as_by_the_resolver_of_tflite_micro_and_each_is_registered_once(tiny):
    names = "CONV_2D DEPTHWISE_CONV_2D MAX_POOL_2D RELU6 FULLY_CONNECTED REDUCE_MAX BATCH_MATMUL PADV2"
    methods = "Conv2D DepthwiseConv2D MaxPool2D Relu6 FullyConnected ReduceMax BatchMatMul PadV2"
    names, methods = f"{names} HARD_SWISH", f"{methods} HardSwish"
    assert [microcontroller.camel_case(name) for name in names.split()] == methods.split()
    text = sources(tiny)[1]["main.cc"]
    assert "MicroMutableOpResolver<4>" in text
    added = [line.split("Add")[1].split("(")[0] for line in text.splitlines() if "resolver.Add" in line]
    assert added == ["Dequantize", "FullyConnected", "Quantize", "Softmax"]
    assert "{{" not in text
