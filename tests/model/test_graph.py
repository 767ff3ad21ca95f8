"""Files read and written through the schema: cards put in, damage found."""

import io
import random
import struct
import zipfile

import numpy as np
import pytest
from ai_edge_litert import schema_py_generated as schema
from flatbuffers.table import Table
from tiny_models import Builder, Spec, dense, picks, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import file, graph
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
PLAIN = shipped_style()
CARDED = file.embed_card(PLAIN, CARD)
F32 = Spec("float32")


def test_card_comes_back_as_it_went_in_and_the_same_gives_the_same_bytes():
    assert file.card_in(CARDED, "m") == CARD
    assert file.card_in(PLAIN, "m") is None
    assert file.embed_card(PLAIN, CARD) == file.embed_card(CARDED, CARD) == CARDED
    graph.check(CARDED, "m")


def test_labels_are_in_the_appended_zip_as_other_tools_expect():
    with zipfile.ZipFile(io.BytesIO(CARDED)) as archive:
        assert archive.read("labels.txt").decode().splitlines() == list(CARD.labels)
        assert archive.testzip() is None
    assert graph.read(file.without_zip(CARDED)) == graph.read(CARDED)


def test_the_schema_of_tflite_finds_metadata_and_the_old_weights():
    before, after = graph.unpacked(PLAIN), graph.unpacked(CARDED)
    assert [entry.name for entry in after.metadata] == [b"TFLITE_METADATA"]
    assert bytes(after.buffers[after.metadata[0].buffer].data)[4:8] == b"M001"
    assert after.description == b"tiny"
    assert len(after.buffers) == len(before.buffers) + 1
    for old, new in zip(before.buffers, after.buffers, strict=False):
        np.testing.assert_array_equal(old.data, new.data)


def test_weights_are_aligned():
    weights = picks(48 * 48, 0, 1, 2).astype(np.int8).tobytes()
    assert CARDED.index(weights) % 16 == 0


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


def test_operators_are_counted_by_name():
    wanted = {"DEQUANTIZE": 1, "FULLY_CONNECTED": 1, "QUANTIZE": 1, "SOFTMAX": 1}
    assert graph.operators(CARDED) == wanted


def test_a_name_that_is_not_text_is_refused_before_a_runtime_stumbles_over_it():
    build = Builder()
    face, out = (build.tensor(name, (1, 4), F32) for name in ("face", "wxyz"))
    build.operator("SOFTMAX", [face], [out], schema.SoftmaxOptionsT())
    data = build.file([face], [out])
    graph.check(data, "m.tflite")
    with pytest.raises(ModelError, match=r"^m\.tflite: the file is damaged: a name in it is not UTF-8$"):
        graph.check(data.replace(b"wxyz", b"wxy\xff"), "m.tflite")


def test_no_mutation_gets_past_the_reader_with_another_error():
    refused = 0
    for seed in range(400):
        chance = random.Random(seed)
        data = bytearray(CARDED)
        for _ in range(chance.choice([1, 4, 20])):
            data[chance.randrange(len(data))] = chance.randrange(256)
        for reader in (graph.check, file.card_in):
            try:
                reader(bytes(data), "x")
            except ModelError:
                refused += 1
    assert refused > 50
    with pytest.raises(ModelError, match="cut or damaged"):
        graph.check(PLAIN[:8] + random.Random(0).randbytes(5000), "x")


def test_a_cut_end_is_told_from_a_missing_card():
    with pytest.raises(ModelError, match="its end, where the card is, is cut"):
        file.card_in(CARDED[:-30], "x")


def test_a_card_of_unbelievable_size_is_not_unpacked():
    stream = io.BytesIO(PLAIN)
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("card.json", b" " * (8 << 20))
    with pytest.raises(ModelError, match="over 1 MiB"):
        file.card_in(stream.getvalue(), "x")


def dense_with(inputs_of):
    """A dense layer without its weights; `inputs_of` gives the model's inputs and may add operators."""
    build = Builder()
    face, weights, out = (
        build.tensor(name, shape, F32)
        for name, shape in (("face", (1, 4)), ("weights", (3, 4)), ("out", (1, 3)))
    )
    inputs = inputs_of(build, face, weights)
    build.operator("FULLY_CONNECTED", [face, weights, -1], [out], schema.FullyConnectedOptionsT())
    return build.file(inputs, [out])


def from_variable(build, face, weights):
    handle = build.tensor("handle", (), Spec("int32"))
    build.operator("VAR_HANDLE", [], [handle])
    build.operator("READ_VARIABLE", [handle], [weights])
    return [face]


def from_outside(build, face, weights):
    build.operator("CUSTOM", [face], [weights], custom="FlexErf")
    return [face]


@pytest.mark.parametrize(
    ("inputs_of", "said"),
    [
        (lambda build, face, weights: [face], r"does not hold its weights \(FULLY_CONNECTED"),
        (lambda build, face, weights: [face, weights], "does not hold its weights"),
        (from_variable, "weights in variables"),
        (from_outside, r"operators outside TFLite \(FlexErf\)"),
    ],
)
def test_files_that_cannot_run_alone(inputs_of, said):
    data = dense_with(inputs_of)
    with pytest.raises(ModelError, match=said):
        graph.check(data, "x")
    with pytest.raises(ModelError, match=said):
        file.check(data, "x")


def test_float_models_pass():
    graph.check(dense((1, 8, 8, 3), picks(192, 0, 1), entry=F32, output=F32), "x")
