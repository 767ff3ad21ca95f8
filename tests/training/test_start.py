"""A training that starts from a network's weights: they are there at the first step, or it says why not."""

import dataclasses
import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.data import Dataset, drawn_faces  # noqa: E402
from fer_edge.errors import DataError, ModelError, UsageError  # noqa: E402
from fer_edge.model import shipped  # noqa: E402
from fer_edge.training import fit, networks, start  # noqa: E402
from fer_edge.training.recipes import Recipe  # noqa: E402

RECIPE = Recipe("r", network="nano", epochs=1, batch_size=8, dropout=0.0, optimizer="sgd", learning_rate=1e-9)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    keras.utils.set_random_seed(7)
    network = networks.build("nano", 0.0)
    path = tmp_path_factory.mktemp("learned") / "model.keras"
    network.save(path)
    return network, path


@pytest.fixture
def data():
    images, labels = drawn_faces(16, 0)
    return Dataset(images, labels, np.zeros(16, np.uint8), np.arange(1, 17), "drawn", "hash")


class Silent:
    def step(self, epoch, step, steps, loss, accuracy):
        pass

    def epoch(self, row):
        pass


def test_a_training_begins_at_the_given_weights(learned, data, tmp_path):
    network, path = learned
    how = {"folder": tmp_path, "seed": 0, "watcher": Silent(), "start": start.opened([path])}
    trained, state = fit.train(RECIPE, data, data, **how)
    kernels = [np.asarray(layer.kernel) for layer in network.layers if hasattr(layer, "kernel")]
    after = [keras.ops.convert_to_numpy(layer.kernel) for layer in trained.layers if hasattr(layer, "kernel")]
    for before, now in zip(kernels, after, strict=True):  # two steps at a rate of 1e-9 move nothing
        np.testing.assert_allclose(now, before, atol=1e-6)
    assert len(state.start) == 64
    with pytest.raises(DataError, match="another start"):
        fit.train(RECIPE, data, data, **{**how, "start": start.ANEW})


def test_votes_are_learned_on_top_of_the_given_weights(learned):
    from fer_edge.training.objective import compiled

    network, path = learned
    shipped, trainee = compiled(dataclasses.replace(RECIPE, votes_weight=1.0), 7)
    start.opened([path]).give(shipped)
    faces = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(trainee(faces, training=False))[:, :7]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    wanted = keras.ops.convert_to_numpy(network(faces, training=False))
    np.testing.assert_allclose(exponents / exponents.sum(1, keepdims=True), wanted, atol=1e-5)


def test_other_classes_keep_all_but_the_last_layer(learned):
    network, path = learned
    three = networks.build("nano", 0.0, classes=3)
    fresh = [np.array(w) for w in three.get_layer("logits").get_weights()]
    start.opened([path]).give(three)
    np.testing.assert_array_equal(three.get_layer("logits").get_weights()[0], fresh[0])
    weighted = [[layer for layer in model.layers if layer.weights][:-1] for model in (three, network)]
    for mine, given in zip(*weighted, strict=True):
        for a, b in zip(mine.get_weights(), given.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_another_network_or_no_file_is_refused(learned, tmp_path):
    with pytest.raises(ModelError, match="is not of the recipe's network edge"):
        start.opened([learned[1]]).give(networks.build("edge", 0.0))
    with pytest.raises(ModelError, match="is not of the recipe's network paper"):
        start.opened([learned[1]]).give(networks.build("paper", 0.0))
    with pytest.raises(ModelError, match=r"no trained network '.*zzzzz\.keras': there are edge"):
        start.opened([tmp_path / "zzzzz.keras"])
    with pytest.raises(ModelError, match=r"no trained network 'nanoo': did you mean nano\?"):
        start.opened(["nanoo"])


def test_several_networks_start_it_with_their_mean(learned, tmp_path):
    network, path = learned
    other = networks.build("nano", 0.0)
    other.set_weights([w + 2.0 for w in network.get_weights()])
    other.save(tmp_path / "other.keras")
    given = start.opened([path, tmp_path / "other.keras"])
    mean = [w for layer in given.weights for w in layer]
    for before, now in zip((w for x in network.layers for w in x.get_weights()), mean, strict=True):
        np.testing.assert_allclose(now, before + 1.0, atol=1e-6)
    assert given.sha256.split() == [
        hashlib.sha256(file.read_bytes()).hexdigest() for file in (path, tmp_path / "other.keras")
    ]


def test_networks_of_different_layers_have_no_mean(learned):
    with pytest.raises(ModelError, match=r"edge\.keras is not of the network that .*model\.keras is"):
        start.opened([learned[1], "edge"])
    with pytest.raises(ModelError, match=r"edge_ferplus\.keras is not of the network"):
        start.opened(["edge", "edge_ferplus"])


def test_a_shipped_network_by_its_name():
    given, path = start.opened(["nano"]), shipped.models_folder() / "nano.keras"
    assert given.path == str(path)
    assert given.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    network = networks.build("nano", 0.0)
    given.give(network)
    np.testing.assert_array_equal(network.get_layer("logits").get_weights()[0], given.weights[-1][0])


@pytest.mark.parametrize(
    ("weight", "options", "complaint"),
    [
        ({"teacher_weight": 0.5}, {}, "name whom it learns from"),
        ({}, {"teachers": ["edge_int8"]}, "learns from no --teacher"),
        ({"votes_weight": 1.0}, {}, "add --votes"),
        ({"votes_weight": 1.0}, {"labels": "fer2013"}, "add --votes"),
    ],
)
def test_what_the_recipe_learns_from_must_be_there(weight, options, complaint):
    with pytest.raises(UsageError, match=complaint):
        start.check(dataclasses.replace(RECIPE, **weight), **options)


def test_votes_come_from_their_table_or_from_the_labels():
    recipe = dataclasses.replace(RECIPE, votes_weight=1.0)
    start.check(recipe, votes=Path("fer2013new.csv"))
    start.check(recipe, labels="ferplus:fer2013new.csv")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--recipe", "edge_taught", "--teacher", "edge_int8"), "add --votes"),
        (("--recipe", "tuned", "--weights", "edg"), "no trained network 'edg': did you mean edge"),
        (("--recipe", "edge_taught", "--votes", "v.csv", "--teacher", "edge_int9"), "did you mean edge_int8"),
    ],
)
def test_what_is_missing_is_said_without_keras(arguments, complaint, tmp_path):
    (tmp_path / "keras.py").write_text("raise RuntimeError('keras was imported')\n")
    command = [Path(sys.executable).with_name("fer-edge"), "train", "--data", "drawn", *arguments]
    env = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env)
    assert done.returncode in (1, 2)
    assert complaint in done.stderr
    assert len(done.stderr.splitlines()) == 1
