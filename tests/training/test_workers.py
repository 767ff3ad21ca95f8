"""Two processes, and two devices of one process, train what one does with the same global batch.

Tolerance: 1e-5 in every weight and 1e-5 of every loss after two epochs. JAX sums in another order there;
batch normalisation sees whole batches, and dropout draws whole batches' masks, in all three.
"""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("keras", reason="the train extra is not installed")
if importlib.util.find_spec("jax") is None:
    pytest.skip("needs JAX: pip install jax", allow_module_level=True)

from fer_edge.errors import UsageError
from fer_edge.training import workers

SCRIPT = Path(__file__).parents[1] / "worker_process.py"


def start(folder, **more):
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu", **more}
    for name in (workers.COUNT, workers.INDEX, workers.ADDRESSES):
        if name not in more:
            env.pop(name, None)
    command = [sys.executable, SCRIPT, folder]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=env)


def end(*processes):
    said = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), said[-1][-3000:]


def left(folder, index=0):
    with np.load(folder / str(index) / "weights.npz") as stored:
        weights = [stored[name] for name in sorted(stored)]
    return weights, json.loads((folder / str(index) / "told.json").read_text())


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    folder = tmp_path_factory.mktemp("alone")
    end(start(folder))
    return left(folder)


def same(one, two):
    for a, b in zip(one[0], two[0], strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-5)
    for a, b in zip(one[1]["history"], two[1]["history"], strict=True):
        for key in ("loss", "val_loss"):
            assert a[key] == pytest.approx(b[key], rel=1e-5)
        assert (a["accuracy"], a["val_accuracy"]) == pytest.approx((b["accuracy"], b["val_accuracy"]))


def test_two_processes_are_as_one(alone, tmp_path):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    together = {workers.COUNT: "2", workers.ADDRESSES: f"127.0.0.1:{port}"}
    end(*(start(tmp_path, **together, **{workers.INDEX: str(index)}) for index in range(2)))
    assert (left(tmp_path)[1]["count"], alone[1]["count"]) == (2, 1)
    same(left(tmp_path, 0), alone)
    same(left(tmp_path, 1), alone)
    assert left(tmp_path)[1]["passed"]


def test_two_devices_are_as_one(alone, tmp_path):
    end(start(tmp_path, XLA_FLAGS="--xla_force_host_platform_device_count=2"))
    assert (left(tmp_path)[1]["count"], left(tmp_path)[1]["devices"]) == (1, 2)
    same(left(tmp_path), alone)


def test_each_process_has_its_part_of_a_batch():
    assert workers.Workers(0, 2, 2).share(32) == slice(0, 16)
    assert workers.Workers(1, 2, 4).share(32) == slice(16, 32)
    assert workers.Workers().share(7) == slice(0, 7)
    with pytest.raises(UsageError, match="4 devices"):
        workers.Workers(1, 2, 4).share(30)


def test_what_cannot_be_is_said(monkeypatch):
    monkeypatch.setenv(workers.COUNT, "two")
    with pytest.raises(UsageError, match="number of processes"):
        workers.begin()
    monkeypatch.setenv(workers.COUNT, "2")
    with pytest.raises(UsageError, match="KERAS_BACKEND=jax"):
        workers.begin()  # the tests run on TensorFlow
