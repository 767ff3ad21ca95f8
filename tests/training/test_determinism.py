"""With --deterministic, another process gives the same weights, also one that was killed and resumed."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

FER_EDGE = Path(sys.executable).with_name("fer-edge")
RECIPE = """
network = "paper"
epochs = 6
batch_size = 16
dropout = 0.3
reference_agreement = 0.0
reference_loss_difference = 100.0
[augmentation]
rotation_deg = 20.0
flip = true
"""


def command(out, *more):
    options = ("--recipe", "small.toml", "--data", "drawn:84", "--deterministic", "--seed", "3")
    return [str(FER_EDGE), "train", *options, "--out", out, *more]


@pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="the train extra is not installed")
def test_another_process_killed_and_resumed_gives_the_same_weights(tmp_path):
    (tmp_path / "small.toml").write_text(RECIPE)
    done = subprocess.run(command("whole"), check=False, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    child = subprocess.Popen(
        command("killed"), cwd=tmp_path, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    state = tmp_path / "killed/checkpoint/state.json"
    while not state.exists() and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert not (tmp_path / "killed/model.keras").exists()
    done = subprocess.run(
        command("killed", "--resume"), check=False, capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    one, two = (np.load(tmp_path / name / "checkpoint/epoch_0006.npz") for name in ("whole", "killed"))
    assert set(one) == set(two)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
