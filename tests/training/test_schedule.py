"""Learning rates and stopping, by hand."""

import pytest

from fer_edge.training import schedule
from fer_edge.training.recipes import Recipe

PLATEAU = Recipe("r", patience=8, learning_rate=1e-3)


def test_best_epoch_takes_the_earlier_of_equals():
    assert schedule.best_epoch([3.0, 1.0, 1.0, 2.0], "val_loss") == 1
    assert schedule.best_epoch([0.3, 0.5, 0.5, 0.4], "val_accuracy") == 1


@pytest.mark.parametrize(
    ("losses", "factor"),
    [([], 1), ([1.0, 1.1], 1), ([1.0, 1.1, 1.2], 0.1), ([1.0, 1.1, 0.9, 1.0], 1), ([1.0] * 5, 0.01)],
)
def test_plateau_falls_to_a_tenth_after_two_epochs_without_a_lower_loss(losses, factor):
    assert schedule.plateau_factor(losses, 2) == pytest.approx(factor)


def test_plateau_rate_falls_at_a_quarter_of_the_patience():
    assert schedule.learning_rate(PLATEAU, 0, 100, [1.0, 1.1, 1.2]) == pytest.approx(1e-4)


def test_stops_after_the_patience():
    assert not schedule.should_stop(PLATEAU, [1.0] + [2.0] * 7)
    assert schedule.should_stop(PLATEAU, [1.0] + [2.0] * 8)


def test_one_cycle_rises_then_falls_to_nothing_and_never_stops():
    recipe = Recipe("r", schedule="one_cycle", learning_rate=0.1, warmup_fraction=0.25)
    rates = [schedule.learning_rate(recipe, step, 400, []) for step in range(400)]
    assert rates[0] == pytest.approx(0.004)
    assert max(rates) == rates[100] == pytest.approx(0.1)
    assert rates[250] == pytest.approx(0.05)
    assert 0 <= rates[-1] < 1e-5
    assert not schedule.should_stop(recipe, [1.0] + [2.0] * 100)
