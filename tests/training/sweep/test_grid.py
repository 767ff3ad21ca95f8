"""What a sweep tries, and how a long training is read as a short one."""

import pytest

from fer_edge.errors import UsageError
from fer_edge.training.recipes import Recipe
from fer_edge.training.sweep import grid

PAPER = Recipe("paper", schedule="plateau", patience=20)


def test_values_of_the_plan_and_of_the_tables_and_both():
    assert grid.values("epochs", "table3") == (30, 50, 70, 90, 100)
    assert grid.values("epochs", "reported") == (70, 90, 100, 120, 150)
    assert grid.values("epochs", "both") == (30, 50, 70, 90, 100, 120, 150)
    assert grid.values("dropout", "both") == (0.2, 0.4, 0.5, 0.6, 0.8, 1.0)
    assert grid.values("batch", "both") == (16, 32, 64, 128, 256)
    with pytest.raises(UsageError, match="table3, reported, both"):
        grid.Plan(PAPER, "table4")


def test_each_stage_goes_on_with_the_best_before_it():
    assert grid.setting("batch", 64, {}) == grid.Setting(64, 50, 0.6)
    assert grid.setting("epochs", 90, {"batch": 16}) == grid.Setting(16, 90, 0.6)
    assert grid.setting("dropout", 0.2, {"batch": 16, "epochs": 120}) == grid.Setting(16, 120, 0.2)
    assert grid.fixed("dropout", {"batch": 16, "epochs": 120}) == {"batch": 16, "epochs": 120}


def test_a_recipe_is_scaled_and_a_dropout_of_one_is_none():
    plan = grid.Plan(PAPER, "both", grid.Reduction(epochs_scale=0.1))
    recipe = plan.recipe(grid.Setting(256, 150, 1.0))
    assert (recipe.batch_size, recipe.epochs, recipe.dropout, recipe.patience) == (256, 15, 0.0, 4)
    assert plan.recipe(grid.Setting(32, 30, 0.8)).dropout == 0.8
    assert grid.Reduction(0.5).patience(20) == 10
    assert grid.Reduction(0.5).patience(3) == 3
    assert grid.Plan(PAPER, "both", grid.Reduction(0.001)).recipe(grid.Setting(32, 30, 0.8)).epochs == 1


@pytest.mark.parametrize("scale", [0, -1, 1.5, float("nan")])
def test_a_scale_outside_its_range_is_wrong_usage(scale):
    with pytest.raises(UsageError, match="epochs-scale"):
        grid.Reduction(epochs_scale=scale)


def test_a_reduction_says_what_it_is():
    assert str(grid.Reduction()) == "whole"
    text = str(grid.Reduction(0.1, 2000))
    assert "0.1 of the epochs" in text
    assert "2,000 pictures" in text


def test_only_where_epochs_nest_the_longest_stands_for_all():
    nested = grid.Plan(PAPER, "both")
    assert {nested.trained("epochs", value) for value in nested.values("epochs")} == {150}
    assert nested.trained("batch", 16) == 16
    cycle = grid.Plan(Recipe("tuned", schedule="one_cycle"), "both")
    assert [cycle.trained("epochs", value) for value in (30, 150)] == [30, 150]


def test_score_reads_the_first_epochs_alone():
    losses, accuracies = (2.0, 1.5, 1.6, 1.4), (0.2, 0.4, 0.5, 0.3)
    history = [
        {"epoch": n + 1.0, "val_loss": losses[n], "val_accuracy": accuracies[n]} for n in range(len(losses))
    ]
    got = grid.score(history, 3, "val_loss")
    assert (got["best_epoch"], got["val_accuracy"], got["val_loss"]) == (2, 0.4, 1.5)
    assert (got["last_val_accuracy"], got["ran_epochs"], got["epochs"]) == (0.5, 3, 3)
    assert grid.score(history, 3, "val_accuracy")["best_epoch"] == 3
    stopped = grid.score(history, 10, "val_loss")
    assert (stopped["best_epoch"], stopped["ran_epochs"], stopped["epochs"]) == (4, 4, 10)
