"""A whole sweep, its trainings replaced by ones whose results are known beforehand."""

import json

import numpy as np
import pytest

pytest.importorskip("optuna", reason="the train extra is not installed")
pytest.importorskip("keras", reason="the train extra is not installed")

from fer_edge.data import load
from fer_edge.errors import GateError, UsageError
from fer_edge.training import checkpoint, fit
from fer_edge.training.recipes import Recipe
from fer_edge.training.sweep import grid, run

BASE = Recipe("paper", schedule="plateau", protocol="paper")
BATCH_64_BEST = {16: 0.1, 32: 0.2, 64: 0.4, 128: 0.3, 256: 0.2}


@pytest.fixture
def trained(monkeypatch):
    """Trainings instead of which a curve is given back: best at epoch 90 (9 of 15), none better than
    without dropout; batch 128 loses its loss. The list holds (batch, epochs, dropout, pictures)."""
    seen = []

    def train(recipe, training, validation, *, folder, seed, watcher, on_epoch):
        seen.append((recipe.batch_size, recipe.epochs, recipe.dropout, len(training)))
        if recipe.batch_size == 128:
            raise GateError("the loss is nan")
        state = checkpoint.State({}, seed, "", [], 0)
        for epoch in range(1, recipe.epochs + 1):
            loss = abs(epoch - 9) + recipe.dropout
            accuracy = BATCH_64_BEST[recipe.batch_size] - recipe.dropout / 10 - abs(epoch - 9) / 1000
            state.history.append({"epoch": epoch, "val_loss": loss, "val_accuracy": accuracy})
            on_epoch(state)
        return None, state

    monkeypatch.setattr(fit, "train", train)
    return seen


def sweep(folder, which="reported"):
    return run.Sweep(
        grid.Plan(BASE, which, grid.Reduction(0.1, 50)), "drawn:420", folder, precision="float32"
    )


def test_the_stages_in_their_order_each_training_once(trained, tmp_path):
    result = run.run(sweep(tmp_path), grid.STAGES)
    batches = [(b, 5, 0.6, 50) for b in (16, 32, 64, 128, 256)]
    dropouts = [(64, 9, d, 50) for d in (0.2, 0.4, 0.8, 0.0)]  # 0.6 is known from the stage before
    assert trained == [*batches, (64, 15, 0.6, 50), *dropouts]
    stages = result["stages"]
    assert {name: part["best"] for name, part in stages.items()} == {"batch": 64, "epochs": 90, "dropout": 1}
    assert [row["value"] for row in stages["epochs"]["rows"]] == [70, 90, 100, 120, 150]
    assert [row["best_epoch"] for row in stages["epochs"]["rows"]] == [7, 9, 9, 9, 9]
    assert [row["ran_epochs"] for row in stages["epochs"]["rows"]] == [7, 9, 10, 12, 15]
    by_dropout = {row["value"]: row for row in stages["dropout"]["rows"]}
    assert by_dropout[0.6]["val_accuracy"] == pytest.approx(0.4 - 0.06)
    assert by_dropout[1.0]["paper_val_accuracy"] == 0.6672
    failed = next(row for row in stages["batch"]["rows"] if row["value"] == 128)
    assert failed["error"] == "the loss is nan"
    assert json.loads((tmp_path / "results.json").read_text()) == result
    text = (tmp_path / "results.md").read_text()
    assert "reduced: 0.1 of the epochs" in text
    assert "contains its test set" in text
    # 20 of 50 named rightly without dropout, at the best epoch: Wilson's interval
    assert "The 95 % interval of 40.0 % is 27.6 to 53.8." in text
    assert (tmp_path / "results.png").stat().st_size > 1000


def test_a_second_run_trains_nothing_anew(trained, tmp_path):
    first = run.run(sweep(tmp_path), ("batch",))
    count = len(trained)
    assert run.run(sweep(tmp_path), ("batch",))["stages"] == first["stages"]
    assert len(trained) == count
    run.run(sweep(tmp_path), grid.STAGES)
    assert trained[count] == (64, 15, 0.6, 50)


def test_a_stage_without_its_predecessor_is_wrong_usage(trained, tmp_path):
    with pytest.raises(UsageError, match="--stage batch first"):
        run.run(sweep(tmp_path), ("epochs",))
    assert trained == []


def test_the_subset_is_fixed_by_the_seed():
    data = load("drawn:420", seed=0)
    one, two = data.sample(30, 1), data.sample(30, 1)
    np.testing.assert_array_equal(one.ids, two.ids)
    assert len(one) == len(set(one.ids.tolist())) == 30
    assert one.ids.tolist() != data.sample(30, 2).ids.tolist()
    assert len(data.sample(None, 1)) == len(data.sample(1000, 1)) == 420
