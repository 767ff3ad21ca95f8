import io
import json
import os
import random
import struct
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table
from tiny_models import Builder, Spec, dense, one_operator, picks, shipped_card, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import file, graph, shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS as EXPRESSIONS
from fer_edge.spec import CropPolicy, ModelCard, TensorSpec

LABELS = ["happy", "sad", "überrascht"]
F32 = Spec("float32")
FLOAT = dense((1, 8, 8, 1), picks(64, 0, 1, 2), entry=F32, output=F32)
PLAIN = shipped_style()
CARD = shipped_card(*LABELS, crop=CropPolicy(0.1), measured={"accuracy": 0.5})
CARDED = file.embed_card(PLAIN, CARD)
RANGE = {"real_min": -1, "real_max": 1}
WHOLE = {"labels": LABELS, "input": RANGE, "output": {"content": "logits"}}


def of_range(least, greatest, **more):
    return WHOLE | {"input": {"real_min": least, "real_max": greatest, **more}}


def load(folder, model, given=None, beside=None):
    """A Classifier of the bytes `model`; given, beside: cards as values or as text."""
    (folder / "m.tflite").write_bytes(model)
    for name, card in (("given", given), ("m", beside)):
        if card is not None:
            (folder / f"{name}.json").write_text(card if isinstance(card, str) else json.dumps(card))
    return Classifier(folder / "m.tflite", card=None if given is None else folder / "given.json")


@pytest.mark.usefixtures("sound")
class TestCards:
    def test_raw_gray_needs_labels_and_content_only(self, tmp_path):
        found = load(tmp_path, PLAIN, given={"labels": LABELS, "output": {"content": "probabilities"}}).card
        assert (found.name, found.output.content) == ("m", "probabilities")
        assert (found.input.real_min, found.input.real_max) == (0, 255)

    @pytest.mark.parametrize(
        ("model", "given", "said"),
        [
            (PLAIN, None, r'm\.tflite has no labels inside: .*--card FILE.*"labels"'),
            (FLOAT, {"output": {"content": "logits"}}, r'what m\.tflite takes and gives: add "input"'),
            (FLOAT, {"input": RANGE}, r'what m\.tflite takes and gives: add "output"'),
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
        assert load(tmp_path, CARDED, beside=other).card == CARD
        for of_another_program in ({"size": 3}, "3"):
            with pytest.raises(ModelError, match="has no labels inside"):
                load(tmp_path, FLOAT, beside=of_another_program)

    def test_a_given_card_may_not_reorder_the_labels_inside(self, tmp_path):
        with pytest.raises(ModelError, match=r"m\.tflite has its card and labels inside: leave out --card"):
            load(tmp_path, CARDED, given={"labels": [*reversed(LABELS[:2]), LABELS[2]]})

    @pytest.mark.parametrize(
        ("given", "said"),
        [
            *((text, r"given\.json is not a model card") for text in ("", "not json", "[1, 2]", "\x00")),
            (WHOLE | {"labels": [*LABELS, "contempt"]}, "names 4 labels, but the model gives 3 values"),
            (WHOLE | {"labels": ["happy", "sad", "sad"]}, "names a label twice"),
            (WHOLE | {"labels": "happy"}, "no list of labels"),
            (WHOLE | {"output": {"content": "scores"}}, "'scores' is not probabilities or logits"),
            (of_range(1, 1), "input range 1 to 1 is empty"),
            (of_range(0, 1, shape=[1, 9, 9, 1]), "belongs to another model"),
            (of_range(0, 1, shape=[1, 9999, 9, 1]), "not within 1 and 1024"),
            (of_range("0", 1), "is not a model card: input: real_min must be of type float, not '0'"),
            (of_range(0, 1e9), r"real_max must be a number from -1e\+06 to 1e\+06"),
            (of_range(0, float("inf")), "Infinity is not JSON"),
            (of_range(0, 1, colour=3), "colour"),
            (WHOLE | {"crop": {"margin": "wide"}}, "crop: margin must be of type float, not 'wide'"),
            (WHOLE | {"crop": {"margin": 150}}, "margin must be a number from 0 to 1, not 150"),
            (WHOLE | {"crop": {"margin": -0.5}}, "margin must be a number from 0 to 1, not -0.5"),
            (WHOLE | {"crop": {"margin": True}}, "margin must be of type float"),
            (WHOLE | {"views": 3}, "card: views must be a number from 1 to 2, not 3"),
            (WHOLE | {"views": True}, "views must be of type int"),
            (WHOLE | {"measured": {"accuracy": "70 %"}}, "its accuracy is not a number"),
            (WHOLE | {"measured": []}, "is not a model card"),
            (WHOLE | {"parameters": "9"}, "parameters must be of type int"),
            (WHOLE | {"input": [0, 1]}, "'input' is not an object"),
        ],
    )
    def test_cards_that_cannot_be_meant(self, tmp_path, given, said):
        with pytest.raises(ModelError, match=said) as caught:
            load(tmp_path, FLOAT, given=given)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("spelt", "meant"),
        [
            ("Angry Disgust Fear Happy Sad Surprise Neutral", EXPRESSIONS),
            ("anger Disgusted FEARFUL happiness sadness surprised neutrality", EXPRESSIONS),
            ("Contempt yes no", ("contempt", "yes", "no")),
            ("fear scared sad", ("fear", "scared", "sad")),  # two classes of this model
        ],
    )
    def test_other_words_for_the_expressions_are_theirs(self, tmp_path, spelt, meant):
        model = dense((1, 8, 8, 1), picks(64, *range(len(meant))), entry=F32, output=F32)
        assert load(tmp_path, model, given=WHOLE | {"labels": spelt.split()}).labels == meant


def test_files_and_cards_that_are_not_there(tmp_path):
    (tmp_path / "m.keras").touch()
    with pytest.raises(ModelError, match="convert it first"):
        Classifier(tmp_path / "m.keras")
    with pytest.raises(ModelError, match=r"cannot read .*nowhere\.tflite: No such file"):
        file.read_bytes(tmp_path / "nowhere.tflite")
    load(tmp_path, CARDED)
    (tmp_path / "m.tflite").write_bytes(PLAIN)
    with pytest.raises(ModelError, match=r"cannot read the card .*nowhere\.json"):
        Classifier(tmp_path / "m.tflite", card=tmp_path / "nowhere.json")


def test_a_model_that_kills_its_process_is_an_error_like_others(monkeypatch):
    monkeypatch.setattr(file, "_tried", os.abort)
    with pytest.raises(ModelError, match=r"m\.tflite: the interpreter crashes on this model.*signal 6"):
        file.check(b"some bytes", "m.tflite")


def test_open_sizes_are_refused(cases):
    path = cases / "files/dyn_hw.tflite"
    with pytest.raises(ModelError, match=r"its input \[-1, -1, -1, 1\] leaves sizes open"):
        Classifier(path, card=cases / "files/cards/prob.json")
    main = graph.read(path.read_bytes())[0]
    assert main.inputs[0].shape == (-1, -1, -1, 1)


@pytest.mark.parametrize("trusted", [True, False])
def test_only_unknown_files_are_tried(monkeypatch, trusted):
    tried = []
    monkeypatch.setattr(file, "_why_not", lambda data: tried.append(data) or "")
    monkeypatch.setattr(shipped, "ships", lambda data: trusted)
    file.check(PLAIN, "m.tflite")
    assert tried == ([] if trusted else [PLAIN])


def test_card_comes_back_as_it_went_in_and_the_same_gives_the_same_bytes():
    assert file.card_in(CARDED, "m") == CARD
    assert file.card_in(PLAIN, "m") is None
    assert file.embed_card(PLAIN, CARD) == file.embed_card(CARDED, CARD) == CARDED
    with zipfile.ZipFile(io.BytesIO(CARDED)) as archive:
        assert archive.read("labels.txt").decode().splitlines() == list(CARD.labels)
        assert archive.testzip() is None
    assert graph.read(file.without_zip(CARDED)) == graph.read(CARDED)
    before, after = graph.unpacked(PLAIN), graph.unpacked(CARDED)
    assert [entry.name for entry in after.metadata] == [b"TFLITE_METADATA"]
    assert bytes(after.buffers[after.metadata[0].buffer].data)[4:8] == b"M001"
    assert after.description == b"tiny"
    assert len(after.buffers) == len(before.buffers) + 1
    for old, new in zip(before.buffers, after.buffers, strict=False):
        np.testing.assert_array_equal(old.data, new.data)
    weights = picks(48 * 48, 0, 1, 2).astype(np.int8).tobytes()
    assert CARDED.index(weights) % 16 == 0  # aligned, as schema.fbs asks


@pytest.mark.parametrize(
    ("least", "mean"),
    [(-1.0, 127.5), (0.0, 0.0)],  # gray 0, 127.5, 255 -> -1, 0, 1
)
def test_metadata_says_how_gray_levels_become_the_input(least, mean):
    """Fields by their place in metadata_schema.fbs: subgraph, input, process unit, its options."""
    entry = TensorSpec("float32", (1, 48, 48, 1), real_min=least, real_max=1.0)
    held = file.model_metadata(ModelCard("tiny", "float32", CARD.labels, entry, CARD.output))
    table = Table(held, int.from_bytes(held[:4], "little"))
    for field in (3, 2, 4):
        table = Table(held, table.Indirect(table.Vector(table.Offset(4 + 2 * field))))
    options = Table(held, table.Indirect(table.Pos + table.Offset(4 + 2 * 1)))
    found = [struct.unpack_from("<f", held, options.Vector(options.Offset(4 + 2 * n)))[0] for n in (0, 1)]
    assert found == [mean, 255 / (1 - least)]


def test_a_cut_end_is_no_missing_card_and_a_card_of_unbelievable_size_is_not_unpacked():
    with pytest.raises(ModelError, match="its end, where the card is, is cut"):
        file.card_in(CARDED[:-30], "x")
    stream = io.BytesIO(PLAIN)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b" " * (8 << 20))
    with pytest.raises(ModelError, match="over 1 MiB"):
        file.card_in(stream.getvalue(), "x")


def without_weights(*more, given=("face",), custom=""):
    """A dense layer that the file holds no weights of; more: operators before it."""
    build = Builder()
    shapes = {"face": (1, 4), "weights": (3, 4), "out": (1, 3), "handle": ()}
    at = {name: build.tensor(name, shape, F32) for name, shape in shapes.items()}
    for name, taken, result in more:
        build.operator(name, [at[one] for one in taken], [at[result]], custom=custom)
    build.operator("FULLY_CONNECTED", [0, 1, -1], [2], schema.FullyConnectedOptionsT())
    return build.file([at[name] for name in given], [2])


def of_size(side):
    return one_operator("RELU", *((name, (1, side, 4, 1)) for name in ("face", "out")))


def large_inside():
    build = Builder()
    face = build.tensor("face", (1, 8, 8, 1), F32)
    sizes = build.tensor("sizes", (4,), Spec("int32"), np.int32([1, 9000, 9000, 8]))
    out = build.tensor("out", (1, 9000, 9000, 8), F32)
    build.operator("BROADCAST_TO", [face, sizes], [out])
    return build.file([face], [out])


SOFTMAX = schema.SoftmaxOptionsT()
VARIABLES = ("VAR_HANDLE", (), "handle"), ("READ_VARIABLE", ("handle",), "weights")
CANNOT_RUN = {
    "cut": (PLAIN[: len(PLAIN) // 2], "cut or damaged"),
    "head only": (PLAIN[:8], "cut or damaged"),
    "noise": (PLAIN[:8] + random.Random(0).randbytes(5000), "cut or damaged"),
    "text": (b"not a model", "not a .tflite file"),
    "empty": (b"", "the file is empty"),
    "a name that is no text": (
        one_operator("SOFTMAX", ("face", (1, 4)), ("wx", (1, 4)), options=SOFTMAX).replace(b"wx", b"w\xff"),
        "a name in it is not UTF-8",
    ),
    "no weights": (without_weights(), "does not hold the weights of FULLY_CONNECTED"),
    "weights as input": (without_weights(given=("face", "weights")), "does not hold the weights"),
    "variables": (without_weights(*VARIABLES), "weights in variables"),
    "an operator of TensorFlow": (
        without_weights(("CUSTOM", ("face",), "weights"), custom="FlexErf"),
        r"operators outside TFLite \(FlexErf\)",
    ),
    "shapes that only the runtime refuses": (
        one_operator("SOFTMAX", ("face", (1, 4)), ("shape", (1,)), ("out", (1, 4)), options=SOFTMAX),
        "ai_edge_litert cannot use this model: .",
    ),
    "large": (of_size(1025), "is larger than 1024x1024"),
    "huge": (of_size(2_000_000_000), "is larger than 1024x1024"),
    "large inside": (large_inside(), ""),
}


@pytest.mark.parametrize(("data", "said"), CANNOT_RUN.values(), ids=CANNOT_RUN)
def test_what_cannot_run_is_refused_in_a_line_before_it_could_do_harm(data, said):
    with pytest.raises(ModelError, match=rf"^m\.tflite: [^\n]*{said}[^\n]*$"):
        file.check(data, "m.tflite")
