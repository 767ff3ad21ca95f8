"""A killed and resumed training ends where an unbroken one does (case L1); it begins at given weights."""

import dataclasses
import hashlib
import json
import zipfile

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from tiny_network import dataset  # noqa: E402

from fer_edge.errors import DataError, GateError, ModelError  # noqa: E402
from fer_edge.model import shipped  # noqa: E402
from fer_edge.training import fit, networks, session  # noqa: E402
from fer_edge.training.batches import Teacher  # noqa: E402
from fer_edge.training.fit import Start  # noqa: E402
from fer_edge.training.recipes import Augmentation, Recipe  # noqa: E402

RECIPE = Recipe(
    "small", network="tiny", epochs=3, batch_size=16, dropout=0.3,
    augmentation=Augmentation(rotation_deg=20, flip=True),
)  # fmt: skip
STILL = Recipe("r", network="nano", epochs=1, batch_size=8, dropout=0, optimizer="sgd", learning_rate=1e-9)


@pytest.fixture(scope="module")
def data():
    return dataset()


@pytest.fixture(scope="module")
def unbroken(data, tmp_path_factory):
    return fit.train(RECIPE, data, data, folder=tmp_path_factory.mktemp("whole"), seed=0)


def test_resumed_equals_unbroken(data, unbroken, tmp_path):
    def kill_in_the_second(state):
        if state.epochs == 2:
            raise KeyboardInterrupt

    how = {"folder": tmp_path, "seed": 0}
    with pytest.raises(KeyboardInterrupt):
        fit.train(RECIPE, data, data, on_epoch=kill_in_the_second, **how)
    (tmp_path / "checkpoint/epoch_0003.npz").write_bytes(b"half-written")
    told = []
    network, state = fit.train(RECIPE, data, data, on_epoch=lambda state: told.append(state.epochs), **how)
    assert told == [2, 3]  # the row that a kill kept from being written comes again
    whole_network, whole = unbroken
    for row in (*state.history, *whole.history):
        row.pop("seconds", None)
    assert state.history == whole.history
    assert [row["epoch"] for row in state.history] == [1, 2, 3]
    for one, two in zip(network.get_weights(), whole_network.get_weights(), strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_checkpoint_goes_on_with_its_own_training_alone(data, tmp_path):
    one = dataclasses.replace(RECIPE, epochs=1)

    def again(recipe=one, seed=0, teacher="a", start=""):
        told = {"teacher": Teacher((teacher,)), "start": Start(start)}
        return fit.train(recipe, data, data, folder=tmp_path, seed=seed, **told)[1]

    assert again().teacher == ["a"]
    for name, value in {"recipe": RECIPE, "seed": 1, "teacher": "b", "start": "c"}.items():
        with pytest.raises(DataError, match=f"another {name}"):
            again(**{name: value})
    state = tmp_path / "checkpoint/state.json"
    stored = json.loads(state.read_text())
    del (
        stored["recipe"]["votes_weight"],
        stored["recipe"]["augmentation"]["dark_min"],
    )  # from before they were
    state.write_text(json.dumps(stored))
    assert again().epochs == 1
    state.write_text("{")
    with pytest.raises(DataError, match=r"state\.json is damaged"):
        again()


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


def test_a_lost_loss_stops_the_training(data, tmp_path):
    wild = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=1e15)
    with pytest.raises(GateError, match="lower --learning-rate"):
        fit.train(wild, data, data, folder=tmp_path, seed=0)


def test_reference_check_passes_on_the_same_weights_and_fails_on_others(data, unbroken):
    network, _ = unbroken
    rebuilt = session.in_float32(network, RECIPE)
    same = session.check_reference(network, rebuilt, data, RECIPE)
    assert (same["passed"], same["agreement"]) == (True, 1.0)
    assert same["max_abs_diff"] < 1e-5
    weights = rebuilt.get_weights()
    rebuilt.set_weights([*weights[:-1], weights[-1] + np.arange(7, dtype=np.float32) * 3])
    other = session.check_reference(network, rebuilt, data, RECIPE)
    assert not other["passed"]
    p, q = fit.predict(network, data.images), fit.predict(rebuilt, data.images)
    assert other["agreement"] == np.mean(p.argmax(1) == q.argmax(1))


def test_loss_and_accuracy_by_hand():
    p = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0.1, 0.2, 0.7, 0, 0, 0, 0]], np.float32)
    loss, accuracy = fit.loss_and_accuracy(p, np.array([0, 1]))
    assert loss == pytest.approx((np.log(2) + np.log(5)) / 2, rel=1e-5)
    assert accuracy == 0.5


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    keras.utils.set_random_seed(7)
    network = networks.build("nano", 0.0)
    path = tmp_path_factory.mktemp("learned") / "model.keras"
    network.save(path)
    return network, path


def test_a_training_begins_at_the_given_weights(learned, data, tmp_path):
    network, path = learned
    few = data.rows(np.arange(16))
    trained, state = fit.train(STILL, few, few, folder=tmp_path, seed=0, start=Start.opened([path]))
    before, after = (
        [keras.ops.convert_to_numpy(layer.kernel) for layer in model.layers if hasattr(layer, "kernel")]
        for model in (network, trained)
    )
    for one, two in zip(before, after, strict=True):  # two steps at a rate of 1e-9 move nothing
        np.testing.assert_allclose(one, two, atol=1e-6)
    assert len(state.start) == 64


def test_votes_are_learned_on_top_of_the_given_weights(learned):
    network, path = learned
    given, trainee = networks.compiled(dataclasses.replace(STILL, votes_weight=1.0), 7)
    Start.opened([path]).give(given)
    faces = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    found = keras.ops.softmax(trainee(faces, training=False)[:, :7])
    wanted = keras.ops.convert_to_numpy(network(faces, training=False))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(found), wanted, atol=1e-5)


def test_other_classes_keep_all_but_the_last_layer(learned):
    network, path = learned
    three = networks.build("nano", 0.0, classes=3)
    fresh = three.get_weights()
    Start.opened([path]).give(three)
    for given, wanted in zip(three.get_weights()[:-2], network.get_weights()[:-2], strict=True):
        np.testing.assert_array_equal(given, wanted)
    np.testing.assert_array_equal(three.get_weights()[-2], fresh[-2])


def test_another_network_or_no_file_is_refused(learned, tmp_path):
    for name in ("edge", "paper"):
        with pytest.raises(ModelError, match=f"is not of the recipe's network {name}"):
            Start.opened([learned[1]]).give(networks.build(name, 0.0))
    with pytest.raises(ModelError, match=r"there is no file .*zzzzz\.keras"):
        Start.opened([tmp_path / "zzzzz.keras"])
    with pytest.raises(ModelError, match=r"no trained network 'nanoo': did you mean nano\?"):
        Start.opened(["nanoo"])
    with pytest.raises(ModelError, match=r"edge\.keras is not of the network that .*model\.keras is"):
        Start.opened([learned[1], "edge"])
    with pytest.raises(ModelError, match=r"edge_ferplus\.keras is not of the network"):
        Start.opened(["edge", "edge_ferplus"])  # shipped ones, by name


def test_several_networks_start_it_with_their_mean(learned):
    network, path = learned
    ships = shipped.models_folder() / "nano.keras"
    given, other = Start.opened([path, "nano"]), keras.models.load_model(ships, compile=False)
    for one, two, now in zip(network.get_weights(), other.get_weights(), given.weights, strict=True):
        np.testing.assert_allclose(now, (one + two) / 2, atol=1e-6)
    assert given.sha256.split() == [hashlib.sha256(file.read_bytes()).hexdigest() for file in (path, ships)]
