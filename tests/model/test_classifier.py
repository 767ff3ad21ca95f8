"""What a classifier answers, by numpy from the weights of tests/tiny_models.py; which interpreter runs it."""

import json
import sys
import types

import numpy as np
import pytest
from processes import ended
from tiny_models import Spec, dense, picks, shipped_card, shipped_style, softmax

from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import classifier, file
from fer_edge.model.classifier import Classifier
from fer_edge.spec import TensorSpec

LABELS = ["happy", "sad", "neutral"]
FLOAT = Spec("float32")

pytestmark = pytest.mark.usefixtures("sound")


def loaded(folder, data, **card):
    card = {"labels": LABELS, "output": {"content": "probabilities"}} | card
    (folder / "m.tflite").write_bytes(data)
    (folder / "card.json").write_text(json.dumps(card))
    return Classifier(folder / "m.tflite", card=str(folder / "card.json"))


def of_range(least, greatest, content="logits"):
    return {"input": {"real_min": least, "real_max": greatest}, "output": {"content": content}}


def quantised(scale, zero_point, dtype):
    return TensorSpec(dtype, (3,), scale, zero_point)


def faces(count, height, width):
    return np.random.default_rng(0).integers(0, 256, (count, height, width), dtype=np.uint8)


def with_first_pixels(*gray, side=48):
    face = np.zeros((side, side), np.uint8)
    face[0, : len(gray)] = gray
    return face


def test_a_shipped_style_file_takes_gray_levels_as_they_are(tmp_path):
    classifier = loaded(tmp_path, shipped_style())
    given = classifier.predict_one(with_first_pixels(10, 12, 11))
    np.testing.assert_allclose(given, softmax([10, 12, 11]), atol=1e-6)
    assert given.dtype == np.float32
    assert classifier.input == TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0)
    assert (classifier.input_size, classifier.channels) == ((48, 48), 1)
    picture = np.zeros((100, 120), np.uint8)
    picture[20, 30:33] = 1, 3, 2  # a view into a larger picture is a face too
    np.testing.assert_allclose(classifier.predict_one(picture[20:68, 30:78]), softmax([1, 3, 2]), atol=1e-6)


@pytest.mark.parametrize(("least", "greatest"), [(-1.0, 1.0), (0.0, 1.0), (0.0, 5.0)])
def test_float_input_is_mapped_to_the_range_on_the_card(tmp_path, least, greatest):
    model = dense((1, 48, 48, 1), picks(48 * 48, 5, 100, 2303), entry=FLOAT, output=FLOAT)
    face = faces(1, 48, 48)[0]
    gray = face.reshape(-1)[[5, 100, 2303]].astype(np.float64)
    given = loaded(tmp_path, model, **of_range(least, greatest)).predict_one(face)
    np.testing.assert_allclose(given, softmax(gray / 255 * (greatest - least) + least), rtol=1e-5)


@pytest.mark.parametrize(
    ("entry", "output", "scale", "real_max", "gray", "logits"),
    [
        # Fault J1: scale 1/255 and zero point -128; 0, 1 and 100/255 = 0.392, in the output's steps of 0.01.
        (Spec("int8", 1 / 255, -128), Spec("int8", 1 / 100, -28), 1 / 127, 1, (0, 255, 100), (0, 1, 0.39)),
        # Real 0, 3.92 and 1000; in steps of 4: 0, 1, and 187 as the most that int8 holds.
        # Large logits do not overflow.
        (Spec("int8", 4.0, -60), Spec("int8", 4.0, -60), 1.0, 1000, (0, 1, 255), (0, 4, 748)),
    ],
)
def test_int8_in_and_out_go_through_their_own_scale_and_zero_point(
    tmp_path, entry, output, scale, real_max, gray, logits
):
    weights = picks(48 * 48, 0, 1, 2) * round(1 / scale)
    model = dense((1, 48, 48, 1), weights, weight_scale=scale, entry=entry, output=output)
    classifier = loaded(tmp_path, model, **of_range(0, real_max))
    np.testing.assert_allclose(classifier.predict_one(with_first_pixels(*gray)), softmax(logits), atol=1e-6)
    assert (classifier.output.dtype, classifier.output.zero_point) == ("int8", output.zero_point)


@pytest.mark.parametrize("shape", [(1, 64, 64, 1), (1, 96, 80, 3)])
def test_size_and_channels_are_read_from_the_file(tmp_path, shape):
    """Fault I2. All channels get the gray levels: label n is channel n of its own pixel."""
    _, height, width, channels = shape
    where = [(0, 0), (40, 7), (63, 63)]
    places = np.arange(np.prod(shape)).reshape(height, width, channels)
    weights = picks(places.size, *(places[y, x, n % channels] for n, (y, x) in enumerate(where)))
    classifier = loaded(tmp_path, dense(shape, weights, entry=FLOAT, output=FLOAT), **of_range(0, 1))
    assert (classifier.input_size, classifier.channels) == ((height, width), channels)
    for face in faces(2, height, width):
        wanted = softmax([face[y, x] / 255 for y, x in where])
        np.testing.assert_allclose(classifier.predict_one(face), wanted, rtol=1e-5)


def test_predict_is_predict_one_for_each_and_what_it_gave_stays(tmp_path):
    classifier = loaded(tmp_path, shipped_style())
    batch = faces(5, 48, 48)
    probabilities = classifier.predict(batch)
    assert (probabilities.shape, probabilities.dtype) == ((5, 3), np.float32)
    np.testing.assert_allclose(probabilities, softmax(batch[:, 0, :3]), atol=1e-6)
    assert classifier.predict(batch[:0]).shape == (0, 3)
    kept = classifier.predict_one(batch[0])
    classifier.predict_one(batch[1])
    np.testing.assert_array_equal(kept, probabilities[0])


@pytest.mark.parametrize(
    "face", [np.zeros((64, 64), np.uint8), np.zeros((48, 48)), np.zeros((48, 48, 1), np.uint8)]
)
def test_faces_of_another_size_or_dtype_are_refused(tmp_path, face):
    with pytest.raises(ValueError, match=r"a face must be uint8 \(48, 48\)"):
        loaded(tmp_path, shipped_style()).predict_one(face)


def test_labels_travel_inside_the_file(tmp_path):
    """Fault I1: whatever order the labels have, it is the file's."""
    card = shipped_card("sad", "neutral", "happy")
    (tmp_path / "m.tflite").write_bytes(file.embed_card(shipped_style(), card))
    classifier = Classifier(tmp_path / "m.tflite")
    assert classifier.card == card
    assert classifier.labels[classifier.predict_one(with_first_pixels(0, 9)).argmax()] == "neutral"


@pytest.mark.parametrize("shape", [(1, 48, 48, 2), (2, 48, 48, 1), (1, 3, 48, 48), (1, 900)])
def test_inputs_that_are_no_picture_are_refused(tmp_path, shape):
    model = dense(shape, picks(int(np.prod(shape)), 0, 1, 2), entry=FLOAT, output=FLOAT)
    with pytest.raises(ModelError, match=r"is not one picture|is not one list"):
        loaded(tmp_path, model, **of_range(0, 1))


def test_values_that_are_no_numbers_are_an_error_and_no_answer(tmp_path):
    weights = picks(9, 0, 1, 2)
    weights[1, 4] = np.nan
    model = dense((1, 3, 3, 1), weights, entry=FLOAT, output=FLOAT, softmax=True)
    classifier = loaded(tmp_path, model, **of_range(0, 1, "probabilities"))
    with pytest.raises(ModelError, match=r"m\.tflite gives values that are not numbers"):
        classifier.predict_one(np.ones((3, 3), np.uint8))


@pytest.mark.parametrize(
    ("gray", "fits"),
    [
        *(((51, 102, 102), True), ((51, 102, 99), True), ((0, 0, 255), True)),
        *(((51, 102, 255), False), ((0, 0, 0), False), ((255, 255, 0), False)),
    ],
)
@pytest.mark.parametrize("least", [0.0, -1.0])
def test_logits_of_a_card_that_says_probabilities_are_no_answer(tmp_path, gray, fits, least):
    """Fault S2: the sum is about 1, and none is below 0."""
    model = dense((1, 3, 3, 1), picks(9, 0, 1, 2), entry=FLOAT, output=FLOAT)
    classifier = loaded(tmp_path, model, **of_range(least, 1, "probabilities"))
    face = with_first_pixels(*gray, side=3)
    if fits and not least:
        assert classifier.predict_one(face).sum() == pytest.approx(1, abs=0.02)
    else:
        with pytest.raises(ModelError, match=r'which are no probabilities: .*"content": "logits"'):
            classifier.predict_one(face)


@pytest.mark.parametrize(
    ("tensor", "real", "stored"),
    [
        # the tensor of fault J1, real 0..1, spans all stored values
        (quantised(1 / 255, -128, "int8"), np.arange(256) / 255, np.arange(-128, 128)),
        # 0.74 / 0.5 = 1.48 -> 1, 0.76 / 0.5 = 1.52 -> 2, and the same below zero; plus the zero point.
        (quantised(0.5, 3, "int8"), [0.74, 0.76, -0.74, -0.76], [4, 5, 2, 1]),
        (quantised(0.5, 0, "int8"), [0.25, 0.75, 1.25, -0.25, -0.75], [0, 2, 2, 0, -2]),  # ties: even
        (quantised(0.1, 0, "int8"), [-1e6, 1e6], [-128, 127]),
        (quantised(0.1, 0, "uint8"), [-1e6, 1e6], [0, 255]),
        (quantised(0.0, 0, "float32"), [0.3], np.float32([0.3])),
        (quantised(0.0, 0, "uint8"), [0.6, 254.4, 300.0], [1, 254, 255]),
        (quantised(1e-30, 3, "int8"), [2e-30], [5]),  # the smallest scale is one
    ],
)
def test_stored_values_are_the_nearest_and_clipped(tensor, real, stored):
    found = tensor.quantize(real)
    assert found.dtype == tensor.dtype
    np.testing.assert_array_equal(found, stored)


def hide(monkeypatch, *packages):
    for package in packages:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)  # import raises ModuleNotFoundError


def stand_in(monkeypatch, package):
    """A package with an Interpreter of its own, where this package has it."""
    found = types.SimpleNamespace(Interpreter=type("Interpreter", (), {}), lite=None, __path__=[])
    found.lite = found
    monkeypatch.setitem(sys.modules, package, found)
    monkeypatch.setitem(sys.modules, f"{package}.interpreter", found)
    return found.Interpreter


ANALYSE = "import fer_edge, numpy; print(fer_edge.analyze(numpy.zeros((90, 90), numpy.uint8)))"
PACKAGES = ("ai_edge_litert", "tflite_runtime", "tensorflow")


@pytest.mark.parametrize(
    ("there", "named", "taken"),
    [
        (PACKAGES, "", "ai_edge_litert"),
        (PACKAGES[1:], "", "tflite_runtime"),
        (PACKAGES[2:], "", "tensorflow"),
        (PACKAGES, "litert", "ai_edge_litert"),
        (PACKAGES, "tflite_runtime", "tflite_runtime"),
        (PACKAGES, "tensorflow", "tensorflow"),
    ],
)
def test_the_first_that_is_there_or_the_one_that_is_named(monkeypatch, there, named, taken):
    hide(monkeypatch, *PACKAGES)
    classes = {package: stand_in(monkeypatch, package) for package in there}
    monkeypatch.setenv(classifier.VARIABLE, named)
    assert classifier.find_interpreter() == (taken, classes[taken])


@pytest.mark.parametrize(
    ("hidden", "named", "said"),
    [
        (PACKAGES, "", "^no TFLite interpreter is installed: pip install ai-edge-litert"),
        (PACKAGES[1:], "tflite_runtime", r"names tflite_runtime, which is not installed \(unset it"),
        ((), "tflite", "^FER_EDGE_INTERPRETER=tflite is not an interpreter: choose from litert, "),
    ],
)
def test_none_at_all_and_a_name_that_cannot_be_followed(monkeypatch, hidden, named, said):
    hide(monkeypatch, *hidden)
    monkeypatch.setenv(classifier.VARIABLE, named)
    with pytest.raises(FerEdgeError, match=said):
        classifier.find_interpreter()


def test_a_broken_runtime_is_named(monkeypatch, tmp_path):
    hide(monkeypatch, "ai_edge_litert", "tensorflow")
    (tmp_path / "tflite_runtime").mkdir()
    broken = "raise ImportError('numpy.core.multiarray failed to import')"
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text(broken)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FerEdgeError, match=r"tflite_runtime is installed but fails: numpy\.core"):
        classifier.find_interpreter()


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
@pytest.mark.parametrize("kib", [400_000, 60_000])
def test_too_little_address_space_is_one_line(kib):
    """Loading OpenCV ended in SIGSEGV, numpy in its own words."""
    run = f"ulimit -v {kib}; exec {sys.executable} -m fer_edge run --headless no.mp4"
    done = ended("sh", "-c", run)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"limited to {kib >> 10} MiB (ulimit -v)" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_the_address_space_that_is_asked_for_is_enough():
    needed = "import fer_edge.machine as m; print(m.address_space_mib() << 10)"
    run = f"ulimit -v $({sys.executable} -c '{needed}'); exec {sys.executable} -c '{ANALYSE}'"
    done = ended("sh", "-c", run)
    assert (done.returncode, done.stdout.strip()) == (0, "()"), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the package's start is needed")
def test_the_interpreter_alone_is_loaded_of_litert():
    code = (
        "from fer_edge.model.classifier import find_interpreter as found; found()\n"
        "print('libLiteRt.so' in open('/proc/self/maps').read())\n"
        "import ai_edge_litert.interpreter; print(callable(ai_edge_litert.interpreter.Interpreter))"
    )
    assert ended(sys.executable, "-c", code).stdout.split() == ["False", "True"]
