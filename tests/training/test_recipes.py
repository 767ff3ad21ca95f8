"""Recipes: what is read, what is refused."""

import dataclasses
from pathlib import Path

import pytest

from fer_edge.errors import UsageError
from fer_edge.training import recipes
from fer_edge.training.recipes import Augmentation, Recipe

SHIPPED = sorted((Path(__file__).parents[2] / "train/recipes").glob("*.toml"))


@pytest.mark.parametrize("path", SHIPPED, ids=lambda p: p.stem)
def test_shipped_recipes_read_and_survive_a_round_trip(path, tmp_path):
    recipe = recipes.read(path)
    assert f"{path.stem}_".startswith(f"{recipe.name}_")  # a second training makes the same model
    copy = tmp_path / "copy.toml"
    copy.write_text(recipes.to_toml(recipe))
    assert recipes.read(copy) == recipe


def test_the_papers_recipe_is_the_papers():
    paper = recipes.read(next(p for p in SHIPPED if p.stem == "paper"))
    assert (paper.optimizer, paper.batch_size, paper.epochs, paper.dropout) == ("adam", 32, 100, 0.6)
    change = paper.augmentation  # Table 6
    assert (change.rotation_deg, change.shift_px, change.zoom_min, change.zoom_max) == (90, 10, 0.7, 1.3)
    assert change.flip
    assert paper.balance_classes == 1


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("epoch = 3", "unknown key 'epoch'"),
        ("[augmentation]\nrotate = 3", "unknown key 'rotate'"),
        ("epochs = 'many'", "epochs must be of type int"),
        ("epochs = true", "epochs must be of type int"),
        ("epochs = 0", "at least 1"),
        ("dropout = 1.0", "dropout"),
        ("optimizer = 'adamm'", "optimizer must be one of"),
        ("epochs = ", "not a recipe"),
        ("augmentation = 3", "must be a table"),
    ],
)
def test_bad_recipes_say_what_is_wrong(text, complaint, tmp_path):
    path = tmp_path / "bad.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=complaint):
        recipes.read(path)


def test_a_missing_recipe_is_named(tmp_path):
    with pytest.raises(UsageError, match=r"gone\.toml"):
        recipes.read(tmp_path / "gone.toml")


def test_override_leaves_what_is_none():
    recipe = recipes.Recipe("r")
    assert recipe.override(epochs=None, dropout=0.2) == dataclasses.replace(recipe, dropout=0.2)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"gamma_max": 0.0}, "gamma_max must be at least 1"),
        ({"zoom_min": 1.2, "zoom_max": 1.1}, "at most zoom_max"),
        ({"blur_probability": 1.5}, "blur_probability must lie in 0..1"),
        ({"noise_sigma": -1.0}, "noise_sigma must be at least 0"),
        ({"erase_px": 49}, "at most the picture's side"),
        ({"dark_min": 2.0}, "dark_min must lie in 0..1"),
    ],
)
def test_ranges_of_augmentation_are_checked(wrong, said):
    with pytest.raises(UsageError, match=said):
        Augmentation(**wrong)


def test_an_older_recipe_is_completed_and_nonsense_is_left():
    old = dataclasses.asdict(Recipe("old", epochs=7))
    del old["teacher_weight"], old["augmentation"]["gamma_max"]
    assert recipes.completed(old) == dataclasses.asdict(Recipe("old", epochs=7))
    for nonsense in (None, [], {"name": "x"}, {"augmentation": 3}):
        assert recipes.completed(nonsense) == nonsense
