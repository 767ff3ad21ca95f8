"""Targets through their own tools; each test is skipped, and says so, where its tool is not installed."""

import importlib.util

import numpy as np
import pytest

from fer_edge.errors import FerEdgeError, GateError, MissingExtraError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.targets import browser, ethos_u, kinds, make, microcontroller, onnx_file, web_page
from fer_edge.targets.pictures import Pictures, drawn

FACES = np.random.default_rng(0).integers(120, 136, (12, 8, 8), dtype=np.uint8)
NOISE = Pictures(FACES, None, "noise")


def needs(package):
    return pytest.mark.skipif(importlib.util.find_spec(package) is None, reason=f"needs {package}")


def softmax_of_first_pixels(faces, labels=3):
    logits = faces.reshape(len(faces), -1)[:, :labels].astype(float)
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@needs("tflite_micro")
def test_tflite_micro_gives_what_numpy_gives(tiny, tmp_path):
    found = microcontroller.measure(Classifier(tiny), None, NOISE)
    np.testing.assert_allclose(found["micro"], softmax_of_first_pixels(FACES), atol=1e-6)
    assert found["arena_bytes"] % 1024 == 0
    assert 0 < found["arena_bytes"] < 64 * 1024


@needs("tflite_micro")
def test_microcontroller_files(whole, tmp_path):
    even = Pictures(FACES & 254, None, "noise")  # halves of odd levels would round differently
    made = make.make(kinds.parse("microcontroller"), Classifier(whole), tmp_path, even)
    assert tuple(made.files) == make.outputs(kinds.parse("microcontroller"), whole, tmp_path)
    assert made.agreement.max_abs_diff <= 1e-6
    assert made.report["flash_bytes"] == len(file.without_zip(whole.read_bytes()))


@pytest.mark.parametrize(("step", "allowed"), [(2 / 256, True), (3 / 256, False)])
def test_two_steps_of_the_output_pass_and_three_do_not(whole, step, allowed):
    classifier = Classifier(whole)
    classifier.output = classifier.output.__class__(**(vars(classifier.output) | {"scale": 1 / 256}))
    p = np.full((1, 2), 0.5, np.float32)
    if allowed:
        microcontroller.check(classifier, p, p + np.float32(step))
    else:
        with pytest.raises(GateError, match="TFLite Micro"):
            microcontroller.check(classifier, p, p + np.float32(step))


def test_a_step_of_the_logits_is_found_before_the_softmax(tiny, whole):
    """tiny: int8 logits in steps of 1, dequantised, then softmax; whole ends in logits."""
    assert (microcontroller._logit_step(tiny), microcontroller._logit_step(whole)) == (1.0, 0.0)


@needs("ethosu")
def test_npu_takes_an_integer_model_and_the_card_travels(whole, tmp_path):
    made = make.make(kinds.parse("ethos-u55-64"), Classifier(whole), tmp_path, NOISE)
    ((path, data),) = made.files.items()
    assert path.name == "whole_full_integer_ethos-u55-64.tflite"
    assert graph.operators(data) == {"ethos-u": 1}
    assert file.card_in(data, "").labels == ("yes", "no")
    assert made.report["cycles"] > 0
    assert made.report["cpu_ops"] == {}


@needs("ethosu")
def test_operators_that_stay_on_the_cpu_fail_the_gate(tiny, tmp_path):
    with pytest.raises(GateError, match="SOFTMAX") as caught:
        make.make(kinds.parse("ethos-u55-128"), Classifier(tiny), tmp_path, NOISE)
    assert caught.value.exit_code == 3


@needs("tf2onnx")
@needs("onnxruntime")
def test_onnx_runtime_gives_what_numpy_gives(tiny, tmp_path):
    import onnx

    made = onnx_file.make(Classifier(tiny), tmp_path, NOISE)
    np.testing.assert_allclose(made.probabilities, softmax_of_first_pixels(FACES), atol=1e-6)
    ((path, data),) = made.files.items()
    proto = onnx.load_from_string(data)
    assert path.name == "tiny_int8.onnx"
    assert {p.key: p.value for p in proto.metadata_props}["labels"].split("\n") == ["happy", "sad", "so-so"]
    assert [proto.graph.input[0].name, proto.graph.output[0].name] == ["face", "probabilities"]


def browser_or_skip():
    try:
        web_page.runtime()
    except FerEdgeError as error:
        pytest.skip(str(error))
    if browser.find() is None:
        pytest.skip("needs Chromium, which is not installed")


def test_the_page_gives_in_chromium_what_numpy_gives(tiny):
    browser_or_skip()
    page = web_page.page(Classifier(tiny))
    assert b"https://cdn" not in page
    assert b"{{" not in page.split(b"<script")[0]
    assert page.count(b"<title>tiny_int8</title>") == 1
    found = browser.report(page, FACES)
    np.testing.assert_allclose(found["faces"], softmax_of_first_pixels(FACES), atol=1e-6)
    assert found["check"]["largest"] < 1e-6


def test_what_the_page_knows_of_the_model(tiny):
    known = web_page.facts(Classifier(tiny))
    assert known["labels"] == ["happy", "sad", "so-so"]
    assert known["stored"] == list(range(256))
    assert (known["rows"], known["columns"], known["dtype"], known["scale"]) == (8, 8, "uint8", 0.0)
    faces = drawn(web_page.CHECK_FACES).images
    assert len(known["check"]["probabilities"]) == len(faces)


def test_javascript_has_no_int8(whole):
    with pytest.raises(FerEdgeError, match="takes int8"):
        web_page.page(Classifier(whole))


@pytest.mark.parametrize(
    ("package", "target", "extra"),
    [
        ("tflite_micro", "microcontroller", "microcontroller"),
        ("ethosu", "ethos-u", "ethos-u"),
        ("tf2onnx", "onnx", "onnx"),
    ],
)
def test_an_absent_tool_is_named_with_what_to_install(package, target, extra, monkeypatch):
    real = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == package else real(name))
    with pytest.raises(MissingExtraError) as caught:
        make.require(kinds.parse(target))
    assert f"pip install 'fer-edge[{extra}]'" in str(caught.value)


def test_an_absent_npm_package_is_named_with_what_to_install(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv(web_page.VARIABLE, raising=False)
    with pytest.raises(FerEdgeError, match="npm install @litertjs/core"):
        make.require(kinds.parse("web"))


def test_ethos_u_words():
    assert ethos_u.in_words({"ADD": 2, "SOFTMAX": 1}) == "2 ADD, SOFTMAX"
