"""Keras on JAX and PyTorch: the same training as on TensorFlow, alone or among processes and devices.

Each backend runs in a process of its own, since Keras has one a process; TensorFlow runs in this one.
"""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")
if keras.backend.backend() != "tensorflow":
    pytest.skip("needs Keras on TensorFlow", allow_module_level=True)

import other_backend  # noqa: E402
from tiny_network import dataset  # noqa: E402

from fer_edge.errors import UsageError  # noqa: E402
from fer_edge.training import device, fit, session  # noqa: E402

WORKER = Path(__file__).parents[1] / "worker_process.py"


def needs(package):
    return pytest.mark.skipif(
        importlib.util.find_spec(package) is None, reason=f"needs pip install {package}"
    )


def process(backend, *arguments, **more):
    """Python with these arguments, in a process of another backend."""
    env = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", **more}
    for name in {device.COUNT, device.INDEX, device.ADDRESSES} - set(more):
        env.pop(name, None)
    return subprocess.Popen(
        [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env
    )


def end(*processes):
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said[-1][-3000:]
    return said[-1]


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A training of two epochs on TensorFlow, its second epoch again on JAX, and each side's model."""
    root = tmp_path_factory.mktemp("jax")
    data = dataset()

    def after(state):
        if state.epochs == 1:
            shutil.copytree(root / "whole", root / "begun")

    where = {"folder": root / "whole", "seed": 0, "on_epoch": after}
    network, state = fit.train(other_backend.RECIPE, data, data, **where)
    theirs = session.in_float32(network, other_backend.RECIPE)
    theirs.save(root / "theirs.keras")
    end(process("jax", other_backend.__file__, root))
    return root, data, state, fit.predict(theirs, data.images)


@needs("jax")
def test_jax_goes_on_with_a_training_of_tensorflow_and_comes_to_the_same(sides):
    root, _, state, _ = sides
    on_jax = json.loads((root / "history.json").read_text())
    assert [row["epoch"] for row in on_jax] == [1, 2]
    assert on_jax[0] == state.history[0]  # the first epoch was TensorFlow's
    for key in ("loss", "val_loss", "learning_rate"):
        # Sums in another order: float32 rounding alone, grown through two steps of descent.
        assert on_jax[1][key] == pytest.approx(state.history[1][key], rel=1e-4)


@needs("jax")
def test_models_give_the_same_on_both(sides):
    root, data, _, probabilities = sides
    np.testing.assert_allclose(np.load(root / "theirs.npy"), probabilities, rtol=0, atol=1e-5)
    ours = keras.models.load_model(root / "ours.keras", compile=False)
    np.testing.assert_allclose(fit.predict(ours, data.images), np.load(root / "ours.npy"), rtol=0, atol=1e-5)


def left(folder, index=0):
    with np.load(folder / str(index) / "weights.npz") as stored:
        weights = [stored[name] for name in sorted(stored)]
    return weights, json.loads((folder / str(index) / "told.json").read_text())


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    end(process("jax", WORKER, folder))
    return left(folder)


def same(one, two):
    """To 1e-5 after two epochs: JAX sums in another order there; batch normalisation sees whole batches, and
    dropout draws whole batches' masks, in all three."""
    for a, b in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    for a, b in zip(one[1]["history"], two[1]["history"], strict=True):
        for key in ("loss", "val_loss"):
            assert a[key] == pytest.approx(b[key], rel=1e-5)
        assert (a["accuracy"], a["val_accuracy"]) == pytest.approx((b["accuracy"], b["val_accuracy"]))


@needs("jax")
def test_two_processes_are_as_one(alone, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    together = {device.COUNT: "2", device.ADDRESSES: f"127.0.0.1:{port}"}
    each = [{**together, device.INDEX: str(index)} for index in range(2)]
    end(*(process("jax", WORKER, tmp_path, **more) for more in each))
    assert (left(tmp_path)[1]["count"], alone[1]["count"]) == (2, 1)
    same(left(tmp_path, 0), alone)
    same(left(tmp_path, 1), alone)
    assert left(tmp_path)[1]["passed"]


@needs("jax")
def test_two_devices_are_as_one(alone, tmp_path):
    end(process("jax", WORKER, tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2"))
    assert (left(tmp_path)[1]["count"], left(tmp_path)[1]["devices"]) == (1, 2)
    same(left(tmp_path), alone)


def test_each_process_has_its_part_of_a_batch():
    assert device.Workers(0, 2, 2).share(32) == slice(0, 16)
    assert device.Workers(1, 2, 4).share(32) == slice(16, 32)
    assert device.Workers().share(7) == slice(0, 7)
    with pytest.raises(UsageError, match="4 devices"):
        device.Workers(1, 2, 4).share(30)


def test_what_cannot_be_is_said(monkeypatch):
    monkeypatch.setenv(device.COUNT, "two")
    with pytest.raises(UsageError, match="number of processes"):
        device.join()
    monkeypatch.setenv(device.COUNT, "2")
    with pytest.raises(UsageError, match="KERAS_BACKEND=jax"):
        device.join()  # the tests run on TensorFlow


PROGRAM = """
import keras, numpy as np, torch
from keras import layers
from fer_edge.training import networks

CASES = [  # the second has one pixel more after than before
    (12, lambda of: of.Conv2D(4, 5, padding="same", activation="relu")),
    (12, lambda of: of.Conv2D(4, 5, strides=2, padding="same", activation="relu")),
    (13, lambda of: of.Conv2D(4, 5, strides=2, padding="same", activation="relu")),
    (12, lambda of: of.Conv2D(4, 5, strides=2, padding="valid", activation="relu")),
    (12, lambda of: of.MaxPooling2D(2)),
    (13, lambda of: of.MaxPooling2D(2)),
    (12, lambda of: of.BatchNormalization()),
]

def gone_through(layer, faces):
    # Outputs, gradients of the mean of their cubes, and the state after it.
    given = torch.tensor(faces, requires_grad=True)
    out = layer(given, training=True) if "batch" in layer.name else layer(given)
    (out ** 3).mean().backward()
    gradients = [given.grad] + [v.value.grad for v in layer.trainable_variables]
    return [v.detach().numpy() for v in (out, *gradients, *(v.value for v in layer.non_trainable_variables))]

for side, made_of in CASES:
    faces = np.random.default_rng(0).normal(size=(6, side, side, 3)).astype("float32")
    both = []
    for of in (networks.fastest_layers(), layers):
        keras.utils.set_random_seed(1)
        layer = made_of(of)
        layer.build(faces.shape)
        both.append((type(layer), gone_through(layer, faces)))
    (ours, one), (own, two) = both
    assert ours is not own and len(one) == len(two) > 1
    if own is layers.BatchNormalization:  # PyTorch's estimate of the variance has no bias
        n = 6 * side * side
        two[-1] = 0.99 + (two[-1] - 0.99) * n / (n - 1)
    for a, b in zip(one, two):
        assert a.shape == b.shape
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)
print("same", len(CASES), flush=True)
"""


@needs("torch")
def test_pytorchs_own_kernels_give_what_keras_gives():
    assert "same 7" in end(process("torch", "-c", PROGRAM)).splitlines()
