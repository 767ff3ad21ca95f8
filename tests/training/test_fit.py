"""A training that is killed and resumed ends where an unbroken one does (case L1)."""

import dataclasses
import json

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")

from tiny_network import dataset  # noqa: E402

from fer_edge.errors import DataError, GateError  # noqa: E402
from fer_edge.training import fit, session  # noqa: E402
from fer_edge.training.batches import Teacher  # noqa: E402
from fer_edge.training.recipes import Augmentation, Recipe  # noqa: E402

RECIPE = Recipe(
    "small", network="tiny", epochs=3, batch_size=16, dropout=0.3,
    augmentation=Augmentation(rotation_deg=20, flip=True),
)  # fmt: skip


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

    with pytest.raises(KeyboardInterrupt):
        fit.train(RECIPE, data, data, folder=tmp_path, seed=0, on_epoch=kill_in_the_second)
    (tmp_path / "checkpoint/epoch_0003.npz").write_bytes(b"half-written")
    told = []
    network, state = fit.train(
        RECIPE, data, data, folder=tmp_path, seed=0,
        on_epoch=lambda state: told.append([row["epoch"] for row in state.history]),
    )  # fmt: skip
    assert told == [[1, 2], [1, 2, 3]]  # the row that a kill kept from being written comes again
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
        told = {"teacher": Teacher((teacher,)), "start": fit.Start(start)}
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


def test_a_lost_loss_stops_the_training(data, tmp_path):
    wild = dataclasses.replace(RECIPE, optimizer="sgd", learning_rate=1e30)
    with pytest.raises(GateError, match="lower --learning-rate"):
        fit.train(wild, data, data, folder=tmp_path, seed=0)


def test_reference_check_passes_on_the_same_weights_and_fails_on_others(data, unbroken):
    network, _ = unbroken
    rebuilt = session.in_float32(network, RECIPE)
    same = session.check_reference(network, rebuilt, data, RECIPE)
    assert same["passed"]
    assert same["agreement"] == 1.0
    assert same["max_abs_diff"] < 1e-5
    weights = rebuilt.get_weights()
    weights[-1] = weights[-1] + np.arange(7, dtype=np.float32) * 3
    rebuilt.set_weights(weights)
    other = session.check_reference(network, rebuilt, data, RECIPE)
    assert not other["passed"]
    p, q = fit.predict(network, data.images), fit.predict(rebuilt, data.images)
    assert other["agreement"] == np.mean(p.argmax(1) == q.argmax(1))


def test_loss_and_accuracy_by_hand():
    p = np.array([[0.5, 0.5, 0, 0, 0, 0, 0], [0.1, 0.2, 0.7, 0, 0, 0, 0]], np.float32)
    loss, accuracy = fit.loss_and_accuracy(p, np.array([0, 1]))
    assert loss == pytest.approx((np.log(2) + np.log(5)) / 2, rel=1e-5)
    assert accuracy == 0.5
