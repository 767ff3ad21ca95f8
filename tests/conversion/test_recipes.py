from __future__ import annotations

from pathlib import Path

import pytest

from fer_edge.conversion import recipes
from fer_edge.errors import UsageError
from fer_edge.spec import Format


def test_the_shipped_recipe_has_limits_for_every_format(recipe: recipes.Recipe) -> None:
    assert [recipe.limits(format_).agreement for format_ in Format] == [0.9995, 0.999, 0.99, 0.99, 0.98, 0.99]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("colour = 1", "unknown key 'colour'"),
        ("[int8]\nagreemnt = 0.9", r"\[int8\]: unknown key 'agreemnt'"),
        ("[int7]\nagreement = 0.9", "unknown key 'int7'"),
        ("calibration_samples = 'many'", "calibration_samples must be of type int"),
        ("calibration_samples = 0", "calibration_samples must be at least 1"),
        ("int8 = 3", r"\[int8\] must be a table"),
        ("= 3", "is not a recipe"),
    ],
)
def test_what_is_no_recipe_is_refused_by_name(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(text)
    with pytest.raises(UsageError, match=said):
        recipes.read(path)


def test_a_format_without_limits_is_not_waved_through(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text("[int8]\nagreement = 0.9\n")
    mine = recipes.read(path)
    assert (mine.name, mine.limits(Format.INT8).agreement) == ("mine", 0.9)
    with pytest.raises(UsageError, match="no thresholds for float16"):
        mine.limits(Format.FLOAT16)
