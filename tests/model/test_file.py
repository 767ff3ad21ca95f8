"""Cards and labels of model files, ours and foreign ones; and files that are not fit to be run."""

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_models import Builder, Spec, dense, picks, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import file, graph, shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS as EXPRESSIONS
from fer_edge.spec import ModelCard, TensorSpec

CASES = Path(__file__).resolve().parents[3] / "shared/cases/files"
LABELS = ["happy", "sad", "neutral"]
FLOAT = dense((1, 8, 8, 1), picks(64, 0, 1, 2), entry=Spec("float32"), output=Spec("float32"))
INSIDE = ModelCard(
    name="m",
    format="int8",
    labels=tuple(LABELS),
    input=TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0),
    output=TensorSpec("float32", (1, 3), real_max=1.0, content="probabilities"),
)
WHOLE = {"labels": LABELS, "input": {"real_min": -1, "real_max": 1}, "output": {"content": "logits"}}


def load(folder, model, given=None, beside=None):
    """A Classifier of the bytes `model`; given, beside: cards as values or as text."""
    (folder / "m.tflite").write_bytes(model)
    for name, card in (("given", given), ("m", beside)):
        if card is not None:
            (folder / f"{name}.json").write_text(card if isinstance(card, str) else json.dumps(card))
    return Classifier(folder / "m.tflite", card=None if given is None else folder / "given.json")


@pytest.mark.usefixtures("sound")
class TestCards:
    def test_raw_gray_and_softmax_need_labels_only(self, tmp_path):
        classifier = load(tmp_path, shipped_style(), given={"labels": LABELS})
        assert classifier.output.content == "probabilities"
        assert (classifier.input.real_min, classifier.input.real_max) == (0, 255)
        assert classifier.card.name == "m"

    @pytest.mark.parametrize(
        ("model", "given", "said"),
        [
            (shipped_style(), None, r'm\.tflite says nothing of its labels: .*--card FILE.*"labels"'),
            (FLOAT, {"output": {"content": "logits"}}, r"what range the float32 input of m\.tflite has"),
            (FLOAT, {"input": {"real_min": 0, "real_max": 1}}, r"what comes out of m\.tflite: add"),
        ],
    )
    def test_nothing_is_guessed(self, tmp_path, model, given, said):
        with pytest.raises(ModelError, match=said):
            load(tmp_path, model, given=given and {"labels": LABELS, **given})

    def test_the_card_inside_goes_before_the_given_before_the_one_beside(self, tmp_path):
        other = WHOLE | {"labels": ["a", "b", "c"]}
        classifier = load(tmp_path, FLOAT, beside=WHOLE)
        assert classifier.labels == tuple(LABELS)
        assert (classifier.input.real_min, classifier.output.content) == (-1, "logits")
        assert load(tmp_path, FLOAT, given=WHOLE, beside=other).labels == tuple(LABELS)
        assert load(tmp_path, file.embed_card(shipped_style(), INSIDE), beside=other).card == INSIDE
        with pytest.raises(ModelError, match="says nothing of its labels"):
            load(tmp_path, FLOAT, beside={"size": 3})  # another program's
        with pytest.raises(ModelError, match="says nothing of its labels"):
            load(tmp_path, FLOAT, beside="3")

    def test_a_given_card_may_not_reorder_the_labels_inside(self, tmp_path):
        """Fault I1: a labels file in another order than the model's."""
        model = file.embed_card(shipped_style(), INSIDE)
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
            ({"input": {"real_min": 0, "real_max": 1, "shape": [1, 9999, 9, 1]}}, "not within 1 and 1024"),
            ({"input": {"real_min": "0", "real_max": 1}}, "is not a model card: '0' is no number"),
            ({"input": {"real_min": 0, "real_max": 1e9}}, "is no number, or over a million"),
            ({"input": {"real_min": 0, "real_max": float("inf")}}, "Infinity is no JSON"),
            ({"crop": {"margin": "wide"}}, "'wide' is no number"),
            ({"crop": {"margin": 150}}, "crop margin 150 is not within 0 and 1"),
            ({"crop": {"margin": -0.5}}, "crop margin -0.5 is not within 0 and 1"),
            ({"input": [0, 1]}, "'input' is no object"),
            ({"input": {"real_min": 0, "real_max": 1, "colour": 3}}, "colour"),
            ({"labels": "happy"}, "no list of labels"),
        ],
    )
    def test_cards_that_cannot_be_meant(self, tmp_path, change, said):
        with pytest.raises(ModelError, match=said) as caught:
            load(tmp_path, FLOAT, given=WHOLE | change)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("text", ["", "not json", "[1, 2]", "\x00"])
    def test_a_card_that_is_none(self, tmp_path, text):
        with pytest.raises(ModelError, match=r"given\.json is not a model card"):
            load(tmp_path, FLOAT, given=text)

    def test_a_missing_card_is_named(self, tmp_path):
        (tmp_path / "m.tflite").write_bytes(FLOAT)
        with pytest.raises(ModelError, match=r"cannot read the card .*nowhere\.json"):
            Classifier(tmp_path / "m.tflite", card=tmp_path / "nowhere.json")

    @pytest.mark.parametrize(
        ("spelt", "meant"),
        [
            (["Angry", "Disgust", "Fear", "Happy", "Sad", "Surprise", "Neutral"], EXPRESSIONS),
            (
                ["anger", "Disgusted", "FEARFUL", "happiness", "sadness", "surprised", "neutrality"],
                EXPRESSIONS,
            ),
            (["Contempt", "yes", "no"], ("contempt", "yes", "no")),
            (["fear", "scared", "sad"], ("fear", "scared", "sad")),  # two classes of this model
        ],
    )
    def test_other_words_for_the_expressions_are_theirs(self, tmp_path, spelt, meant):
        """Fault S3."""
        model = dense(
            (1, 8, 8, 1), picks(64, *range(len(spelt))), entry=Spec("float32"), output=Spec("float32")
        )
        assert load(tmp_path, model, given=WHOLE | {"labels": spelt}).labels == meant


def test_a_sound_model_passes():
    file.check(shipped_style(), "m.tflite")


def test_a_model_that_the_runtime_refuses_gives_its_reason():
    """Shapes that do not go together pass the schema; only the interpreter knows."""
    build = Builder()
    face, out = (build.tensor(name, (1, 4), Spec("float32")) for name in ("face", "out"))
    shape = build.tensor("shape", (1,), Spec("float32"))
    build.operator("SOFTMAX", [face, shape], [out], schema.SoftmaxOptionsT())
    data = build.file([face, shape], [out])
    graph.check(data, "m.tflite")
    with pytest.raises(ModelError, match=r"^m\.tflite: ai_edge_litert cannot use this model: .+$"):
        file.check(data, "m.tflite")


def test_a_model_that_kills_its_process_is_an_error_like_others(monkeypatch):
    monkeypatch.setattr(file, "_tried", os.abort)
    with pytest.raises(ModelError, match=r"m\.tflite: the interpreter dies of this model.*signal 6"):
        file.check(b"some bytes", "m.tflite")


@pytest.mark.parametrize("side", [1025, 8000, 2_000_000_000])
def test_a_large_input_is_refused_before_it_is_allocated(side):
    build = Builder()
    face, out = (build.tensor(name, (1, side, 4, 1), Spec("float32")) for name in ("face", "out"))
    build.operator("RELU", [face], [out])
    with pytest.raises(ModelError, match=r"is larger than 1024x1024"):
        file.check(build.file([face], [out]), "m.tflite")


def test_a_model_that_takes_much_memory_inside_is_refused():
    build = Builder()
    face = build.tensor("face", (1, 8, 8, 1), Spec("float32"))
    sizes = build.tensor("sizes", (4,), Spec("int32"), np.int32([1, 9000, 9000, 8]))
    out = build.tensor("out", (1, 9000, 9000, 8), Spec("float32"))
    build.operator("BROADCAST_TO", [face, sizes], [out])
    with pytest.raises(ModelError, match=r"^m\.tflite: "):
        file.check(build.file([face], [out]), "m.tflite")


@pytest.mark.skipif(not CASES.is_dir(), reason="needs shared/cases")
def test_open_sizes_are_refused():
    """Fault S1: height and width -1."""
    with pytest.raises(ModelError, match=r"its input \[-1, -1, -1, 1\] leaves sizes open"):
        Classifier(CASES / "dyn_hw.tflite", card=CASES / "cards/prob.json")


@pytest.mark.parametrize("trusted", [True, False])
def test_only_unknown_files_are_tried(monkeypatch, trusted):
    tried = []
    data = shipped_style()
    monkeypatch.setattr(file, "_why_not", lambda data: tried.append(data) or "")
    digest = hashlib.sha256(data).hexdigest()
    monkeypatch.setattr(shipped, "trusted_sha256", lambda: {digest} if trusted else set())
    file.check(data, "m.tflite")
    assert tried == ([] if trusted else [data])


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "cut or damaged"),
        (lambda data: b"not a model", "not a .tflite file"),
        (lambda data: b"", "the file is empty"),
        (lambda data: data[:8], "cut or damaged"),
    ],
    ids=["cut", "text", "empty", "head only"],
)
def test_files_that_are_no_models_get_one_line(tmp_path, damage, said):
    with pytest.raises(ModelError, match=rf"^[^\n]*m\.tflite: [^\n]*{said}[^\n]*$"):
        load(tmp_path, damage(shipped_style()))


def test_a_keras_file_and_a_missing_one_are_told(tmp_path):
    (tmp_path / "m.keras").touch()
    with pytest.raises(ModelError, match="convert it first"):
        Classifier(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"cannot read .*nowhere\.tflite: No such file"):
        file.read_bytes(tmp_path / "nowhere.tflite")
