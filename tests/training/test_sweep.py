"""The paper's search: what it tries, in which order, and what it says of trainings with known results."""

import json

import pytest

from fer_edge import files, paper
from fer_edge.data import load
from fer_edge.errors import OutputError, UsageError
from fer_edge.training import fit, sweep
from fer_edge.training.recipes import Recipe

BASE = Recipe("paper", schedule="plateau", protocol="paper")
BATCH_64_BEST = {16: 0.1, 32: 0.2, 64: 0.4, 128: 0.3, 256: 0.2}


def work(folder):
    splits = BASE.split(load("drawn:420"), None)
    return sweep.run(sweep.Plan(BASE, 0.1, 50), splits, folder, precision="float32")


def test_a_schedule_that_knows_its_end_is_trained_for_each_number_of_epochs_of_a_scale_to_1():
    assert set(sweep.Plan(BASE).trained("epochs").values()) == {150}  # one training, read at each
    assert sweep.Plan(Recipe("tuned", schedule="one_cycle")).trained("epochs")[70] == 70
    assert sweep.Plan(BASE, epochs_scale=0.001).recipe(32, 30, 0.8).epochs == 1  # at least
    for outside in (0, -1, 1.1, float("nan")):
        with pytest.raises(UsageError, match="epochs-scale"):
            sweep.Plan(BASE, epochs_scale=outside)


def test_the_stages_in_their_order_each_training_once(monkeypatch, tmp_path):
    """Instead of a training, a curve is given back: best at epoch 90 (9 of 15), none better than without
    dropout. `trained` holds (batch, epochs, dropout, pictures)."""
    trained = []

    def train(recipe, training, validation, *, folder, seed):
        trained.append((recipe.batch_size, recipe.epochs, recipe.dropout, len(training)))
        history = [
            {"epoch": n, "loss": 1.0, "accuracy": 0.2, "val_loss": abs(n - 9) + recipe.dropout}
            | {"val_accuracy": BATCH_64_BEST[recipe.batch_size] - recipe.dropout / 10 - abs(n - 9) / 1000}
            for n in range(1, recipe.epochs + 1)
        ]
        return None, fit.State({}, seed, "", history, 0)

    monkeypatch.setattr(fit, "train", train)
    result = work(tmp_path)
    assert sorted(trained[:5]) == [(b, 5, 0.0, 50) for b in (16, 32, 64, 128, 256)]
    assert trained[5] == (64, 15, 0.0, 50)
    assert sorted(trained[6:]) == [(64, 9, d, 50) for d in (0.0, 0.2, 0.4, 0.5, 0.6, 0.8)]
    stages = result["stages"]
    assert {name: told["best"] for name, told in stages.items()} == {"batch": 64, "epochs": 90, "dropout": 1}
    found = [(row["value"], row["best_epoch"], row["ran_epochs"]) for row in stages["epochs"]["rows"]]
    assert found[:3] == [(30, 3, 3), (50, 5, 5), (70, 7, 7)]
    assert found[3:] == [(90, 9, 9), (100, 9, 10), (120, 9, 12), (150, 9, 15)]
    rows = {row["value"]: row for stage in ("batch", "dropout") for row in stages[stage]["rows"]}
    assert rows[0.6]["val_accuracy"] == pytest.approx(0.4 - 0.06)
    assert json.loads((tmp_path / "results.json").read_text()) == result
    page = (tmp_path / "results.md").read_text()
    assert "| 30 | 3 | 3 | 20.00 | not reported |" in page  # but planned
    assert "0.1 of the paper's epochs, 50 pictures to train on, 50 to validate on" in page
    assert "95 % interval of 40.0: 27.6 to 53.8" in page  # 20 of 50, Wilson's
    assert all(len(set(table.headers)) == len(table.headers) for table in sweep.tables(result))
    for rows in paper.RESULTS.values():  # the paper's figure stands beside each of ours
        for stated in rows.values():
            assert f"{stated.val_accuracy:.2f}" in page


def test_two_searches_in_one_folder_the_second_is_refused(tmp_path):
    with files.held(tmp_path, "search"), pytest.raises(OutputError, match="another search is writing to"):
        work(tmp_path)
