"""Model files: `.tflite` as every command loads it, `.keras` and checkpoints as training does."""

from __future__ import annotations

import contextlib
import io
import json
import os
import signal
import subprocess
import sys
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np

from fer_edge import child
from fer_edge.model import graph
from fer_edge.spec import ModelCard, TensorSpec
from fuzz.mutation import Random, damaged, reshaped


@cache
def _tflite() -> tuple[bytes, ...]:
    from tiny_models import Spec, dense, picks, shipped_style

    labels = ("angry", "happy", "sad")
    out = TensorSpec("float32", (1, 3), content="probabilities", real_max=1.0)
    raw = ModelCard("tiny", "int8", labels, TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0), out)
    real = ModelCard("tiny", "float32", labels, TensorSpec("float32", (1, 8, 8, 3)), out)
    weights = picks(192, 0, 1, 2)
    colour = dense((1, 8, 8, 3), weights, entry=Spec("float32"), output=Spec("float32"), softmax=True)
    return graph.embed_card(shipped_style(), raw), graph.embed_card(colour, real)


def tflite(rng: Random) -> bytes:
    """Of the flatbuffer's head more than of the weights, which may hold anything."""
    data = _tflite()[int(rng.integers(2))]
    if rng.random() < 0.5:
        return damaged(data, rng)
    at = int(rng.integers(max(1, len(data) - 2000)))
    return data[:at] + damaged(data[at : at + 2000], rng) + data[at + 2000 :]


def _forked(
    asked: str, data: bytes, timeout_s: float, environment: object
) -> subprocess.CompletedProcess[bytes]:
    """What `child` does in a new Python, here in a copy of this one: starting takes most of the time."""
    with tempfile.TemporaryFile() as given:
        given.write(data)
        given.seek(0)
        forked = os.fork()
        if forked == 0:
            signal.alarm(round(timeout_s))
            os.dup2(given.fileno(), 0)
            try:
                with open(0) as sys.stdin:
                    child.answer(asked)
            finally:
                os._exit(1)
        return subprocess.CompletedProcess([], os.waitstatus_to_exitcode(os.waitpid(forked, 0)[1]), b"", b"")


def read_tflite(data: bytes, folder: Path) -> None:
    from fer_edge.model.classifier import Classifier

    (folder / "m.tflite").write_bytes(data)
    with mock.patch.object(child, "_process", _forked):
        classifier = Classifier(folder / "m.tflite")
    faces = np.random.default_rng(0).integers(0, 256, (2, *classifier.input_size), np.uint8)
    found = classifier.predict(faces)
    assert found.shape == (2, len(classifier.labels))
    assert np.isfinite(found).all(), "a probability that is no number"


_CODE = {"class_name": "__lambda__", "config": {"code": "4wAAAAA=", "defaults": None, "closure": None}}
_READS = {"name": "t", "vocabulary": "/etc/passwd"}
HOSTILE_LAYERS: tuple[dict[str, Any], ...] = (
    {"module": "keras.layers", "class_name": "Lambda", "config": {"name": "l", "function": _CODE}},
    {"module": "keras.layers", "class_name": "TextVectorization", "config": _READS},
    {"module": "keras.layers", "class_name": "StringLookup", "config": _READS},
    {"module": "keras.layers", "class_name": "TFSMLayer", "config": {"name": "f", "filepath": "/tmp"}},
    {"module": "os", "class_name": "system", "config": "touch /tmp/fer-edge-was-here"},
    {"module": "keras.utils", "class_name": "get_file", "config": {"origin": "http://127.0.0.1:9/x"}},
    {"module": "keras.config", "class_name": "enable_unsafe_deserialization", "config": {}},
    {"module": "builtins", "class_name": "eval", "config": "1/0", "registered_name": "eval"},
)  # fmt: skip


@cache
def _keras() -> dict[str, bytes]:
    """Members of a tiny `.keras` file."""
    from fer_edge.quiet import quiet_training

    quiet_training()
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((48, 48, 1)), layers.Rescaling(1 / 255), layers.Conv2D(2, 3),
         layers.BatchNormalization(), layers.GlobalMaxPooling2D(), layers.Dense(7, "softmax")]
    )  # fmt: skip
    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder, "m.keras"))
        with zipfile.ZipFile(Path(folder, "m.keras")) as archive:
            return {name: archive.read(name) for name in archive.namelist()}


def keras(rng: Random) -> bytes:
    members = dict(_keras())
    way = rng.random()
    if way < 0.4:
        config = reshaped(json.loads(members["config.json"]), rng)
        if isinstance(config, dict) and rng.random() < 0.4:
            inner = config.get("config")
            layers = inner.get("layers") if isinstance(inner, dict) else None
            if isinstance(layers, list):
                hostile = HOSTILE_LAYERS[int(rng.integers(len(HOSTILE_LAYERS)))]
                layers.insert(int(rng.integers(len(layers) + 1)), hostile)
        members["config.json"] = json.dumps(config).encode()
    elif way < 0.7:
        members["model.weights.h5"] = damaged(members["model.weights.h5"], rng)
    elif way < 0.8:
        name = str(rng.choice(["../../escaped", "/tmp/fer-edge-was-here", "assets/../../escaped", "assets"]))
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
    from fer_edge.errors import FerEdgeError

    tf.config.run_functions_eagerly(True)
    (folder / "m.keras").write_bytes(data)
    with contextlib.suppress(FerEdgeError):
        source.load(folder / "m.keras")
    try:
        predictor = evaluation.open_model(str(folder / "m.keras"))
        found = predictor.predict(np.zeros((2, 48, 48), np.uint8))
        assert found.shape == (2, 7)
    finally:
        assert sorted(path.name for path in folder.rglob("*")) == ["m.keras"], "something was written"
        assert not Path("/tmp/fer-edge-was-here").exists(), "the file's code was run"


@cache
def _checkpoint() -> tuple[Any, dict[str, bytes]]:
    from fer_edge.quiet import quiet_training

    quiet_training()
    import keras

    from fer_edge.training import checkpoint

    trainee = keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)])
    trainee.compile("adam", "mse")
    trainee.optimizer.build(trainee.trainable_variables)
    with tempfile.TemporaryDirectory() as folder:
        state = checkpoint.State({}, 0, "s", [{"epoch": 1, "val_loss": 1.0}], 0)
        checkpoint.save(Path(folder), trainee, state)
        return trainee, {path.name: path.read_bytes() for path in Path(folder).iterdir()}


def checkpoint(rng: Random) -> bytes:
    _, files = _checkpoint()
    name = sorted(files)[int(rng.integers(len(files)))]
    content = files[name]
    if name.endswith(".json") and rng.random() < 0.7:
        content = json.dumps(reshaped(json.loads(content), rng)).encode()
    else:
        content = damaged(content, rng)
    return name.encode() + b"\0" + content


def read_checkpoint(data: bytes, folder: Path) -> None:
    """As `--resume` reads it."""
    from fer_edge.training import checkpoint as checkpoints

    model, files = _checkpoint()
    name, _, content = data.partition(b"\0")
    for other, sound in files.items():
        (folder / other).write_bytes(content if other == name.decode() else sound)
    state = checkpoints.load_state(folder)
    assert state is not None
    if state.epochs:
        checkpoints.restore(folder, model, state)
        checkpoints.best_weights(folder, state)
