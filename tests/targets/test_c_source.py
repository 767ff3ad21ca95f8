"""The C source, compiled by gcc: the array byte for byte, and both conversions for every value."""

import shutil
import subprocess

import numpy as np
import pytest

from fer_edge.model import file
from fer_edge.model.classifier import Classifier
from fer_edge.targets import c_example, c_source
from fer_edge.targets.stored import levels

PROGRAM = """
#include <stdio.h>
#include "{file}.h"
int main(void) {{
  fwrite({name}_model, 1, {upper}_MODEL_BYTES, stdout);
  for (int gray = 0; gray < 256; gray++) {{
    {name}_input_t stored = {name}_stored(gray);
    fwrite(&stored, sizeof stored, 1, stdout);
  }}
  for (int n = 0; n < 256; n++) {{
    float real = {name}_real(({name}_output_t)(n - 128));
    fwrite(&real, sizeof real, 1, stdout);
  }}
  for (int n = 0; n < {upper}_LABELS; n++) puts({name}_labels[n]);
  return 0;
}}
"""


def compiled(tmp_path, source):
    if shutil.which("gcc") is None:
        pytest.skip("needs gcc, which is not installed")
    (tmp_path / f"{source.file}.c").write_text(c_source.array(source))
    (tmp_path / f"{source.file}.h").write_text(c_source.header(source))
    program = PROGRAM.format(file=source.file, name=source.name, upper=source.name.upper())
    (tmp_path / "dump.c").write_text(program)
    strict = ["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic"]
    subprocess.run(["gcc", *strict, "dump.c", f"{source.file}.c", "-o", "dump"], cwd=tmp_path, check=True)
    return subprocess.run([tmp_path / "dump"], capture_output=True, check=True).stdout


@pytest.mark.parametrize("fixture", ["tiny", "whole"])
def test_compiled_source_holds_model_labels_and_both_conversions(fixture, request, tmp_path):
    path = request.getfixturevalue(fixture)
    classifier = Classifier(path)
    flatbuffer = file.without_zip(path.read_bytes())
    said = compiled(tmp_path, c_source.Source(c_source.identifier(path.stem), flatbuffer, classifier, 4096))
    assert said[: len(flatbuffer)] == flatbuffer
    rest = said[len(flatbuffer) :]
    assert np.array_equal(np.frombuffer(rest[:256], classifier.input.dtype), levels(classifier.input))
    real = np.frombuffer(rest[256 : 256 + 1024], np.float32)
    if fixture == "whole":  # scale 2/255, zero point -128
        np.testing.assert_allclose(real, np.arange(256) * 2 / 255, rtol=1e-6)
    else:
        np.testing.assert_array_equal(real, np.arange(256) - 128)
    assert rest[256 + 1024 :].decode().splitlines() == list(classifier.labels)


def test_gray_levels_of_a_model_of_zero_to_one(whole):
    """1/255 and -128: gray level g is stored as g - 128."""
    assert levels(Classifier(whole).input).tolist() == list(range(-128, 128))


@pytest.mark.parametrize(
    ("operator", "method"),
    [
        ("CONV_2D", "Conv2D"),
        ("DEPTHWISE_CONV_2D", "DepthwiseConv2D"),
        ("MAX_POOL_2D", "MaxPool2D"),
        ("FULLY_CONNECTED", "FullyConnected"),
        ("REDUCE_MAX", "ReduceMax"),
        ("RELU6", "Relu6"),
        ("HARD_SWISH", "HardSwish"),
    ],
)
def test_operators_as_the_resolver_of_tflite_micro_spells_them(operator, method):
    assert c_example.camel_case(operator) == method


def test_example_registers_each_operator_once(tiny):
    classifier = Classifier(tiny)
    source = c_source.Source("tiny", file.without_zip(tiny.read_bytes()), classifier, 4096)
    text = c_example.example(source)
    assert "MicroMutableOpResolver<4>" in text
    assert [line.split("Add")[1].split("(")[0] for line in text.splitlines() if "resolver.Add" in line] == [
        "Dequantize",
        "FullyConnected",
        "Quantize",
        "Softmax",
    ]


@pytest.mark.parametrize(("name", "wanted"), [("a-b.c", "a_b_c"), ("2x", "model_2x"), ("é_int8", "__int8")])
def test_identifiers(name, wanted):
    assert c_source.identifier(name) == wanted
