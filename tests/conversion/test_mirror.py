"""Two views in one file: what each format computes, what it says of itself, and what it is judged by."""

import keras
import numpy as np
import pytest
from processes import fer_edge
from tiny_models import softmax

from fer_edge.commands import inspect
from fer_edge.conversion import command, formats
from fer_edge.conversion.formats import FORMATS
from fer_edge.conversion.mirror import mirrored
from fer_edge.data import drawn_faces
from fer_edge.errors import ModelError, UsageError
from fer_edge.model import graph
from fer_edge.model.classifier import Classifier

FAST = formats.Recipe(calibration_samples=70, parity_pictures=300)
FACES = drawn_faces(24, seed=5)[0]


def _two_views(network, faces):
    """By the layers before the softmax: the normalised geometric mean of faces' and their mirror images'."""
    logits = keras.Model(network.inputs[0], network.layers[-1].input)
    p, q = (softmax(logits(view[..., None].astype(np.float32))) for view in (faces, faces[:, :, ::-1]))
    product = np.sqrt(p * q)
    return product / product.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def folder(tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("mirrored")
    asked = command.Request(str(tiny), "drawn", FAST, formats=tuple(FORMATS), out=folder, mirror=True)
    command.convert(asked, None)
    return folder


@pytest.mark.parametrize("which", ["tiny", "residual"])
def test_the_network_gives_the_geometric_mean_of_both_views(which, against, residual):
    network = against.model if which == "tiny" else residual
    found = np.asarray(mirrored(network)(FACES[..., None].astype(np.float32)))
    np.testing.assert_allclose(found, _two_views(network, FACES), atol=2e-6)
    upside_down = mirrored(network)(FACES[:, ::-1, :, None].astype(np.float32))
    assert np.abs(np.asarray(upside_down) - found).max() > 1e-3


def test_a_softmax_inside_the_last_layer_comes_after_the_mean():
    face = keras.Input((48, 48, 1))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 2550)(face))
    network = keras.Model(face, keras.layers.Dense(7, activation="softmax")(x))
    levels = FACES[..., None].astype(np.float32)
    product = np.sqrt(np.asarray(network(levels)) * np.asarray(network(levels[:, :, ::-1])))
    expected = product / product.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(mirrored(network)(levels), expected, atol=2e-6)


def test_views_that_rule_out_each_other_s_answer_leave_the_likeliest():
    """Each gives 1 to another label and, in float32, 0 to the other's: their product has nothing left."""
    face = keras.Input((1, 2, 1))
    logits = keras.layers.Dense(3, use_bias=False)
    network = keras.Model(face, keras.layers.Softmax()(logits(keras.layers.Flatten()(face))))
    logits.set_weights([np.array([[1, 0, 0.75], [0, 1, 0.75]], np.float32)])
    pixels = np.array([[[[250], [0]]]], np.float32)
    one, other = network(pixels), network(pixels[:, :, ::-1])
    assert not np.asarray(one * other).any()
    rare = np.exp(-62.5)  # of logits 125, 125, 187.5
    np.testing.assert_allclose(mirrored(network)(pixels), [[rare, rare, 1]], rtol=1e-5)


def test_without_a_softmax_of_logits_or_with_what_the_toolkit_trains_it_is_refused(residual, tiny):
    with pytest.raises(ModelError, match="ends in a Softmax layer"):
        mirrored(keras.Model(residual.inputs[0], residual.layers[-2].output))
    asked = command.Request(str(tiny), "drawn", formats.Recipe(qat=True), formats=("int8",), mirror=True)
    with pytest.raises(UsageError, match="--mirror cannot be combined with --qat"):
        command.convert(asked, None)


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_of_each_format_sees_both_views(folder, format_, against):
    path = folder / f"tiny_mirror_{format_}.tflite"
    graph.check(path.read_bytes(), "")
    classifier = Classifier(path, checked=True)
    card, end = classifier.card, ("int8" if format_ == "full_integer" else "float32", (1, 7))
    assert (card.name, card.format, card.views) == ("tiny_mirror", format_, 2)
    assert (card.input.shape, (card.output.dtype, card.output.shape)) == ((1, 48, 48, 1), end)
    # by hand, as in test_formats.py, twice
    assert card.macs == 2 * (576 * 25 * 8 + 144 * 25 * 8 * 16 + 4 * 9 * 16 * 48 + 4 * 9 * 48 * 7)
    found = classifier.predict(FACES)
    np.testing.assert_array_equal(found, classifier.predict(np.ascontiguousarray(FACES[:, :, ::-1])))
    far = np.abs(found - _two_views(against.model, FACES))
    limits = formats.known(format_).limits
    assert far.max() <= limits.max_abs_diff
    assert far.mean() <= limits.mean_abs_diff


def test_it_says_so_wherever_it_is_looked_at(folder, tiny, capsys):
    path = folder / "tiny_mirror_int8.tflite"
    assert "views: 2" in "\n".join(inspect.lines(inspect.facts(path)))
    (row,) = command.verify(command.Request(str(tiny), "drawn"), str(path), None, None)["outputs"]
    assert row["passed"]  # against two views, as it was made
    assert "two views, each picture and its mirror image" in capsys.readouterr().out
    done = fer_edge("evaluate", path, "--tta", "flip", "--data", "drawn", code=2)
    said = "tiny_mirror_int8 already sees mirror images: leave out --tta flip"
    assert done.stderr == f"fer-edge: {said}\n"
