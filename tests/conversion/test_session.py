from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import calibration, describe, export, integer, recipes, reference, session
from fer_edge.data.dataset import Dataset
from fer_edge.errors import ModelError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS, Format, ModelCard, TensorSpec

Made = dict[Format, session.Output]


@pytest.fixture(scope="module")
def plan(
    tmp_path_factory: pytest.TempPathFactory, recipe: recipes.Recipe, chosen: calibration.Calibration
) -> session.Plan:
    return session.Plan("tiny", tmp_path_factory.mktemp("models"), recipe, chosen)


@pytest.fixture(scope="module")
def made(against: reference.Reference, plan: session.Plan) -> Made:
    return {output.format: output for output in session.convert(against, list(Format), plan)}


def test_every_format_passes_its_gate_and_is_written_with_its_card(made: Made, plan: session.Plan) -> None:
    for format_, output in made.items():
        assert output.parity.passed, (format_, output.parity)
        assert output.path == plan.folder / f"tiny_{format_.value}.tflite"
        assert output.path.read_bytes() == output.data
        beside = ModelCard.from_json(output.path.with_suffix(".json").read_bytes(), "")
        assert file.card_in(output.path.read_bytes(), str(output.path)) == beside == output.card
    assert len(list(plan.folder.iterdir())) == 2 * len(Format)


@pytest.mark.parametrize("format_", list(Format))
def test_raw_gray_goes_in_and_probabilities_come_out(made: Made, format_: Format) -> None:
    classifier = Classifier(made[format_].path, checked=True)
    whole = format_ is Format.FULL_INTEGER
    integer_ = format_ in session.INTEGER
    taken, given = classifier.input, classifier.output
    assert (taken.dtype, taken.shape) == ("int8" if whole else "uint8", (1, 48, 48, 1))
    assert (taken.scale, taken.zero_point) == (1.0 if integer_ else 0.0, -128 if whole else 0)
    assert (given.dtype, given.shape) == ("int8" if whole else "float32", (1, 7))
    assert classifier.labels == LABELS


def test_agreement_is_measured_on_the_file_that_is_written(made: Made, against: reference.Reference) -> None:
    images = against.pictures.dataset.images
    for output in made.values():
        probabilities = Classifier(output.path, checked=True).predict(images)
        same = (probabilities.argmax(axis=1) == against.probabilities.argmax(axis=1)).mean()
        assert output.parity.agreement == pytest.approx(same)
        assert output.card.measured["agreement"] == output.parity.agreement
    assert made[Format.FLOAT32].parity.max_abs_diff < 1e-5
    assert against.accuracy > 0.6  # a network that has learnt nothing would agree by naming one class


def test_few_pictures_are_helped_out_by_those_of_training(
    tiny: Path, faces: Dataset, recipe: recipes.Recipe, plan: session.Plan, tmp_path: Path
) -> None:
    few = faces.part("Training", "PublicTest")
    training = few.part("Training")
    rows = np.concatenate([few.part("PublicTest").ids[:60], training.ids[:50]])
    small = few.rows(np.isin(few.ids, rows))
    against = reference.measure(tiny, small, recipe, seed=0)
    assert len(against.pictures.dataset) == 60
    assert sorted(map(bytes, against.images[60:])) == sorted(map(bytes, training.images[:50]))
    output = session.make(against, Format.FLOAT32, dataclasses.replace(plan, folder=tmp_path))
    assert output.parity.passed
    assert (output.parity.pictures, output.parity.compared) == (60, 110)
    fewer = reference.measure(tiny, small, recipe.override(parity_pictures=70), seed=0)
    assert (len(fewer.pictures.dataset), len(fewer.images[60:])) == (60, 10)


def test_a_model_of_other_values_is_given_what_the_card_says(
    tiny: Path, faces: Dataset, recipe: recipes.Recipe, tmp_path: Path
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
    wanted = reference.measure(tiny, faces, recipe, seed=0).probabilities
    found = reference.measure(tmp_path / "other.keras", faces, recipe, seed=0, made=card).probabilities
    np.testing.assert_allclose(found, wanted, atol=1e-4)


def test_files_hold_builtin_operators_only_and_int8_ends_in_float(made: Made) -> None:
    for output in made.values():
        graph.check(output.path.read_bytes(), "m")
    assert made[Format.FLOAT32].ops["CONV_2D"] == 4
    assert made[Format.INT8].ops["CONV_2D"] == 2  # the last two are one fully connected layer
    assert made[Format.INT8].ops["DEQUANTIZE"] == 1
    assert "DEQUANTIZE" not in made[Format.FULL_INTEGER].ops
    assert len(made[Format.FULL_INTEGER].data) < len(made[Format.INT8].data) < len(made[Format.FLOAT32].data)


def test_the_card_says_what_was_converted_how_and_by_what(made: Made, tiny: Path) -> None:
    from fer_edge import files

    card = made[Format.INT8].card
    assert (card.name, card.format, card.architecture) == ("tiny", "int8", "tiny")
    assert card.source_sha256 == files.sha256(tiny)
    # by hand: 5x5 to 24x24x8 and 12x12x16, 3x3 on 2x2 to 48 and to 7 channels
    assert card.macs == 576 * 25 * 8 + 144 * 25 * 8 * 16 + 4 * 9 * 16 * 48 + 4 * 9 * 48 * 7
    assert card.recipe["conversion"]["calibration"]["pictures"] == 70
    assert {"tensorflow", "keras", "fer-edge"} <= set(card.versions)
    assert (card.measured["split"], card.measured["pictures"]) == ("PublicTest", 300)


def test_the_same_model_gives_the_same_bytes(
    made: Made, against: reference.Reference, plan: session.Plan
) -> None:
    for format_ in Format:
        assert session.make(against, format_, plan).data == made[format_].data


def _with_a_wild_channel(against: reference.Reference) -> reference.Reference:
    """The same function in float: one channel is 100,000 times as large, and nothing reads it."""
    from fer_edge.conversion import source

    model = source.load(against.path)
    normalised = model.layers[3]
    gamma, *others = normalised.get_weights()
    gamma[0] *= 1e5
    normalised.set_weights([gamma, *others])
    kernel, bias = model.layers[5].get_weights()
    kernel[:, :, 0] = 0
    model.layers[5].set_weights([kernel, bias])
    faces = against.pictures.dataset.images[..., None].astype(np.float32)
    return dataclasses.replace(against, model=model, probabilities=np.asarray(model(faces, training=False)))


def test_a_model_that_int8_ruins_is_not_written(
    against: reference.Reference, plan: session.Plan, tmp_path: Path
) -> None:
    wild = _with_a_wild_channel(against)
    elsewhere = dataclasses.replace(plan, folder=tmp_path)
    kept, refused = session.convert(wild, [Format.FLOAT32, Format.INT8], elsewhere)
    assert kept.parity.passed
    assert not refused.parity.passed
    assert refused.parity.failures[0].startswith("agrees on ")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["tiny_float32.json", "tiny_float32.tflite"]


def test_calibration_at_the_wrong_scale_does_not_pass_as_int8(
    against: reference.Reference, recipe: recipes.Recipe, chosen: calibration.Calibration
) -> None:
    flatbuffer = integer.to_integer(against.model, Format.INT8, chosen.faces // 255, recipe)
    with pytest.raises(ModelError, match=r"takes \('uint8', 0\.0039.* was to come out"):
        describe.tensors(flatbuffer, Format.INT8)


def test_last_nodes_are_those_from_the_last_layers_with_weights_on(against: reference.Reference) -> None:
    flatbuffer = export.to_float(against.model, Format.FLOAT32)
    assert [len(integer.last_nodes(flatbuffer, layers)) for layers in (0, 1, 2)] == [0, 3, 4]
    with pytest.raises(ModelError, match="float_layers is 5, but the model has 4"):
        integer.last_nodes(flatbuffer, 5)
