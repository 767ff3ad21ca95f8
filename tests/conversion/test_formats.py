"""Every format of the table, made of a small network: what goes in, comes out, and is written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from fer_edge import files
from fer_edge.conversion import command, formats, gate, source
from fer_edge.conversion.formats import FORMATS, Material
from fer_edge.data.dataset import Dataset
from fer_edge.errors import GateError, ModelError, UsageError
from fer_edge.evaluation import Predictor
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier, load_interpreter
from fer_edge.spec import LABELS, Format, ModelCard, TensorSpec

INTEGER = ("int8", "full_integer")


@pytest.fixture(scope="module")
def folder(tiny: Path, recipe: formats.Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Files of all formats with their cards, as the command writes them."""
    folder = tmp_path_factory.mktemp("models")
    file = folder / "fast.toml"
    file.write_text("calibration_samples = 70\nparity_pictures = 300\n")
    command.convert(command.Request(str(tiny), "drawn", str(file), formats=tuple(FORMATS), out=folder), None)
    file.unlink()
    return folder


def _file(folder: Path, format_: str) -> Path:
    return folder / f"tiny_{format_}.tflite"


def test_the_table_has_every_format_and_nothing_else_is_one() -> None:
    assert list(FORMATS) == list(Format)
    assert [making.limits.agreement for making in FORMATS.values()] == [0.9995, 0.999, 0.99, 0.99, 0.98, 0.99]
    with pytest.raises(UsageError, match="no format 'int9': choose from float32, float16"):
        formats.known("int9")
    with pytest.raises(UsageError, match="no format 'int9'"):
        formats.Recipe().limits_of("int9")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_is_what_its_card_says(
    folder: Path, format_: str, material: Material, tiny: Path, faces: Dataset
) -> None:
    path = _file(folder, format_)
    graph.check(path.read_bytes(), "")
    classifier = Classifier(path, checked=True)
    card, whole = classifier.card, format_ == "full_integer"
    assert card == ModelCard.from_json(path.with_suffix(".json").read_bytes(), "")
    assert (card.format, card.labels) == (format_, LABELS)
    taken, given = card.input, card.output
    assert (taken.dtype, taken.shape) == ("int8" if whole else "uint8", (1, 48, 48, 1))
    assert (taken.scale, taken.zero_point) == (1.0 if format_ in INTEGER else 0.0, -128 if whole else 0)
    assert (given.dtype, given.shape) == ("int8" if whole else "float32", (1, 7))
    # the same network gives the same bytes
    assert file.embed_card(FORMATS[format_].make(material), card) == path.read_bytes()

    against = source.measure(tiny, faces, 300, seed=0)
    assert against.accuracy > 0.6  # a network that has learnt nothing would agree by naming one class
    probabilities = classifier.predict(against.pictures.dataset.images)
    same = (probabilities.argmax(axis=1) == against.probabilities.argmax(axis=1)).mean()
    assert card.measured["agreement"] == pytest.approx(same)

    model = load_interpreter(path.read_bytes(), 1, "m")
    names = {"inputs": ["face"], "outputs": ["probabilities"]}
    assert model.get_signature_list() == {"serving_default": names}
    (first,), (last,) = model.get_input_details(), model.get_output_details()
    face = (against.images[0].astype(int) + taken.zero_point).astype(taken.dtype).reshape(taken.shape)
    by_name = model.get_signature_runner("serving_default")(face=face)["probabilities"]
    model.set_tensor(first["index"], face)
    model.invoke()
    np.testing.assert_array_equal(by_name, model.get_tensor(last["index"]))


def test_int8_ends_in_float_and_full_integer_does_not(folder: Path) -> None:
    data = {format_: _file(folder, format_).read_bytes() for format_ in FORMATS}
    ops = {format_: graph.operators(content) for format_, content in data.items()}
    assert ops["float32"]["CONV_2D"] == ops["int8"]["CONV_2D"] == 4
    assert ops["int8"]["DEQUANTIZE"] == 1
    assert not {"DEQUANTIZE", "QUANTIZE"} & set(ops["full_integer"])
    assert len(data["full_integer"]) < len(data["int8"]) < len(data["float32"])


@pytest.mark.parametrize("format_", INTEGER)
def test_a_mean_before_the_end_is_in_float_like_the_end(residual: object, format_: str) -> None:
    from fer_edge.data import drawn_faces

    faces = drawn_faces(24, seed=5)[0]
    ops = graph.operators(FORMATS[format_].make(Material(residual, faces)))
    assert ("SUM" in ops, "MEAN" in ops) == ((True, False) if format_ == "int8" else (False, True))


def test_the_card_says_what_was_converted_how_and_by_what(folder: Path, tiny: Path) -> None:
    card = file.card_in(_file(folder, "int8").read_bytes(), "")
    assert card is not None
    assert (card.name, card.format, card.architecture) == ("tiny", "int8", "tiny")
    assert card.source_sha256 == files.sha256(tiny)
    # by hand: 5x5 to 24x24x8 and 12x12x16, 3x3 on 2x2 to 48 and to 7 channels
    assert card.macs == 576 * 25 * 8 + 144 * 25 * 8 * 16 + 4 * 9 * 16 * 48 + 4 * 9 * 48 * 7
    assert card.recipe["conversion"]["calibration"]["pictures"] == 70
    assert {"tensorflow", "keras", "fer-edge"} <= set(card.versions)
    assert (card.measured["split"], card.measured["pictures"]) == ("PublicTest+PrivateTest", 300)


def test_a_format_is_added_by_one_entry(tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example of docs/formats.md: weights of float32 cut to the precision of bfloat16."""

    def bfloat16_weights(material: Material) -> bytes:
        import keras
        import tensorflow as tf

        network = keras.models.clone_model(material.network)
        network.set_weights(
            [tf.cast(tf.cast(w, tf.bfloat16), tf.float32) for w in material.network.get_weights()]
        )
        return formats.tflite(network, network)

    limits = gate.Thresholds(agreement=0.97, mean_abs_diff=0.01)
    monkeypatch.setitem(FORMATS, "bfloat16_weights", formats.Making(bfloat16_weights, limits))
    result = command.convert(
        command.Request(str(tiny), "drawn", formats=("bfloat16_weights",), out=tmp_path), None
    )
    assert result["outputs"][0]["passed"]
    assert (
        file.card_in((tmp_path / "tiny_bfloat16_weights.tflite").read_bytes(), "").format
        == "bfloat16_weights"
    )


def test_an_operator_that_tflite_lacks_is_named_in_a_line(calibration: np.ndarray) -> None:
    keras = source.import_keras()
    x = inputs = keras.Input((48, 48, 1))
    x = keras.ops.erfinv(keras.layers.Rescaling(1 / 300)(x))
    x = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    for format_, said in (
        ("float32", r"does not build in \(Erfinv\)"),
        ("int16x8", r"does not build in \(Erfinv\)"),
        ("int8", "computes outside layers"),
    ):
        with pytest.raises(ModelError, match=said) as caught:
            FORMATS[format_].make(Material(model, calibration))
        assert "\n" not in str(caught.value)


def test_few_pictures_are_helped_out_by_those_of_training(tiny: Path, faces: Dataset) -> None:
    few = faces.part("Training", "PublicTest")
    training = few.part("Training")
    rows = np.concatenate([few.part("PublicTest").ids[:60], training.ids[:50]])
    small = few.rows(np.isin(few.ids, rows))
    against = source.measure(tiny, small, 4000, seed=0)
    assert len(against.pictures.dataset) == 60
    assert sorted(map(bytes, against.images[60:])) == sorted(map(bytes, training.images[:50]))
    subject = Predictor.of_keras(against.model, "same", LABELS)
    found = against.judge(subject, FORMATS["float32"].limits, "")
    assert found.passed
    assert (found.pictures, found.compared) == (60, 110)
    fewer = source.measure(tiny, small, 70, seed=0)
    assert (len(fewer.pictures.dataset), len(fewer.images[60:])) == (60, 10)


def test_a_model_of_other_values_is_given_what_the_card_says(
    tiny: Path, faces: Dataset, tmp_path: Path
) -> None:
    """The same network, made to take [-1, 1] and to give logits, says the same of the same pictures."""
    import keras

    network = keras.models.load_model(tiny)
    face = keras.Input((48, 48, 1))
    logits = keras.ops.log(network((face + 1) * 127.5) + 1e-12) + 3
    keras.Model(face, logits).save(tmp_path / "other.keras")
    card = ModelCard(
        "other", "float32", LABELS,
        input=TensorSpec("float32", (1, 48, 48, 1), real_min=-1.0, real_max=1.0),
        output=TensorSpec("float32", (1, 7), content="logits"),
    )  # fmt: skip
    wanted = source.measure(tiny, faces, 300, seed=0).probabilities
    found = source.measure(tmp_path / "other.keras", faces, 300, seed=0, made=card).probabilities
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_a_model_that_int8_ruins_is_not_written(tiny: Path, tmp_path: Path) -> None:
    """The same function in float: one channel is 100,000 times as large, and nothing reads it."""
    model = source.load(tiny)
    first, norm, second = (
        next(layer for layer in model.layers[start:] if kind in layer.name)
        for start, kind in ((1, "conv2d"), (1, "batch"), (4, "conv2d"))
    )
    for layer in (first, norm):
        weights = layer.get_weights()
        weights[0][..., 0] *= 1e5
        layer.set_weights(weights)
    kernel, bias = second.get_weights()
    kernel[:, :, 0] = 0
    second.set_weights([kernel, bias])
    model.save(tmp_path / "wild.keras")
    request = command.Request(str(tmp_path / "wild.keras"), "drawn", formats=("float32", "int8"))
    with pytest.raises((GateError, ModelError)):  # the interpreter may refuse it first
        command.convert(request, None)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "wild.keras",
        "wild_float32.json",
        "wild_float32.tflite",
    ]


def test_a_file_that_does_not_take_gray_levels_is_refused(material: Material) -> None:
    import tensorflow as tf

    network = material.network
    odd = formats.tflite(network, network, ends=(tf.float32, tf.float32))
    with pytest.raises(ModelError, match=r"takes \('float32', 0\.0, 0\) and gives float32: one of"):
        command.tensors(odd, "int8")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "unknown key 'colour'"),
        ("[int8]\nagreemnt = 0.9", r"\[int8\]: unknown key 'agreemnt'"),
        ("[int7]\nagreement = 0.9", "unknown key 'int7'"),
        ("calibration_samples = 'many'", "calibration_samples must be of type int"),
        ("calibration_samples = 0", "calibration_samples must be at least 1"),
        ("int8 = 3", r"\[int8\] must be a table"),
        ("= 3", "is not a recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        formats.read(path)


def test_a_recipe_may_have_limits_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[int8]\nagreement = 0.9\n")
    mine = formats.read(path)
    assert (mine.name, mine.limits_of("int8").agreement) == ("mine", 0.9)
    assert mine.override(qat=True).limits_of("int8").agreement == 0.97
    assert mine.override(qat=True).limits_of("float16") == FORMATS["float16"].limits
