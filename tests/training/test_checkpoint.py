"""What is not whole in a checkpoint is refused in a line, whichever way numpy takes it."""

import zipfile

import numpy as np
import pytest

pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.errors import DataError
from fer_edge.training import checkpoint

STATE = checkpoint.State({}, 0, "s", [{"epoch": 1, "val_loss": 1.0}], 0)


def test_the_best_weights_come_back_in_their_order(tmp_path):
    wanted = [np.full((2,), k, np.float32) for k in range(12)]  # weight_10 sorts before weight_2
    np.savez(tmp_path / "best_0000.npz", **{f"weight_{k}": w for k, w in enumerate(wanted)})
    for found, sound in zip(checkpoint.best_weights(tmp_path, STATE), wanted, strict=True):
        np.testing.assert_array_equal(found, sound)


def test_a_member_that_is_no_array_is_refused(tmp_path):
    np.savez(tmp_path / "best_0000.npz", weight_0=np.zeros(2))
    with zipfile.ZipFile(tmp_path / "best_0000.npz", "a") as archive:
        archive.writestr("weight_1.npy", b"no array")  # numpy gives its bytes as they are
    with pytest.raises(DataError, match=r"best_0000\.npz cannot be read .*not all in it are arrays"):
        checkpoint.best_weights(tmp_path, STATE)
