import keras
import numpy as np
import pytest
from doc_blocks import PAGES, blocks

from fer_edge import files
from fer_edge.conversion import command, formats, source
from fer_edge.conversion.formats import FORMATS, Material
from fer_edge.conversion.gate import Thresholds
from fer_edge.data import drawn_faces
from fer_edge.errors import GateError, ModelError, UsageError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier, load_interpreter
from fer_edge.spec import LABELS, Format, ModelCard

INTEGER = ("int8", "full_integer")


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("models")
    fast = formats.Recipe(calibration_samples=70, parity_pictures=300)
    command.convert(command.Request(str(tiny), "drawn", fast, formats=tuple(FORMATS), out=folder), None)
    return folder


def test_the_table_has_every_format_and_nothing_else_is_one():
    assert list(FORMATS) == list(Format)
    assert [making.limits.agreement for making in FORMATS.values()] == [0.9995, 0.999, 0.99, 0.99, 0.98, 0.99]
    for asked in (formats.known, formats.Recipe().limits_of):
        with pytest.raises(UsageError, match="no format 'int9': choose from float32, float16"):
            asked("int9")


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_is_what_its_card_says(folder, format_, material, against):
    path = folder / f"tiny_{format_}.tflite"
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

    faces = against.pictures.dataset
    right = (against.probabilities.argmax(axis=1) == faces.labels).mean()
    assert right > 0.6  # a network that has learnt nothing would agree by naming one class
    same = classifier.predict(faces.images).argmax(axis=1) == against.probabilities.argmax(axis=1)
    assert card.measured["agreement"] == pytest.approx(same.mean())

    model = load_interpreter(path.read_bytes(), 1, "m")
    names = {"inputs": ["face"], "outputs": ["probabilities"]}
    assert model.get_signature_list() == {"serving_default": names}
    (first,), (last,) = model.get_input_details(), model.get_output_details()
    face = (faces.images[0].astype(int) + taken.zero_point).astype(taken.dtype).reshape(taken.shape)
    by_name = model.get_signature_runner("serving_default")(face=face)["probabilities"]
    model.set_tensor(first["index"], face)
    model.invoke()
    np.testing.assert_array_equal(by_name, model.get_tensor(last["index"]))


def test_int8_ends_in_float_and_full_integer_does_not(folder):
    data = {format_: (folder / f"tiny_{format_}.tflite").read_bytes() for format_ in FORMATS}
    ops = {format_: graph.operators(content) for format_, content in data.items()}
    assert ops["float32"]["CONV_2D"] == ops["int8"]["CONV_2D"] == 4
    assert ops["int8"]["DEQUANTIZE"] == 1
    assert not {"DEQUANTIZE", "QUANTIZE"} & set(ops["full_integer"])
    assert len(data["full_integer"]) < len(data["int8"]) < len(data["float32"])


@pytest.mark.parametrize("format_", INTEGER)
def test_a_mean_before_the_end_is_in_float_like_the_end(residual, format_):
    ops = graph.operators(FORMATS[format_].make(Material(residual, drawn_faces(24, seed=5)[0])))
    assert ("SUM" in ops, "MEAN" in ops) == ((True, False) if format_ == "int8" else (False, True))


@pytest.mark.parametrize(("middle", "end"), [("swish", "softmax"), ("relu", "softmax"), ("sigmoid", None)])
def test_activations_inside_layers_are_integers_too(middle, end):
    x = inputs = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=4, activation=middle)(keras.layers.Rescaling(1 / 255)(x))
    x = keras.layers.Dense(7, activation=end)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, x if end else keras.layers.Activation("softmax")(x))
    (main,) = graph.read(FORMATS["full_integer"].make(Material(model, drawn_faces(24, seed=5)[0])))
    assert {tensor.dtype for tensor in main.tensors} == {"int8", "int32"}
    assert main.outputs[0].scale == 1 / 256


def test_what_computes_in_float_in_a_full_integer_file_is_said(calibration, capsys):
    inputs = keras.Input((48, 48, 1))
    ends = [keras.layers.Dense(7, activation="softmax")(keras.layers.Flatten()(inputs)) for _ in range(2)]
    FORMATS["full_integer"].make(Material(keras.Model(inputs, keras.layers.Average()(ends)), calibration))
    assert " compute in float, which other layers" in capsys.readouterr().err


def test_the_card_says_what_was_converted_how_and_by_what(folder, tiny):
    card = file.card_in((folder / "tiny_int8.tflite").read_bytes(), "")
    assert (card.name, card.format, card.architecture) == ("tiny", "int8", "tiny")
    assert card.source_sha256 == files.sha256(tiny)
    # by hand: 5x5 to 24x24x8 and 12x12x16, 3x3 on 2x2 to 48 and to 7 channels
    assert card.macs == 576 * 25 * 8 + 144 * 25 * 8 * 16 + 4 * 9 * 16 * 48 + 4 * 9 * 48 * 7
    assert card.recipe["conversion"]["calibration"]["pictures"] == 70
    assert {"tensorflow", "keras", "fer-edge"} <= set(card.versions)
    assert (card.measured["split"], card.measured["pictures"]) == ("PublicTest+PrivateTest", 300)


def test_the_format_of_the_documentation(tiny, tmp_path, monkeypatch):
    """docs/formats.md: weights of float32 cut to the precision of bfloat16, by one function and one entry."""
    page = next(page for page in PAGES if page.name == "formats.md")
    (block,) = [block for block in blocks(page) if block.language == "python"]
    monkeypatch.setitem(FORMATS, "bfloat16_weights", None)  # so that it is gone afterwards
    exec(block.code, {})
    asked = command.Request(str(tiny), "drawn", formats=("bfloat16_weights",), out=tmp_path)
    assert command.convert(asked, None)["outputs"][0]["passed"]
    data = (tmp_path / "tiny_bfloat16_weights.tflite").read_bytes()
    assert file.card_in(data, "").format == "bfloat16_weights"


def test_a_pool_beside_a_concatenation_stays_in_integers_and_an_end_in_keras_ops_is_refused(calibration):
    """TFLite's pooling computes with one scale, the concatenation wants another."""
    inputs = keras.Input((48, 48, 1))
    x = keras.layers.Conv2D(4, 3, strides=4, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    x = [keras.layers.AveragePooling2D(2)(x), keras.layers.Conv2D(4, 3, strides=2, padding="same")(x)]
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.Concatenate()(x))
    logits = keras.layers.Dense(7)(x)
    make = FORMATS["full_integer"].make
    (main,) = graph.read(make(Material(keras.Model(inputs, keras.layers.Softmax()(logits)), calibration)))
    assert {tensor.dtype for tensor in main.tensors} == {"int8", "int32"}
    with pytest.raises(ModelError, match=r"cannot end in keras\.ops"):
        make(Material(keras.Model(inputs, keras.ops.softmax(logits)), calibration))


@pytest.mark.parametrize(
    ("format_", "said"),
    [
        ("float32", r"TFLite lacks \(Erfinv\)"),
        ("int16x8", r"TFLite lacks \(Erfinv\)"),
        ("int8", "layer used twice gives, as global_average"),
    ],
)
def test_an_operator_that_tflite_lacks_is_named_in_a_line(calibration, format_, said):
    x = inputs = keras.Input((48, 48, 1))
    x = keras.ops.erfinv(keras.layers.Rescaling(1 / 300)(x))
    x = keras.layers.Dense(7)(keras.layers.GlobalAveragePooling2D()(x))
    model = keras.Model(inputs, keras.layers.Softmax()(x))
    with pytest.raises(ModelError, match=said) as caught:
        FORMATS[format_].make(Material(model, calibration))
    assert "\n" not in str(caught.value)


def test_a_model_that_int8_ruins_is_not_written(tiny, tmp_path):
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
    written = ["wild.keras", "wild_float32.json", "wild_float32.tflite"]
    assert sorted(path.name for path in tmp_path.iterdir()) == written


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[int8]\nagreemnt = 0.9", r"\[int8\]: unknown key 'agreemnt'"),
        ("[int7]\nagreement = 0.9", "unknown key 'int7'"),
        ("int8 = 3", r"\[int8\] must be a table"),
        ("clusters = 1", "clusters must be 0 or 2 to 256"),
    ],
)
def test_what_is_no_recipe_is_refused_by_name(tmp_path, text, said):
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        formats.read(path)


def test_a_recipe_may_have_limits_of_its_own(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("[int8]\nagreement = 0.9\n")
    mine = formats.read(path)
    assert (mine.name, mine.limits_of("int8")) == ("mine", Thresholds(0.9, 0.25, 0.004, 0.002, 0.05))
    trained = formats.read(path, qat=True, sparsity=None)
    assert trained.limits_of("int8") == Thresholds(0.9, 0.5, 0.02, 0.002, 0.05)
    assert trained.limits_of("float16") == FORMATS["float16"].limits
