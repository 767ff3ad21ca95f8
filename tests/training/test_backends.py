"""Keras on JAX and PyTorch: the same training as on TensorFlow, alone or among processes and devices. Each
runs in a process of its own, since Keras has one backend a process; TensorFlow runs in this one."""

import importlib.util
import json
import os
import shutil
import socket
import subprocess
import sys

import keras
import numpy as np
import pytest

if keras.backend.backend() != "tensorflow":
    pytest.skip("needs Keras on TensorFlow", allow_module_level=True)

import keras_process
from tiny_network import dataset

from fer_edge.errors import UsageError
from fer_edge.model import keras_files
from fer_edge.training import device, fit


def process(backend, *arguments, **more):
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"needs pip install {backend}")
    env = {**os.environ, "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu", **more}
    for name in {device.COUNT, device.INDEX, device.ADDRESSES} - set(more):
        env.pop(name, None)
    command = [sys.executable, keras_process.__file__, *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def end(*processes):
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said[-1][-3000:]
    return said[-1]


def test_jax_goes_on_with_a_training_of_tensorflow_and_models_give_the_same(tmp_path, monkeypatch):
    """A training of two epochs on TensorFlow, its second epoch again on JAX, and each side's model."""
    root, data, recipe, save = tmp_path, dataset(), keras_process.RESUMED, fit.save

    def saved(folder, model, state):
        save(folder, model, state)
        if state.epochs == 1:
            shutil.copytree(folder.parent, root / "begun")

    monkeypatch.setattr(fit, "save", saved)
    network, _, state = fit.train(recipe, data, data, folder=root / "whole", seed=0)
    theirs = keras_files.in_float32(network)
    theirs.save(root / "theirs.keras")
    end(process("jax", "resumed", root))
    probabilities = fit.predict(theirs, data.images)
    on_jax = json.loads((root / "history.json").read_text())
    assert [row["epoch"] for row in on_jax] == [1, 2]
    assert on_jax[0] == state.history[0]  # the first epoch was TensorFlow's
    for key in ("loss", "val_loss", "learning_rate"):
        # Sums in another order: float32 rounding alone, grown through two steps of descent.
        assert on_jax[1][key] == pytest.approx(state.history[1][key], rel=1e-4)
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
    end(process("jax", "shared", folder))
    return left(folder)


def same(one, two):
    """To 1e-5 after two epochs: JAX sums in another order there; batch normalisation sees whole batches, and
    dropout draws whole batches' masks, in all three."""
    for a, b in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    for a, b in zip(one[1]["history"], two[1]["history"], strict=True):
        for key in ("loss", "val_loss", "accuracy", "val_accuracy"):
            assert a[key] == pytest.approx(b[key], rel=1e-5)


def test_two_processes_are_as_one(alone, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    together = {device.COUNT: "2", device.ADDRESSES: f"127.0.0.1:{port}"}
    end(*(process("jax", "shared", tmp_path, **together, **{device.INDEX: index}) for index in "01"))
    for index in (0, 1):
        same(left(tmp_path, index), alone)
    told = left(tmp_path)[1]
    assert (told["count"], alone[1]["count"], told["passed"]) == (2, 1, True)


def test_two_devices_are_as_one(alone, tmp_path):
    end(process("jax", "shared", tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2"))
    weights, told = left(tmp_path)
    assert (told["count"], told["devices"]) == (1, 2)
    same((weights, told), alone)


def test_each_process_has_its_part_of_a_batch_and_what_cannot_be_is_said(monkeypatch):
    parts = device.Workers(0, 2, 2).share(32), device.Workers(1, 2, 4).share(32), device.Workers().share(7)
    assert parts == (slice(0, 16), slice(16, 32), slice(0, 7))
    with pytest.raises(UsageError, match="4 devices"):
        device.Workers(1, 2, 4).share(30)
    for count, said in (("two", "number of processes"), ("2", "KERAS_BACKEND=jax")):
        monkeypatch.setenv(device.COUNT, count)  # the tests run on TensorFlow
        with pytest.raises(UsageError, match=said):
            device.join()


def test_pytorchs_own_kernels_give_what_keras_gives():
    assert "same" in end(process("torch", "layers")).splitlines()
