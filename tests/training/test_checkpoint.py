"""Weights that a training begins with: there at the first step, or a line says why not."""

import dataclasses
import hashlib
import zipfile

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from tiny_network import dataset  # noqa: E402

from fer_edge.errors import DataError, ModelError  # noqa: E402
from fer_edge.model import shipped  # noqa: E402
from fer_edge.training import fit, networks  # noqa: E402
from fer_edge.training.fit import Start  # noqa: E402
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
    return dataset().rows(np.arange(16))


def test_a_training_begins_at_the_given_weights(learned, data, tmp_path):
    network, path = learned
    how = {"folder": tmp_path, "seed": 0, "start": Start.opened([path])}
    trained, state = fit.train(RECIPE, data, data, **how)
    kernels = [np.asarray(layer.kernel) for layer in network.layers if hasattr(layer, "kernel")]
    after = [keras.ops.convert_to_numpy(layer.kernel) for layer in trained.layers if hasattr(layer, "kernel")]
    for before, now in zip(kernels, after, strict=True):  # two steps at a rate of 1e-9 move nothing
        np.testing.assert_allclose(now, before, atol=1e-6)
    assert len(state.start) == 64


def test_votes_are_learned_on_top_of_the_given_weights(learned):
    network, path = learned
    shipped, trainee = networks.compiled(dataclasses.replace(RECIPE, votes_weight=1.0), 7)
    Start.opened([path]).give(shipped)
    faces = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    logits = keras.ops.convert_to_numpy(trainee(faces, training=False))[:, :7]
    exponents = np.exp(logits - logits.max(1, keepdims=True))
    wanted = keras.ops.convert_to_numpy(network(faces, training=False))
    np.testing.assert_allclose(exponents / exponents.sum(1, keepdims=True), wanted, atol=1e-5)


def test_other_classes_keep_all_but_the_last_layer(learned):
    network, path = learned
    three = networks.build("nano", 0.0, classes=3)
    fresh = [np.array(w) for w in three.get_layer("logits").get_weights()]
    Start.opened([path]).give(three)
    np.testing.assert_array_equal(three.get_layer("logits").get_weights()[0], fresh[0])
    weighted = [[layer for layer in model.layers if layer.weights][:-1] for model in (three, network)]
    for mine, given in zip(*weighted, strict=True):
        for a, b in zip(mine.get_weights(), given.get_weights(), strict=True):
            np.testing.assert_array_equal(a, b)


def test_another_network_or_no_file_is_refused(learned, tmp_path):
    for name in ("edge", "paper"):
        with pytest.raises(ModelError, match=f"is not of the recipe's network {name}"):
            Start.opened([learned[1]]).give(networks.build(name, 0.0))
    with pytest.raises(ModelError, match=r"there is no file .*zzzzz\.keras"):
        Start.opened([tmp_path / "zzzzz.keras"])
    with pytest.raises(ModelError, match=r"no trained network 'nanoo': did you mean nano\?"):
        Start.opened(["nanoo"])


def test_several_networks_start_it_with_their_mean(learned, tmp_path):
    network, path = learned
    other = networks.build("nano", 0.0)
    other.set_weights([w + 2.0 for w in network.get_weights()])
    other.save(tmp_path / "other.keras")
    given = Start.opened([path, tmp_path / "other.keras"])
    mean = [w for layer in given.weights for w in layer]
    for before, now in zip((w for x in network.layers for w in x.get_weights()), mean, strict=True):
        np.testing.assert_allclose(now, before + 1.0, atol=1e-6)
    assert given.sha256.split() == [
        hashlib.sha256(file.read_bytes()).hexdigest() for file in (path, tmp_path / "other.keras")
    ]
    with pytest.raises(ModelError, match=r"edge\.keras is not of the network that .*model\.keras is"):
        Start.opened([learned[1], "edge"])
    with pytest.raises(ModelError, match=r"edge_ferplus\.keras is not of the network"):
        Start.opened(["edge", "edge_ferplus"])


def test_a_shipped_network_by_its_name():
    given, path = Start.opened(["nano"]), shipped.models_folder() / "nano.keras"
    assert given.path == str(path)
    assert given.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    network = networks.build("nano", 0.0)
    given.give(network)
    np.testing.assert_array_equal(network.get_layer("logits").get_weights()[0], given.weights[-1][0])


@pytest.fixture
def stored(tmp_path):
    """A checkpoint of twelve weights (weight_10 sorts before weight_2), and the network with others."""
    dense = [keras.layers.Dense(2) for _ in range(6)]
    model = keras.Sequential([keras.Input((2,)), *dense])
    model.compile("sgd", "mse")
    model.set_weights([np.full(w.shape, k) for k, w in enumerate(model.get_weights())])
    state = fit.State({}, 0, "s", [{"epoch": 1, "val_loss": 1.0}], 0)
    fit.save(tmp_path, model, state)
    model.set_weights([w - 100 for w in model.get_weights()])
    return tmp_path, model, state


@pytest.mark.parametrize("best", [True, False])
def test_weights_come_back_in_their_order(stored, best):
    fit.restore(*stored, best=best)
    assert [w.flat[0] for w in stored[1].get_weights()] == list(range(12))


def test_what_is_no_array_or_of_another_network_is_refused(stored):
    folder, model, state = stored
    with pytest.raises(DataError, match=r"best_0000\.npz is of another network"):
        fit.restore(folder, keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]), state, best=True)
    with zipfile.ZipFile(folder / "best_0000.npz", "a") as archive:
        archive.writestr("weight_12.npy", b"no array")  # numpy gives its bytes as they are
    with pytest.raises(DataError, match=r"best_0000\.npz cannot be read .*not all in it are arrays"):
        fit.restore(folder, model, state, best=True)
