"""Cards, recipes and benchmarks that people write; model files and checkpoints as commands load them."""

import contextlib
import io
import json
import os
import signal
import sys
import tempfile
import zipfile
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import numpy as np
from tiny_models import Spec, dense, picks, shipped_card, shipped_style

from fer_edge import child
from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import file, shipped
from fer_edge.spec import ModelCard, TensorSpec
from fuzz.harness import HOSTILE, Kind, damaged, damaged_after_name, of, reshaped, reshaped_json

FLOAT = Spec("float32")
ENDS = (TensorSpec("float32", (1, 48, 48, 1)), TensorSpec("float32", (1, 7)))
CARD = (
    b'{"labels": ["a","b","c","d","e","f","g"], "input": {"real_min": 0, "real_max": 1},'
    b' "output": {"content": "logits"}}'
)
WAS_HERE = Path("/tmp/fer-edge-was-here")


def cards() -> tuple[bytes, ...]:
    return CARD, CARD, (shipped.models_folder() / "tuned_float32.json").read_bytes()


@cache
def _cardless() -> bytes:
    return dense((1, 48, 48, 1), np.zeros((7, 2304)), entry=FLOAT, output=FLOAT)


def read_card(data: bytes, folder: Path) -> None:
    """As `--card FILE` of a model without one, and as the card beside a `.keras` file."""
    (folder / "card.json").write_bytes(data)
    with contextlib.suppress(ModelError):
        ModelCard.from_json(data, "card.json")
    found = file.find_card(folder / "m.tflite", _cardless(), folder / "card.json", ENDS)
    assert [type(label) for label in found.labels] == [str] * 7
    assert found.input.real_min < found.input.real_max
    assert found.output.content in file.CONTENTS
    json.loads(found.to_json(), parse_constant=lambda name: 1 / 0)  # a card that we write is valid JSON


def recipes(kind: str) -> tuple[bytes, ...]:
    return tuple(path.read_bytes() for path in shipped.recipes(kind))


def reshaped_toml(data: bytes, rng: Random) -> bytes:
    """Up to three lines with another value, turned into a table, doubled or gone; seldom a bottomless one."""
    if rng.random() < 0.01:
        return b"a = " + b"[" * 100_000
    lines = data.decode().splitlines()
    for _ in range(rng.randint(1, 3)):
        n, value = rng.randrange(len(lines)), json.dumps(rng.choice(HOSTILE))
        value, key = value.replace("NaN", "nan").replace("Infinity", "inf"), lines[n].partition(" = ")[0]
        lines[n] = rng.choice([*[f"{key} = {value}"] * 4, f"[{key}]", f"{lines[n]}\n{lines[n]}", ""])
    text = "\n".join(lines).encode("utf-8", "surrogatepass")
    return damaged(text, rng) if rng.random() < 0.4 else text


def read_train_recipe(data: bytes, folder: Path) -> None:
    """A recipe that is taken is written as TOML and read back as it was."""
    from fer_edge.training import recipes

    (folder / "r.toml").write_bytes(data)
    recipe = recipes.read(folder / "r.toml")
    (folder / "again.toml").write_text(recipes.to_toml(recipe), encoding="utf-8")
    assert recipes.read(folder / "again.toml") == recipe


def read_convert_recipe(data: bytes, folder: Path) -> None:
    from fer_edge.conversion import formats

    (folder / "r.toml").write_bytes(data)
    recipe = formats.read(folder / "r.toml")
    assert all(recipe.limits_of(name).agreement >= 0 for name in recipe.limits)


@cache
def benchmarks() -> tuple[bytes, ...]:
    path = Path(__file__).resolve().parents[2] / "benchmarks/results/shipped.json"
    found: dict[str, Any] = json.loads(path.read_text())
    return (json.dumps({**found, "results": found["results"][:2]}).encode(),)


def read_benchmark(data: bytes, folder: Path) -> None:
    """As `bench --compare FILE` reads it, against the sound file."""
    from fer_edge.bench import report

    (folder / "old.json").write_bytes(data)
    old, new = report.read(folder / "old.json"), json.loads(benchmarks()[0])
    report.changes(old, new, 0.1)


@cache
def _tflite() -> tuple[bytes, ...]:
    raw = shipped_card("angry", "happy", "sad")
    real = replace(raw, format="float32", input=TensorSpec("float32", (1, 8, 8, 3)))
    colour = dense((1, 8, 8, 3), picks(192, 0, 1, 2), entry=FLOAT, output=FLOAT, softmax=True)
    return file.embed_card(shipped_style(), raw), file.embed_card(colour, real)


def tflite(rng: Random) -> bytes:
    """Of the flatbuffer's head more than of the weights, which may hold anything."""
    data = rng.choice(_tflite())
    if rng.random() < 0.5:
        return damaged(data, rng)
    at = rng.randrange(max(1, len(data) - 2000))
    return data[:at] + damaged(data[at : at + 2000], rng) + data[at + 2000 :]


def _forked(function: Any, *arguments: Any, what: str, data: bytes, timeout_s: float, **_: object) -> Any:
    """`child.run` in a copy of this Python: starting a new one takes most of the time."""
    with tempfile.TemporaryDirectory() as name:
        given, answered = Path(name, "given"), Path(name, "answer")
        given.write_bytes(data)
        asked = json.dumps([function.__module__, function.__name__, arguments, str(answered)])
        if (forked := os.fork()) == 0:
            signal.alarm(round(timeout_s))
            try:
                os.dup2(os.open(given, os.O_RDONLY), 0)
                with open(0) as sys.stdin:
                    child.answer(asked)
            finally:
                os._exit(1)
        if os.waitpid(forked, 0)[1]:
            raise child.ChildError(f"{what} crashed its process")
        return json.loads(answered.read_bytes())["answer"]


def read_tflite(data: bytes, folder: Path) -> None:
    from fer_edge.model.classifier import Classifier

    (folder / "m.tflite").write_bytes(data)
    with mock.patch.object(child, "run", _forked):
        classifier = Classifier(folder / "m.tflite")
    faces = np.random.default_rng(0).integers(0, 256, (2, *classifier.input_size), np.uint8)
    found = classifier.predict(faces)
    assert found.shape == (2, len(classifier.labels))
    assert np.isfinite(found).all(), "a probability that is no number"


@cache
def _members() -> dict[str, bytes]:
    with zipfile.ZipFile(Path(__file__).resolve().parents[1] / "tiny_trained.keras") as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def keras(rng: Random) -> bytes:
    members, way = dict(_members()), rng.random()
    if way < 0.4:
        members["config.json"] = json.dumps(reshaped(json.loads(members["config.json"]), rng)).encode()
    elif way < 0.7:
        members["model.weights.h5"] = damaged(members["model.weights.h5"], rng)
    elif way < 0.8:
        name = rng.choice(["../../escaped", str(WAS_HERE), "assets/../../escaped", "assets"])
        members[name] = b"out"
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content)
    return damaged(stream.getvalue(), rng) if way > 0.8 else stream.getvalue()


def read_keras(data: bytes, folder: Path) -> None:
    """As `evaluate` and as `convert` load it; what it computes is not traced first, which takes longest."""
    import tensorflow as tf

    from fer_edge import evaluation
    from fer_edge.conversion import source

    tf.config.run_functions_eagerly(True)
    (folder / "m.keras").write_bytes(data)
    with contextlib.suppress(FerEdgeError):
        source.load(folder / "m.keras")
    try:
        predictor = evaluation.open_model(str(folder / "m.keras"))
        assert predictor.predict(np.zeros((2, 48, 48), np.uint8)).shape == (2, 7)
    finally:
        assert [path.name for path in folder.rglob("*")] == ["m.keras"], "something was written"
        assert not WAS_HERE.exists(), "the file's code was run"


@cache
def _checkpoint() -> tuple[Any, dict[str, bytes]]:
    import keras

    from fer_edge.training import fit

    trainee = keras.Sequential([keras.layers.Input((4,)), keras.layers.Dense(2)])
    trainee.compile("adam", "mse")
    trainee.optimizer.build(trainee.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        state = fit.State({}, 0, "s", [{"epoch": 1, "val_loss": 1.0}], 0)
        fit.save(Path(folder), trainee, state)
        return trainee, {path.name: path.read_bytes() for path in sorted(Path(folder).iterdir())}


def checkpoints() -> tuple[bytes, ...]:
    """`NAME\\0bytes` of a checkpoint's files."""
    return tuple(name.encode() + b"\0" + content for name, content in _checkpoint()[1].items())


def read_checkpoint(data: bytes, folder: Path) -> None:
    from fer_edge.training import fit

    model, files = _checkpoint()
    name, _, content = data.partition(b"\0")
    for other, sound in files.items():
        (folder / other).write_bytes(content if other == name.decode() else sound)
    state = fit.resumed(folder, fit.State({}, 0, "s"))
    if state.epochs:
        fit.restore(folder, model, state)
        fit.restore(folder, model, state, best=True)


KINDS = {
    "card": Kind(of(cards, reshaped_json), read_card),
    "train_recipe": Kind(of(partial(recipes, "train"), reshaped_toml), read_train_recipe),
    "convert_recipe": Kind(of(partial(recipes, "convert"), reshaped_toml), read_convert_recipe),
    "benchmark": Kind(of(benchmarks, reshaped_json), read_benchmark),
    "tflite": Kind(tflite, read_tflite, hang_s=180.0),
    "keras": Kind(keras, read_keras, 240.0, bounded=False),
    "checkpoint": Kind(of(checkpoints, damaged_after_name), read_checkpoint, 240.0, bounded=False),
}
