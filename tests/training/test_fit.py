"""A checkpoint goes on with its own training alone; a training begins at given weights, and is checked. That
a killed and resumed one ends where an unbroken one does (case L1) is in test_command.py."""

import dataclasses
import hashlib

import keras
import numpy as np
import pytest
from tiny_network import dataset

from fer_edge.errors import DataError, GateError, ModelError
from fer_edge.model import keras_files, shipped
from fer_edge.training import fit, networks, session
from fer_edge.training.batches import Teacher
from fer_edge.training.fit import Start
from fer_edge.training.recipes import Recipe

RECIPE = Recipe("small", network="tiny", epochs=1, batch_size=16, dropout=0.3)
STILL = Recipe("r", network="nano", epochs=1, batch_size=8, dropout=0, optimizer="sgd", learning_rate=1e-9)


@pytest.fixture(scope="module")
def data():
    return dataset()


def test_a_checkpoint_goes_on_with_its_own_training_alone(data, tmp_path):
    def again(recipe=RECIPE, seed=0, teacher="a", start="", resume=True, weights=()):
        how = {"teacher": Teacher({"its": teacher}), "start": Start({"name": start}, weights)}
        state = fit.train(recipe, data, data, folder=tmp_path, seed=seed, resume=resume, **how)[-1]
        return state.epochs, state.teacher

    assert again(teacher="b") == (1, ["b"])
    assert again(resume=False) == again() == (1, ["a"])
    kept = (tmp_path / "recipe.toml").read_text()
    with pytest.raises(ModelError, match="not of the recipe's network"):
        again(resume=False, weights=[np.zeros(1)])
    assert (tmp_path / "checkpoint/state.json").exists()
    assert len((tmp_path / "history.csv").read_text().splitlines()) == 2
    others = {"recipe": dataclasses.replace(RECIPE, epochs=3), "seed": 1, "teacher": "b", "start": "c"}
    for name, value in others.items():
        with pytest.raises(DataError, match=f"another {name}"):
            again(**{name: value})
        assert (tmp_path / "recipe.toml").read_text() == kept
    with pytest.raises(DataError, match="another data_sha256"):  # labels or votes, edited since
        fit.train(RECIPE, dataclasses.replace(data, labels=data.labels[::-1]), data, folder=tmp_path, seed=0)
    state = tmp_path / "checkpoint/state.json"
    state.write_text("{")
    with pytest.raises(DataError, match=r"state\.json is damaged"):
        again()


def test_a_validation_that_is_no_number_ends_a_training_before_it_is_kept(data, tmp_path, monkeypatch):
    monkeypatch.setattr(fit, "loss_and_accuracy", lambda *_: (np.nan, 0.1))
    with pytest.raises(GateError, match="validation loss is nan"):
        fit.train(dataclasses.replace(RECIPE, learning_rate=1), data, data, folder=tmp_path, seed=0)
    assert not (tmp_path / "checkpoint/state.json").exists()


def test_weights_come_back_in_their_order_and_what_is_damaged_or_of_another_network_is_refused(tmp_path):
    """Twelve weights: weight_10 sorts before weight_2."""
    model = keras.Sequential([keras.Input((2,)), *(keras.layers.Dense(2) for _ in range(6))])
    model.compile("sgd", "mse")
    model.set_weights([np.full(w.shape, k) for k, w in enumerate(model.get_weights())])
    state = fit.State({}, 0, "s", [{"epoch": 1, "val_loss": 1.0}], 0)
    fit.save(tmp_path, model, state)
    for best in (True, False):
        model.set_weights([w - 100 for w in model.get_weights()])
        fit.restore(tmp_path, model, state, best=best)
        assert [w.flat[0] for w in model.get_weights()] == list(range(12))
    other, file = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)]), tmp_path / "epoch_0001.npz"
    with pytest.raises(DataError, match=r"epoch_0001\.npz is damaged, or of another network .*: rem"):
        fit.restore(tmp_path, other, state, best=True)
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"epoch_0001\.npz is damaged"):
        fit.restore(tmp_path, model, state, best=True)


def test_a_lost_loss_stops_the_training(data, tmp_path):
    wild = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=1e15)
    with pytest.raises(GateError, match="lower --learning-rate"):
        fit.train(wild, data, data, folder=tmp_path, seed=0)


@pytest.fixture(scope="module")
def learned(tmp_path_factory):
    keras.utils.set_random_seed(7)
    network = networks.build("nano", 0.0)
    path = tmp_path_factory.mktemp("learned") / "model.keras"
    network.save(path)
    return network, path


def test_reference_check_passes_on_the_same_weights_and_fails_on_others(data, learned):
    network, _ = learned
    rebuilt = keras_files.in_float32(network)
    same = session.check_reference(network, rebuilt, data, STILL)
    assert (same["passed"], same["agreement"], same["max_abs_diff"] < 1e-5) == (True, 1.0, True)
    weights = rebuilt.get_weights()
    rebuilt.set_weights([*weights[:-1], weights[-1] + np.arange(7, dtype=np.float32) * 3])
    other = session.check_reference(network, rebuilt, data, STILL)
    assert not other["passed"]
    p, q = fit.predict(network, data.images), fit.predict(rebuilt, data.images)
    assert other["agreement"] == np.mean(p.argmax(1) == q.argmax(1))


def test_a_layer_of_one_s_own_is_refused_before_it_is_trained():
    with pytest.raises(ModelError, match="other layers than Keras' own"):
        keras_files.in_float32(keras.Sequential([type("Own", (keras.Layer,), {})()]))


def test_loss_and_accuracy_by_hand():
    p = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0.1, 0.2, 0.7, 0, 0, 0, 0]], np.float32)
    loss, accuracy = fit.loss_and_accuracy(p, np.array([0, 1]))
    assert loss == pytest.approx((np.log(2) + np.log(5)) / 2, rel=1e-5)
    assert accuracy == 0.5


def test_a_training_begins_at_the_given_weights(learned, data, tmp_path):
    network, path = learned
    few = data.rows(np.arange(16))
    trained, _, state = fit.train(STILL, few, few, folder=tmp_path, seed=0, start=Start.opened([path]))
    for one, two in zip(network.trainable_weights, trained.trainable_weights, strict=True):  # two tiny steps
        np.testing.assert_allclose(one.numpy(), two.numpy(), atol=1e-6)
    assert len(state.start) == 64


def test_votes_are_learned_on_top_of_the_given_weights_and_other_classes_anew(learned):
    network, path = learned
    given, trainee = networks.compiled(dataclasses.replace(STILL, votes_weight=1.0), 7)
    Start.opened([path]).give(given)
    faces = np.random.default_rng(0).uniform(0, 255, (2, 48, 48, 1)).astype(np.float32)
    found = keras.ops.softmax(trainee(faces, training=False)[:, :7])
    np.testing.assert_allclose(found.numpy(), network(faces, training=False).numpy(), atol=1e-5)
    three = networks.build("nano", 0.0, classes=3)
    wanted = network.get_weights()[:-2] + three.get_weights()[-2:]
    Start.opened([path]).give(three)
    for now, right in zip(three.get_weights(), wanted, strict=True):
        np.testing.assert_array_equal(now, right)


def test_another_network_is_refused(learned):
    for name in ("edge", "paper"):
        with pytest.raises(ModelError, match=f"is not of the recipe's network {name}"):
            Start.opened([learned[1]]).give(networks.build(name, 0.0))
    for names, said in {
        (learned[1], "edge"): r"edge and .*model\.keras are different networks",
        ("edge", "edge_ferplus"): "edge_ferplus and edge are different networks",
    }.items():
        with pytest.raises(ModelError, match=said):
            Start.opened(names)


def test_several_networks_start_it_with_their_mean(learned):
    network, path = learned
    ships = shipped.models_folder() / "nano.keras"
    given, other = Start.opened([path, "nano"]), keras.models.load_model(ships, compile=False)
    for one, two, now in zip(network.get_weights(), other.get_weights(), given.weights, strict=True):
        np.testing.assert_allclose(now, (one + two) / 2, atol=1e-6)
    for file, found in zip((path, ships), given.sha256.values(), strict=True):
        assert found == hashlib.sha256(file.read_bytes()).hexdigest()
