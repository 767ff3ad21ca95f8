"""The C source, compiled by gcc: the array byte for byte, and both conversions for every value."""

import shutil
import subprocess

import numpy as np
import pytest

from fer_edge.model import file
from fer_edge.model.classifier import Classifier
from fer_edge.targets import microcontroller, template

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
    """The values of the templates, and the texts."""
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


def test_operators_as_the_resolver_of_tflite_micro_spells_them():
    operators = "CONV_2D DEPTHWISE_CONV_2D MAX_POOL_2D RELU6 FULLY_CONNECTED REDUCE_MAX HARD_SWISH"
    methods = "Conv2D DepthwiseConv2D MaxPool2D Relu6 FullyConnected ReduceMax HardSwish"
    assert [microcontroller.camel_case(name) for name in operators.split()] == methods.split()


def test_example_registers_each_operator_once(tiny):
    text = sources(tiny)[1]["main.cc"]
    assert "MicroMutableOpResolver<4>" in text
    added = [line.split("Add")[1].split("(")[0] for line in text.splitlines() if "resolver.Add" in line]
    assert added == ["Dequantize", "FullyConnected", "Quantize", "Softmax"]
    assert "{{" not in text
