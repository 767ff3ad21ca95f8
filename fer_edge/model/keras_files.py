"""A `.keras` file, loaded without trusting it.

Keras' safe mode refuses code in the file, and has had holes: layers that read other files, functions that
download. So the archive is looked at first: its members, their sizes, and what its configuration names.
"""

from __future__ import annotations

import importlib
import zipfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.errors import ModelError
from fer_edge.model import trial
from fer_edge.model.interpreter import quiet_stderr
from fer_edge.quiet import quiet_training

_LIMITS = {"config.json": 1 << 24, "metadata.json": 1 << 16, "model.weights.h5": 1 << 30}
"""The members of a model without assets, and the most bytes that each may unpack to."""

_KINDS = (
    "layers", "initializers", "regularizers", "constraints", "activations", "models", "losses", "metrics",
    "optimizers", "dtype_policies", "random", "ops", "backend.common.keras_tensor",
)  # fmt: skip
_REFUSED = frozenset(
    {"Lambda", "TFSMLayer", "TorchModuleWrapper", "JaxLayer", "FlaxLayer"}  # run what the file brings
    | {"TextVectorization", "StringLookup", "IntegerLookup", "HashedCrossing"}  # read files that it names
)


def load(path: Path) -> Any:
    """The Keras model of the file, on whatever backend Keras runs, not compiled; no code in it is run.

    Raises ModelError in one line for anything that is no such model, MissingExtraError without Keras.
    """
    check(path)
    quiet_training()
    keras = importlib.import_module("keras")
    try:
        with quiet_stderr(), on_cpu(keras):
            model = keras.models.load_model(path, compile=False, safe_mode=True)
            return model.to("cpu") if keras.backend.backend() == "torch" else model
    except Exception as error:  # a damaged file fails in zipfile, h5py, json or Keras, each in its own way
        raise ModelError(f"{path} is not a Keras model that can be read: {_in_short(error)}") from error


def on_cpu(keras: Any) -> AbstractContextManager[Any]:
    """Where Keras puts what it makes: the CPU. On PyTorch, where a dropout layer's integer state cannot be
    made in such a scope, it has to be moved there afterwards."""
    on_torch = keras.backend.backend() == "torch"
    scope: AbstractContextManager[Any] = nullcontext() if on_torch else keras.device("cpu:0")
    return scope


def check(path: Path) -> None:
    """Raises ModelError unless the archive holds what a model needs, names layers of Keras only, and its
    weights can be read to their end."""
    try:
        with zipfile.ZipFile(path) as archive:
            _check_members(archive, path)
            config = files.parse_json(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
    except ModelError:
        raise
    except Exception as error:  # as above
        raise ModelError(f"{path} is not a Keras model that can be read: {_in_short(error)}") from error
    for module, name in _named(config):
        if not _is_known(module, name):
            raise ModelError(
                f"{path} needs {module}.{name}, which this program does not load: it could run code or "
                "read other files"
            )
    trial.read_weights_apart(weights, str(path))


def _check_members(archive: zipfile.ZipFile, path: Path) -> None:
    for member in archive.infolist():
        limit = _LIMITS.get(member.filename)
        if limit is None:
            raise ModelError(f"{path} holds {member.filename}, which is no part of a plain Keras model")
        if member.file_size > limit:
            raise ModelError(f"{path}: {member.filename} in it unpacks to more than {limit >> 20} MiB")
    missing = sorted(set(_LIMITS) - set(archive.namelist()))
    if missing:
        raise ModelError(f"{path} is not a Keras model that can be read: no {', '.join(missing)} in it")


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """Every (module, class or function) that a Keras configuration refers to."""
    if isinstance(value, dict):
        if value.get("module") is not None:
            yield str(value["module"]), str(value.get("class_name"))
        elif value.get("class_name") in _REFUSED | {"__lambda__"}:
            yield "keras", str(value["class_name"])
    if isinstance(value, dict | list):
        for part in value.values() if isinstance(value, dict) else value:
            yield from _named(part)


def _is_known(module: str, name: str) -> bool:
    if module == "builtins":
        return name == "function"
    if name in _REFUSED:
        return False
    inside = module.removeprefix("keras.").removeprefix("src.")
    return module == "keras" or (
        module.startswith("keras.") and any(f"{inside}.".startswith(f"{kind}.") for kind in _KINDS)
    )


def _in_short(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    first = lines[0] if lines else type(error).__name__
    return first if len(first) <= 160 else first[:157] + "..."
