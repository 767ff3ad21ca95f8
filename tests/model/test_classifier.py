"""Every expected figure is worked out with numpy from the weights of tests/tiny_models.py."""

import hashlib
import json

import numpy as np
import pytest
from tiny_models import Spec, dense, picks, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import classifier as module
from fer_edge.model import modelfile
from fer_edge.model.classifier import Classifier
from fer_edge.spec import ModelCard, TensorSpec

LABELS = ["happy", "sad", "neutral"]
FLOAT = Spec("float32")


@pytest.fixture(autouse=True)
def no_trial(monkeypatch):
    """The files here are sound: trying each in a process of its own would only take time."""
    monkeypatch.setattr(module.trial, "run_apart", lambda data, where: None)


def saved(folder, data, card=None):
    path = folder / "m.tflite"
    path.write_bytes(data)
    if card is not None:
        (folder / "card.json").write_text(json.dumps(card))
    return path


def loaded(folder, data, **card):
    return Classifier(saved(folder, data, {"labels": LABELS, **card}), card=folder / "card.json")


def softmax(logits):
    exponentials = np.exp(np.asarray(logits, np.float64))
    return exponentials / exponentials.sum(-1, keepdims=True)


def faces(count, height, width):
    return np.random.default_rng(0).integers(0, 256, (count, height, width), dtype=np.uint8)


def test_a_shipped_style_file_takes_gray_levels_as_they_are(tmp_path):
    classifier = loaded(tmp_path, shipped_style())
    face = np.zeros((48, 48), np.uint8)
    face[0, :3] = 10, 12, 11
    expected = softmax([10, 12, 11])
    np.testing.assert_allclose(classifier.predict_one(face), expected, atol=1e-6)
    assert classifier.predict_one(face).dtype == np.float32
    assert classifier.input == TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0)
    assert (classifier.input_size, classifier.channels) == ((48, 48), 1)


def test_a_view_into_a_larger_picture_is_a_face_too(tmp_path):
    classifier = loaded(tmp_path, shipped_style())
    picture = np.zeros((100, 120), np.uint8)
    picture[20, 30:33] = 1, 3, 2
    np.testing.assert_allclose(classifier.predict_one(picture[20:68, 30:78]), softmax([1, 3, 2]), atol=1e-6)


@pytest.mark.parametrize(("least", "greatest"), [(-1.0, 1.0), (0.0, 1.0), (0.0, 255.0)])
def test_float_input_is_mapped_to_the_range_on_the_card(tmp_path, least, greatest):
    model = dense((1, 48, 48, 1), picks(48 * 48, 5, 100, 2303), entry=FLOAT, output=FLOAT)
    classifier = loaded(
        tmp_path,
        model,
        input={"real_min": least, "real_max": greatest},
        output={"content": "probabilities"},
    )
    face = faces(1, 48, 48)[0]
    gray = face.reshape(-1)[[5, 100, 2303]].astype(np.float64)
    np.testing.assert_allclose(
        classifier.predict_one(face), gray / 255 * (greatest - least) + least, rtol=1e-6, atol=1e-6
    )


def test_int8_in_and_out_go_through_their_own_scale_and_zero_point(tmp_path):
    """Fault J1: int8 input of scale 1/255, zero point -128, real range 0..1."""
    model = dense(
        (1, 48, 48, 1),
        picks(48 * 48, 0, 1, 2) * 127,
        weight_scale=1 / 127,
        entry=Spec("int8", 1 / 255, -128),
        output=Spec("int8", 1 / 100, -28),
    )
    classifier = loaded(
        tmp_path, model, input={"real_min": 0, "real_max": 1}, output={"content": "probabilities"}
    )
    face = np.zeros((48, 48), np.uint8)
    face[0, :3] = 0, 255, 100
    # 0, 1 and 100/255 = 0.392, in the output's steps of 0.01.
    np.testing.assert_allclose(classifier.predict_one(face), [0.0, 1.0, 0.39], atol=1e-6)
    assert (classifier.output.dtype, classifier.output.zero_point) == ("int8", -28)


def test_int8_input_whose_scale_is_not_one_gray_level_is_rounded_and_clipped(tmp_path):
    model = dense(
        (1, 48, 48, 1),
        picks(48 * 48, 0, 1, 2),
        entry=Spec("int8", 4.0, -60),
        output=Spec("int8", 4.0, -60),
    )
    classifier = loaded(
        tmp_path, model, input={"real_min": 0, "real_max": 1000}, output={"content": "probabilities"}
    )
    face = np.zeros((48, 48), np.uint8)
    face[0, :3] = 0, 1, 255
    # Real 0, 3.92 and 1000; in steps of 4: 0, 1, and 187 as the most that int8 holds.
    np.testing.assert_allclose(classifier.predict_one(face), [0.0, 4.0, 748.0], rtol=1e-6)


def test_logits_become_probabilities(tmp_path):
    weights = picks(48 * 48, 0, 1, 2)
    model = dense((1, 48, 48, 1), weights, entry=FLOAT, output=FLOAT)
    classifier = loaded(tmp_path, model, input={"real_min": 0, "real_max": 1}, output={"content": "logits"})
    face = np.zeros((48, 48), np.uint8)
    face[0, :3] = 0, 255, 51
    np.testing.assert_allclose(classifier.predict_one(face), softmax([0, 1, 0.2]), atol=1e-6)


def test_large_logits_do_not_overflow(tmp_path):
    model = dense((1, 48, 48, 1), picks(48 * 48, 0, 1, 2), entry=FLOAT, output=FLOAT)
    classifier = loaded(tmp_path, model, input={"real_min": 0, "real_max": 1e4}, output={"content": "logits"})
    face = np.zeros((48, 48), np.uint8)
    face[0, 1] = 255
    np.testing.assert_array_equal(classifier.predict_one(face), [0, 1, 0])


def test_size_is_read_from_the_file(tmp_path):
    """Fault I2: 64x64x1."""
    model = dense((1, 64, 64, 1), picks(64 * 64, 0, 64, 4095), entry=FLOAT, output=FLOAT)
    classifier = loaded(
        tmp_path, model, input={"real_min": 0, "real_max": 255}, output={"content": "probabilities"}
    )
    assert (classifier.input_size, classifier.channels) == ((64, 64), 1)
    face = faces(1, 64, 64)[0]
    np.testing.assert_allclose(classifier.predict_one(face), [face[0, 0], face[1, 0], face[63, 63]])


@pytest.mark.parametrize("channels_first", [False, True])
def test_three_channels_all_get_the_gray_levels(tmp_path, channels_first):
    """Fault I2: 96x80x3, also with the channels in front; label n is channel n of its own pixel."""
    height, width = 96, 80
    where = [(0, 0), (40, 7), (95, 79)]
    if channels_first:
        shape = (1, 3, height, width)
        positions = [n * height * width + y * width + x for n, (y, x) in enumerate(where)]
    else:
        shape = (1, height, width, 3)
        positions = [(y * width + x) * 3 + n for n, (y, x) in enumerate(where)]
    model = dense(shape, picks(height * width * 3, *positions), entry=FLOAT, output=FLOAT)
    classifier = loaded(
        tmp_path, model, input={"real_min": 0, "real_max": 255}, output={"content": "probabilities"}
    )
    assert (classifier.input_size, classifier.channels) == ((height, width), 3)
    for face in faces(2, height, width):
        np.testing.assert_allclose(classifier.predict_one(face), [face[y, x] for y, x in where])


def test_predict_is_predict_one_for_each(tmp_path):
    classifier = loaded(tmp_path, shipped_style())
    batch = faces(5, 48, 48)
    probabilities = classifier.predict(batch)
    assert (probabilities.shape, probabilities.dtype) == ((5, 3), np.float32)
    np.testing.assert_allclose(probabilities, softmax(batch[:, 0, :3]), atol=1e-6)
    assert classifier.predict(batch[:0]).shape == (0, 3)


def test_what_predict_one_gave_stays_as_it_was(tmp_path):
    classifier = loaded(tmp_path, shipped_style())
    first, second = faces(2, 48, 48)
    kept = classifier.predict_one(first)
    before = kept.copy()
    classifier.predict_one(second)
    np.testing.assert_array_equal(kept, before)


@pytest.mark.parametrize(
    "face", [np.zeros((64, 64), np.uint8), np.zeros((48, 48)), np.zeros((48, 48, 1), np.uint8)]
)
def test_faces_of_another_size_or_dtype_are_refused(tmp_path, face):
    with pytest.raises(ValueError, match=r"a face must be uint8 \(48, 48\)"):
        loaded(tmp_path, shipped_style()).predict_one(face)


def test_labels_travel_inside_the_file(tmp_path):
    """Fault I1: whatever order the labels have, it is the file's."""
    card = ModelCard(
        name="m",
        format="int8",
        labels=("sad", "neutral", "happy"),
        input=TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0),
        output=TensorSpec("float32", (1, 3), real_max=1.0, content="probabilities"),
    )
    classifier = Classifier(saved(tmp_path, modelfile.embed_card(shipped_style(), card)))
    assert classifier.labels == ("sad", "neutral", "happy")
    assert classifier.card == card
    face = np.zeros((48, 48), np.uint8)
    face[0, 1] = 9
    assert classifier.labels[classifier.predict_one(face).argmax()] == "neutral"


@pytest.mark.parametrize("shape", [(1, 48, 48, 2), (2, 48, 48, 1), (1, 2304)])
def test_inputs_that_are_no_picture_are_refused(tmp_path, shape):
    model = dense(shape, picks(int(np.prod(shape)), 0, 1, 2), entry=FLOAT, output=FLOAT)
    with pytest.raises(ModelError, match=r"is not one picture|is not one list"):
        loaded(tmp_path, model, input={"real_min": 0, "real_max": 1}, output={"content": "logits"})


def test_a_keras_file_is_told_to_be_converted(tmp_path):
    path = tmp_path / "m.keras"
    path.touch()
    with pytest.raises(ModelError, match="convert it first"):
        Classifier(path)


@pytest.mark.parametrize("trusted", [True, False])
def test_only_unknown_files_are_tried_apart(tmp_path, monkeypatch, trusted):
    tried = []
    data = shipped_style()
    monkeypatch.setattr(module.trial, "run_apart", lambda data, where: tried.append(where))
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(module.shipped, "trusted_sha256", lambda: {digest} if trusted else set())
    classifier = loaded(tmp_path, data)
    assert tried == ([] if trusted else [str(classifier.path)])


@pytest.mark.parametrize("keep", [0, 100, 0.5])
def test_a_cut_file_is_refused_in_a_line(tmp_path, keep):
    data = shipped_style()
    path = saved(tmp_path, data[: int(keep * len(data)) if keep == 0.5 else keep])
    with pytest.raises(ModelError, match=r"m\.tflite: .*(empty|cut)"):
        Classifier(path)


def test_values_that_are_no_numbers_are_an_error_and_no_answer(tmp_path):
    weights = picks(9, 0, 1, 2)
    weights[1, 4] = np.nan
    data = dense((1, 3, 3, 1), weights, entry=Spec("float32"), output=Spec("float32"), softmax=True)
    (tmp_path / "m.tflite").write_bytes(data)
    (tmp_path / "m.json").write_text('{"labels": ["a", "b", "c"], "input": {"real_min": 0, "real_max": 1}}')
    classifier = Classifier(tmp_path / "m.tflite")
    with pytest.raises(ModelError, match=r"m\.tflite gives values that are no numbers"):
        classifier.predict_one(np.ones((3, 3), np.uint8))
