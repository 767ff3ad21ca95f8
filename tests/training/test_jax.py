"""Keras on JAX: the same training, and `.keras` files that mean the same on both sides.

JAX runs in a process of its own, since Keras has one backend a process; TensorFlow runs in this one.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the train extra is not installed")
if importlib.util.find_spec("jax") is None:
    pytest.skip("needs JAX: pip install jax", allow_module_level=True)
if keras.backend.backend() != "tensorflow":
    pytest.skip("needs Keras on TensorFlow", allow_module_level=True)

import other_backend  # noqa: E402
from tiny_network import Silent, dataset  # noqa: E402

from fer_edge.training import fit, reference  # noqa: E402
from fer_edge.training.batches import predict  # noqa: E402


@pytest.fixture(scope="module")
def sides(tmp_path_factory):
    """A training of two epochs on TensorFlow, its second epoch again on JAX, and each side's model."""
    root = tmp_path_factory.mktemp("jax")
    data = dataset()

    def after(state):
        if state.epochs == 1:
            shutil.copytree(root / "whole", root / "begun")

    network, state = fit.train(
        other_backend.RECIPE,
        data,
        data,
        folder=root / "whole",
        seed=0,
        watcher=Silent(),
        on_epoch=after,
    )
    theirs = reference.rebuild(network, other_backend.RECIPE)
    theirs.save(root / "theirs.keras")
    env = {**os.environ, "KERAS_BACKEND": "jax", "JAX_PLATFORMS": "cpu"}
    done = subprocess.run(
        [sys.executable, other_backend.__file__, root], check=False, capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return root, data, state, predict(theirs, data.images)


def test_jax_goes_on_with_a_training_of_tensorflow_and_comes_to_the_same(sides):
    root, _, state, _ = sides
    on_jax = json.loads((root / "history.json").read_text())
    assert [row["epoch"] for row in on_jax] == [1, 2]
    assert on_jax[0] == state.history[0]  # the first epoch was TensorFlow's
    for key in ("loss", "val_loss", "learning_rate"):
        # Sums in another order: float32 rounding alone, grown through two steps of descent.
        assert on_jax[1][key] == pytest.approx(state.history[1][key], rel=1e-4)


def test_a_model_of_tensorflow_gives_the_same_on_jax(sides):
    root, _, _, probabilities = sides
    np.testing.assert_allclose(np.load(root / "theirs.npy"), probabilities, rtol=0, atol=1e-5)


def test_a_model_of_jax_comes_back_for_conversion(sides):
    root, data, _, _ = sides
    ours = keras.models.load_model(root / "ours.keras", compile=False)
    np.testing.assert_allclose(predict(ours, data.images), np.load(root / "ours.npy"), rtol=0, atol=1e-5)
