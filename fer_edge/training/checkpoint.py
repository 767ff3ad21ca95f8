"""Weights that a training begins with: another network's, or its own, where it was killed before its end.

A checkpoint is a file of arrays named by its epoch, and state.json, which is replaced last and atomically and
names the arrays' files: it alone decides which epoch stands, whatever else lies in the folder.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import DataError, ModelError
from fer_edge.model import keras_files, shipped
from fer_edge.training.recipes import completed

STATE = "state.json"


@dataclass
class State:
    """epochs: finished ones, also the arrays' name. best: epoch, from 0, of the best weights.

    teacher: SHA-256 of each teacher's file. start: of the file of the first weights, "" for random ones.
    """

    recipe: dict[str, Any]
    seed: int
    data_sha256: str
    history: list[dict[str, float]] = field(default_factory=list)
    best: int = -1
    teacher: list[str] = field(default_factory=list)
    start: str = ""

    @property
    def epochs(self) -> int:
        return len(self.history)


def save(folder: Path, model: keras.Model, state: State) -> None:
    """Writes the model's weights and optimiser, then the state, then removes what it superseded."""
    files.make_folders(folder)
    weights = {f"weight_{i}": w for i, w in enumerate(model.get_weights())}
    variables = [keras.ops.convert_to_numpy(variable.value) for variable in model.optimizer.variables]
    last, best = (f"{name}_{n:04}.npz" for name, n in (("epoch", state.epochs), ("best", state.best)))
    written = {last: weights | {f"optimizer_{i}": v for i, v in enumerate(variables)}}
    if state.best == state.epochs - 1:
        written[best] = weights
    for name, arrays in written.items():
        with files.written_aside(folder / name) as aside:
            np.savez(aside, allow_pickle=False, **arrays)
    files.write_text(folder / STATE, json.dumps(asdict(state), indent=1) + "\n")
    for old in folder.glob("*.npz"):
        if old.name not in (last, best):
            old.unlink()


def load_state(folder: Path) -> State | None:
    """The state of an interrupted training, or None where there is none. Raises DataError if damaged."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = State(**files.parse_json(path.read_bytes()))
        if not all(isinstance(row, dict) for row in state.history) or not -1 <= state.best < state.epochs:
            raise ValueError("its history does not hold the best epoch")
        return state
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): remove {folder} to begin anew") from error


def resumed(folder: Path, fresh: State) -> State:
    """The state to go on from, or `fresh`. Raises DataError where the checkpoint is of another run."""
    state = load_state(folder)
    if state is None:
        return fresh
    state.recipe = completed(state.recipe)
    for name in ("recipe", "seed", "data_sha256", "teacher", "start"):
        if getattr(state, name) != getattr(fresh, name):
            raise DataError(f"{folder} is of a training with another {name}: choose another --out")
    return state


def _weights(path: Path) -> dict[str, NDArray[Any]]:
    try:
        with np.load(path, allow_pickle=False) as stored:
            arrays = dict(stored)
            if not all(isinstance(array, np.ndarray) for array in arrays.values()):
                raise ValueError("not all in it are arrays")
            return arrays
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise DataError(f"{path} cannot be read ({error}): remove {path.parent} to begin anew") from error


def restore(folder: Path, model: keras.Model, state: State) -> None:
    """Puts weights and optimiser of the last finished epoch back into a compiled model."""
    path = folder / f"epoch_{state.epochs:04}.npz"
    arrays = _weights(path)
    count = sum(name.startswith("weight_") for name in arrays)
    try:
        model.set_weights([arrays[f"weight_{i}"] for i in range(count)])
        model.optimizer.build(model.trainable_variables)
        for i, variable in enumerate(model.optimizer.variables):
            variable.assign(arrays[f"optimizer_{i}"])
    except (KeyError, ValueError, TypeError) as error:
        raise DataError(f"{path} is of another network: remove {folder} to begin anew") from error


def best_weights(folder: Path, state: State) -> list[NDArray[Any]]:
    """The weights of the best epoch, in the order of `keras.Model.get_weights`."""
    arrays = _weights(folder / f"best_{state.best:04}.npz")
    try:
        return [arrays[f"weight_{i}"] for i in range(len(arrays))]
    except KeyError as error:
        raise DataError(f"{folder}: no {error} in the best weights: remove it to begin anew") from error


@dataclass(frozen=True)
class Start:
    """Weights in place of random ones (fine-tuning), or the mean of several networks' (model soups, Wortsman
    et al. 2022). sha256: of the `.keras` files, "" for random ones. weights: of each layer that has any."""

    sha256: str = ""
    path: str = ""
    weights: tuple[list[NDArray[Any]], ...] = ()

    @classmethod
    def opened(cls, names_or_paths: Sequence[str | Path]) -> Start:
        """The mean weights of shipped networks, by name, or of `.keras` files; none for no names.

        Raises ModelError for what is neither, and for networks of different layers.
        """
        if not names_or_paths:
            return cls()
        paths = [shipped.find_network(str(name)) for name in names_or_paths]
        networks = [[x.get_weights() for x in keras_files.load(path).layers if x.weights] for path in paths]
        shapes = [[[w.shape for w in layer] for layer in network] for network in networks]
        for path, other in zip(paths, shapes, strict=True):
            if other != shapes[0]:
                raise ModelError(f"{path} is not of the network that {paths[0]} is: they have no mean")
        layers = zip(*networks, strict=True)
        weights = tuple([np.mean(ws, axis=0) for ws in zip(*layer, strict=True)] for layer in layers)
        return cls(" ".join(map(files.sha256, paths)), " and ".join(map(str, paths)), weights)

    def give(self, network: keras.Model) -> None:
        """Puts the weights into `network`; a last layer for another number of classes stays as it is.

        Raises ModelError where the networks differ in more than that.
        """
        if not self.weights:
            return
        weighted = [layer for layer in network.layers if layer.weights]
        same = [
            [w.shape for w in mine] == [tuple(w.shape) for w in layer.weights]
            for mine, layer in zip(self.weights, weighted, strict=False)
        ]
        if len(self.weights) != len(weighted) or not all(same[:-1]):
            raise ModelError(f"{self.path} is not of the recipe's network {network.name}: it cannot start it")
        for mine, layer, fits in zip(self.weights, weighted, same, strict=True):
            if fits:
                layer.set_weights(mine)
