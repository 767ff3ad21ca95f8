import json

import pytest
from tiny_models import Spec, dense, picks, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import modelfile
from fer_edge.model.classifier import Classifier
from fer_edge.spec import ModelCard, TensorSpec

LABELS = ["happy", "sad", "neutral"]
FLOAT = dense((1, 8, 8, 1), picks(64, 0, 1, 2), entry=Spec("float32"), output=Spec("float32"))
INSIDE = ModelCard(
    name="m",
    format="int8",
    labels=tuple(LABELS),
    input=TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0),
    output=TensorSpec("float32", (1, 3), real_max=1.0, content="probabilities"),
)
WHOLE = {
    "labels": LABELS,
    "input": {"real_min": -1, "real_max": 1},
    "output": {"content": "logits"},
}


@pytest.fixture(autouse=True)
def no_trial(monkeypatch):
    """The files here are sound: trying each in a process of its own would only take time."""
    monkeypatch.setattr("fer_edge.model.trial.run_apart", lambda data, where: None)


def load(folder, model, given=None, beside=None):
    path = folder / "m.tflite"
    path.write_bytes(model)
    if beside is not None:
        (folder / "m.json").write_text(beside if isinstance(beside, str) else json.dumps(beside))
    if given is None:
        return Classifier(path)
    card = folder / "given.json"
    card.write_text(given if isinstance(given, str) else json.dumps(given))
    return Classifier(path, card=card)


def test_without_any_card_the_error_says_how_to_give_one(tmp_path):
    with pytest.raises(ModelError, match=r'm\.tflite says nothing of its labels: .*--card FILE.*"labels"'):
        load(tmp_path, shipped_style())


def test_raw_gray_and_softmax_need_labels_only(tmp_path):
    classifier = load(tmp_path, shipped_style(), given={"labels": LABELS})
    assert classifier.output.content == "probabilities"
    assert (classifier.input.real_min, classifier.input.real_max) == (0, 255)
    assert classifier.card.name == "m"


def test_range_of_a_float_input_is_never_guessed(tmp_path):
    with pytest.raises(ModelError, match=r"what range the float32 input of m\.tflite has"):
        load(tmp_path, FLOAT, given={"labels": LABELS, "output": {"content": "logits"}})


def test_kind_of_output_is_never_guessed(tmp_path):
    with pytest.raises(ModelError, match=r"what comes out of m\.tflite: add"):
        load(tmp_path, FLOAT, given={"labels": LABELS, "input": {"real_min": 0, "real_max": 1}})


def test_a_card_beside_the_file_is_used(tmp_path):
    classifier = load(tmp_path, FLOAT, beside=WHOLE)
    assert classifier.labels == tuple(LABELS)
    assert (classifier.input.real_min, classifier.output.content) == (-1, "logits")


def test_another_programs_json_beside_the_file_is_no_card(tmp_path):
    with pytest.raises(ModelError, match="says nothing of its labels"):
        load(tmp_path, FLOAT, beside={"size": 3})


def test_the_given_card_goes_before_the_one_beside(tmp_path):
    beside = WHOLE | {"labels": ["a", "b", "c"]}
    assert load(tmp_path, FLOAT, given=WHOLE, beside=beside).labels == tuple(LABELS)


def test_the_card_inside_goes_before_the_one_beside(tmp_path):
    model = modelfile.embed_card(shipped_style(), INSIDE)
    assert load(tmp_path, model, beside={"labels": ["a", "b", "c"]}).card == INSIDE


def test_a_given_card_may_not_reorder_the_labels_inside(tmp_path):
    """Fault I1: a labels file in another order than the model's."""
    model = modelfile.embed_card(shipped_style(), INSIDE)
    assert load(tmp_path, model, given={"labels": LABELS}).labels == tuple(LABELS)
    with pytest.raises(ModelError, match=r"contradicts the card inside .*labels sad happy neutral here"):
        load(tmp_path, model, given={"labels": ["sad", "happy", "neutral"]})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"labels": [*LABELS, "contempt"]}, "names 4 labels, but the model gives 3 values"),
        ({"labels": ["happy", "sad", "sad"]}, "names a label twice"),
        ({"output": {"content": "scores"}}, "'scores' is not probabilities or logits"),
        ({"input": {"real_min": 1, "real_max": 1}}, "input range 1 to 1 is empty"),
        ({"input": {"real_min": 0, "real_max": 1, "shape": [1, 9, 9, 1]}}, "is of another model"),
        ({"input": {"real_min": "0", "real_max": 1}}, "is not a model card: '0' is no number"),
        ({"input": {"real_min": 0, "real_max": float("inf")}}, "Infinity is no JSON"),
        ({"crop": {"margin": "wide"}}, "'wide' is no number"),
        ({"input": [0, 1]}, "'input' is no object"),
        ({"input": {"real_min": 0, "real_max": 1, "colour": 3}}, "colour"),
        ({"labels": "happy"}, "no list of labels"),
    ],
)
def test_cards_that_cannot_be_meant(tmp_path, change, said):
    with pytest.raises(ModelError, match=said) as caught:
        load(tmp_path, FLOAT, given=WHOLE | change)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("text", ["", "not json", "[1, 2]", "\x00"])
def test_a_card_that_is_none(tmp_path, text):
    with pytest.raises(ModelError, match=r"given\.json is not a model card"):
        load(tmp_path, FLOAT, given=text)


def test_a_missing_card_is_named(tmp_path):
    path = tmp_path / "m.tflite"
    path.write_bytes(FLOAT)
    with pytest.raises(ModelError, match=r"cannot read the card .*nowhere\.json"):
        Classifier(path, card=tmp_path / "nowhere.json")
