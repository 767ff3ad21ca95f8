"""What people write by hand: cards, recipes; and JSON that commands read back."""

from __future__ import annotations

import contextlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fer_edge.errors import ModelError
from fer_edge.model import file, shipped
from fer_edge.spec import ModelCard, TensorSpec
from fuzz.mutation import Random, damaged, reshaped

ENDS = (TensorSpec("float32", (1, 48, 48, 1)), TensorSpec("float32", (1, 7)))
ROOT = Path(__file__).resolve().parents[2]


@cache
def _cards() -> tuple[dict[str, Any], ...]:
    ends = {"input": {"real_min": 0, "real_max": 1}, "output": {"content": "logits"}}
    least = {"labels": list("abcdefg"), **ends}
    whole = json.loads((shipped.models_folder() / "tuned_float32.json").read_text())
    return least, least, whole


def _json(value: Any, rng: Random) -> bytes:
    if rng.random() < 0.01:
        return b"[" * 100_000
    text = json.dumps(reshaped(value, rng), indent=None if rng.random() < 0.5 else 1).encode()
    return damaged(text, rng) if rng.random() < 0.3 else text


def card(rng: Random) -> bytes:
    return _json(_cards()[int(rng.integers(3))], rng)


def read_card(data: bytes, folder: Path) -> None:
    """As `--card FILE` of a model without one, and as the card beside a `.keras` file."""
    (folder / "card.json").write_bytes(data)
    with contextlib.suppress(ModelError):
        ModelCard.from_json(data, "card.json")
    found = file.find_card(folder / "m.tflite", _no_card(), folder / "card.json", ENDS)
    assert len(found.labels) == 7
    assert all(isinstance(label, str) for label in found.labels)
    assert isinstance(found.input.real_min, int | float)
    assert found.input.real_min < found.input.real_max
    assert found.output.content in file.CONTENTS
    json.loads(found.to_json(), parse_constant=lambda name: 1 / 0)  # a card that we write is valid JSON


@cache
def _no_card() -> bytes:
    import numpy as np
    from tiny_models import Spec, dense

    return dense((1, 48, 48, 1), np.zeros((7, 2304)), entry=Spec("float32"), output=Spec("float32"))


@cache
def _recipes(kind: str) -> tuple[dict[str, Any], ...]:
    import tomllib

    return tuple(tomllib.loads(p.read_text()) for p in sorted(shipped.recipes_folder(kind).glob("*.toml")))


def _toml(value: Any, top: bool = True) -> str:
    """Just enough of TOML for our recipes; what it cannot say it says wrongly, which is the purpose."""
    tables = {k: v for k, v in value.items() if isinstance(v, dict)} if top else {}
    plain = {k: v for k, v in value.items() if k not in tables}
    lines = [f"{k} = {_toml_value(v)}" for k, v in plain.items()]
    lines += [f"[{name}]\n{_toml(table, False)}" for name, table in tables.items()]
    return "\n".join(lines) + "\n"


def _toml_value(value: Any) -> str:
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "inf" if value > 0 else "-inf"
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(k)} = {_toml_value(v)}" for k, v in value.items()) + "}"
    return json.dumps(value).replace("NaN", "nan").replace("null", "")


def _recipe(kind: str, rng: Random) -> bytes:
    if rng.random() < 0.01:
        return b"a = " + b"[" * 100_000
    known = _recipes(kind)
    text = _toml(reshaped(known[int(rng.integers(len(known)))], rng)).encode("utf-8", "surrogatepass")
    return damaged(text, rng) if rng.random() < 0.4 else text


def train_recipe(rng: Random) -> bytes:
    return _recipe("train", rng)


def read_train_recipe(data: bytes, folder: Path) -> None:
    """A recipe that is taken is written as TOML and read back as it was."""
    from fer_edge.training import recipes

    (folder / "r.toml").write_bytes(data)
    recipe = recipes.read(folder / "r.toml")
    (folder / "again.toml").write_text(recipes.to_toml(recipe), encoding="utf-8")
    assert recipes.read(folder / "again.toml") == recipe


def convert_recipe(rng: Random) -> bytes:
    return _recipe("convert", rng)


def read_convert_recipe(data: bytes, folder: Path) -> None:
    from fer_edge.conversion import recipes
    from fer_edge.spec import Format

    (folder / "r.toml").write_bytes(data)
    recipe = recipes.read(folder / "r.toml")
    for format_ in [format_ for format_ in Format if format_.value in recipe.thresholds]:
        assert recipe.limits(format_).agreement >= 0


@cache
def _benchmark() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((ROOT / "benchmarks/results/shipped.json").read_text())
    found["results"] = found["results"][:2]
    return found


def benchmark(rng: Random) -> bytes:
    return _json(_benchmark(), rng)


def read_benchmark(data: bytes, folder: Path) -> None:
    """As `bench --compare FILE` reads it, against the sound file."""
    from fer_edge.bench import compare

    (folder / "old.json").write_bytes(data)
    old = compare.read(folder / "old.json")
    compare.same_machine(old, _benchmark())
    compare.changes(old, _benchmark(), 0.1)
