import io
import random
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_models import Builder, Spec, dense, picks, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import metadata, modelfile
from fer_edge.model.flatbuffer import Table
from fer_edge.spec import CropPolicy, ModelCard, TensorSpec

CARD = ModelCard(
    name="tiny",
    format="int8",
    labels=("happy", "sad", "überrascht"),
    input=TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0),
    output=TensorSpec("float32", (1, 3), real_max=1.0, content="probabilities"),
    crop=CropPolicy(0.1),
    measured={"accuracy": 0.5},
)


@pytest.fixture(scope="module")
def plain():
    return shipped_style()


@pytest.fixture(scope="module")
def carded(plain):
    return modelfile.embed_card(plain, CARD)


def saved(tmp_path, data, name="m.tflite"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def test_card_comes_back_as_it_went_in(carded, tmp_path):
    path = saved(tmp_path, carded)
    assert modelfile.read_card(path) == CARD
    modelfile.check(path)


def test_no_card_is_none(plain, tmp_path):
    assert modelfile.read_card(saved(tmp_path, plain)) is None


def test_same_model_and_card_give_the_same_bytes(plain, carded):
    assert modelfile.embed_card(plain, CARD) == carded


def test_labels_are_in_the_appended_zip_as_other_tools_expect(carded):
    with zipfile.ZipFile(io.BytesIO(carded)) as archive:
        assert archive.read("labels.txt").decode().splitlines() == list(CARD.labels)
        assert archive.testzip() is None


def test_the_schema_of_tflite_finds_metadata_and_the_old_weights(plain, carded):
    before = schema.ModelT.InitFromObj(schema.Model.GetRootAs(plain, 0))
    after = schema.ModelT.InitFromObj(schema.Model.GetRootAs(carded, 0))
    assert [entry.name for entry in after.metadata] == [b"TFLITE_METADATA"]
    held = bytes(after.buffers[after.metadata[0].buffer].data)
    assert held[4:8] == b"M001"
    assert after.description == b"tiny"
    assert len(after.buffers) == len(before.buffers) + 1
    for old, new in zip(before.buffers, after.buffers, strict=False):
        np.testing.assert_array_equal(old.data, new.data)


def test_weights_keep_their_alignment(plain, carded):
    weights = picks(48 * 48, 0, 1, 2).astype(np.int8).tobytes()
    assert carded.index(weights) % 16 == plain.index(weights) % 16


def test_a_tensor_whose_name_is_not_text_is_refused_before_a_runtime_stumbles_over_it():
    build = Builder()
    entry = build.tensor("face", (1, 4), Spec("float32"))
    out = build.tensor("wxyz", (1, 4), Spec("float32"))
    build.operator("SOFTMAX", [entry], [out], schema.SoftmaxOptionsT())
    data = build.file([entry], [out])
    modelfile.check_bytes(data, "m.tflite")
    with pytest.raises(ModelError, match=r"^m\.tflite: the file is damaged: a name in it is not UTF-8$"):
        modelfile.check_bytes(data.replace(b"wxyz", b"wxy\xff"), "m.tflite")


def test_a_second_card_replaces_the_first(carded):
    other = modelfile.embed_card(carded, ModelCard("other", "int8", CARD.labels, CARD.input, CARD.output))
    assert modelfile.card_in(other, "x").name == "other"
    assert [entry.text(0) for entry in metadata.Buffer(other).root().tables(6)] == ["TFLITE_METADATA"]


def test_metadata_says_how_gray_levels_become_the_input():
    entry = TensorSpec("float32", (1, 48, 48, 1), real_min=-1.0, real_max=1.0)
    card = ModelCard("tiny", "float32", CARD.labels, entry, CARD.output)
    subgraph = metadata.Buffer(metadata.model_metadata(card)).root().tables(3)[0]
    unit = subgraph.tables(2)[0].tables(4)[0]
    options = Table(unit.buffer, unit.target(1))
    mean, std = (np.array(options.integers(slot), "<i4").view("<f4")[0] for slot in (0, 1))
    assert (mean, std) == (127.5, 127.5)  # gray 0, 127.5, 255 -> -1, 0, 1


def test_operators_are_counted_by_name(carded):
    assert modelfile.operators(carded) == {
        "DEQUANTIZE": 1,
        "FULLY_CONNECTED": 1,
        "QUANTIZE": 1,
        "SOFTMAX": 1,
    }


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda data: data[: len(data) // 2], "cut or damaged"),
        (lambda data: b"not a model", "not a .tflite file"),
        (lambda data: b"", "the file is empty"),
        (lambda data: data[:8], "cut or damaged"),
        (lambda data: data[:8] + random.Random(0).randbytes(5000), "cut or damaged"),
    ],
    ids=["cut", "text", "empty", "head only", "noise"],
)
def test_files_that_are_no_models_get_one_line(plain, tmp_path, damage, said):
    path = saved(tmp_path, damage(plain))
    with pytest.raises(ModelError) as caught:
        modelfile.check(path)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_cut_end_is_told_from_a_missing_card(carded, tmp_path):
    with pytest.raises(ModelError, match="its end, where the card is, is cut"):
        modelfile.read_card(saved(tmp_path, carded[:-30]))


def test_no_mutation_gets_past_the_reader_with_another_error(carded):
    refused = 0
    for seed in range(400):
        chance = random.Random(seed)
        data = bytearray(carded)
        for _ in range(chance.choice([1, 4, 20])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        for reader in (modelfile.check_bytes, modelfile.card_in):
            try:
                reader(bytes(data), "x")
            except ModelError:
                refused += 1
    assert refused > 50


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(ModelError, match=r"cannot read .*nowhere\.tflite: No such file"):
        modelfile.check(tmp_path / "nowhere.tflite")


def test_a_card_of_unbelievable_size_is_not_unpacked(plain):
    stream = io.BytesIO(plain)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b" " * (8 << 20))
    with pytest.raises(ModelError, match="over 1 MiB"):
        modelfile.card_in(stream.getvalue(), "x")


def test_custom_and_flex_operators_are_refused():
    build = Builder()
    face = build.tensor("face", (1, 4), Spec("float32"))
    out = build.tensor("out", (1, 4), Spec("float32"))
    build.operator("CUSTOM", [face], [out], custom="FlexErf")
    with pytest.raises(ModelError, match=r"operators outside TFLite \(FlexErf\)"):
        modelfile.check_bytes(build.file([face], [out]), "x")
    assert modelfile.operators(build.file([face], [out])) == {"FlexErf": 1}


def dense_with(weights_of):
    build = Builder()
    face = build.tensor("face", (1, 4), Spec("float32"))
    weights = build.tensor("weights", (3, 4), Spec("float32"))
    out = build.tensor("out", (1, 3), Spec("float32"))
    inputs = weights_of(build, face, weights)
    build.operator("FULLY_CONNECTED", [face, weights, -1], [out], schema.FullyConnectedOptionsT())
    return build.file(inputs, [out])


def test_weights_that_are_nowhere_are_missed():
    with pytest.raises(ModelError, match=r"does not hold its weights \(FULLY_CONNECTED"):
        modelfile.check_bytes(dense_with(lambda build, face, weights: [face]), "x")


def test_weights_asked_for_as_an_input_are_missed():
    with pytest.raises(ModelError, match="does not hold its weights"):
        modelfile.check_bytes(dense_with(lambda build, face, weights: [face, weights]), "x")


def test_weights_in_variables_are_refused():
    def from_variable(build, face, weights):
        handle = build.tensor("handle", (), Spec("int32"))
        build.operator("VAR_HANDLE", [], [handle])
        build.operator("READ_VARIABLE", [handle], [weights])
        return [face]

    with pytest.raises(ModelError, match="weights in variables"):
        modelfile.check_bytes(dense_with(from_variable), "x")


def test_float_models_pass():
    modelfile.check_bytes(
        dense((1, 8, 8, 3), picks(192, 0, 1), entry=Spec("float32"), output=Spec("float32")), "x"
    )
