from pathlib import Path

import pytest

from fer_edge.errors import UsageError
from fer_edge.training import recipes
from fer_edge.training.recipes import Recipe

SHIPPED = sorted((Path(__file__).parents[1] / "train/recipes").rglob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_recipes_read_and_survive_a_round_trip(path, tmp_path):
    recipe, copy = recipes.read(path), tmp_path / "copy.toml"
    copy.write_text(recipes.to_toml(recipe), encoding="utf-8-sig")  # as some editors write it
    assert (recipe.name, recipes.read(copy)) == (path.stem, recipe)  # its name is what it gives


def test_the_papers_recipe_is_the_papers():
    paper = recipes.read(next(p for p in SHIPPED if p.stem == "paper"))
    assert (paper.optimizer, paper.batch_size, paper.epochs, paper.dropout) == ("adam", 32, 120, 0.6)
    change = paper.augmentation  # Table 6
    assert (change.rotation_deg, change.shift_px, change.zoom_min, change.zoom_max) == (90, 10, 0.7, 1.3)
    assert (change.flip, change.one_change) == (True, True)  # Figure 6


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epoch = 3", "unknown key 'epoch'"),
        ("[augmentation]\nrotate = 3", "unknown key 'rotate'"),
        ("epochs = 'many'", "epochs must be of type int"),
        ("epochs = true", "epochs must be of type int"),
        ("momentum = 2.0", "momentum must be a number from 0 to 1, not 2.0"),
        ("optimizer = 'adamm'", "optimizer must be one of"),
        ("epochs = ", "not a recipe"),
        ("augmentation = 3", "must be a table"),
        ("[augmentation]\nzoom_min = 1.2\nzoom_max = 1.1", "at most zoom_max"),
        ("[augmentation]\nerase_px = 49", "erase_px must be a number from 0 to 48, not 49"),
        (None, r"bad\.toml"),
    ],
)
def test_bad_recipes_say_what_is_wrong(text, complaint, tmp_path):
    if text is not None:
        (tmp_path / "bad.toml").write_text(text)
    with pytest.raises(UsageError, match=complaint):
        recipes.read(tmp_path / "bad.toml")


PLATEAU = Recipe("r", patience=8, learning_rate=1e-3)


def history(losses, accuracies=None):
    return [
        {"epoch": n + 1.0, "loss": 1, "accuracy": 0.1, "val_loss": loss, "val_accuracy": accuracy}
        for n, (loss, accuracy) in enumerate(zip(losses, accuracies or losses, strict=True))
    ]


def test_best_epoch_takes_the_earlier_of_equals_and_the_patience_ends():
    assert recipes.best_epoch(history([3.0, 1.0, 1.0, 2.0]), "val_loss") == 1
    assert recipes.best_epoch(history([0.3, 0.5, 0.5, 0.4]), "val_accuracy") == 1
    for epochs, ends in ((7, False), (8, True)):
        assert recipes.should_stop(PLATEAU, history([1.0] + [2.0] * epochs)) is ends


@pytest.mark.parametrize(
    ("losses", "factor"),
    [([], 1), ([1.0, 1.1], 1), ([1.0, 1.1, 1.2], 0.1), ([1.0, 1.1, 0.9, 1.0], 1), ([1.0] * 5, 0.01)],
)
def test_the_plateaus_rate_falls_to_a_tenth_after_a_quarter_of_the_patience(losses, factor):
    assert recipes.learning_rate(PLATEAU, 0, 100, history(losses)) == pytest.approx(1e-3 * factor)
    floored = PLATEAU.override(learning_rate_floor=2e-4)
    assert recipes.learning_rate(floored, 0, 100, history(losses)) == pytest.approx(max(1e-3 * factor, 2e-4))


def test_one_cycle_rises_then_falls_to_nothing_and_never_stops():
    recipe = Recipe("r", schedule="one_cycle", learning_rate=0.1, warmup_fraction=0.25)
    rates = [recipes.learning_rate(recipe, step, 400, []) for step in range(400)]
    assert [rates[0], rates[100], rates[250]] == pytest.approx([0.004, 0.1, 0.05])
    assert max(rates) == rates[100]
    assert 0 <= rates[-1] < 1e-5
    assert not recipes.should_stop(recipe, history([1.0] + [2.0] * 100))
