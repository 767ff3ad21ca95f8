"""What a killed training needs to go on: arrays in a file named by its epoch, and state.json.

state.json is replaced last and atomically and names the arrays' files: it alone decides which epoch
stands, whatever else lies in the folder.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import DataError

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


def _arrays(model: keras.Model) -> dict[str, NDArray[Any]]:
    weights = {f"weight_{i}": w for i, w in enumerate(model.get_weights())}
    variables = {
        f"optimizer_{i}": keras.ops.convert_to_numpy(v.value) for i, v in enumerate(model.optimizer.variables)
    }
    return weights | variables


def save(folder: Path, model: keras.Model, state: State) -> None:
    """Writes the model's weights and optimiser, then the state, then removes what it superseded."""
    files.make_folders(folder)
    with files.written_aside(folder / f"epoch_{state.epochs:04}.npz") as aside:
        np.savez(aside, allow_pickle=False, **_arrays(model))
    if state.best == state.epochs - 1:
        with files.written_aside(folder / f"best_{state.best:04}.npz") as aside:
            np.savez(aside, allow_pickle=False, **{k: v for k, v in _arrays(model).items() if k[0] == "w"})
    files.write_text(folder / STATE, json.dumps(asdict(state), indent=1) + "\n")
    keep = {f"epoch_{state.epochs:04}.npz", f"best_{state.best:04}.npz"}
    for old in folder.glob("*.npz"):
        if old.name not in keep:
            old.unlink()


def load_state(folder: Path) -> State | None:
    """The state of an interrupted training, or None where there is none. Raises DataError if damaged."""
    path = folder / STATE
    if not path.exists():
        return None
    try:
        state = State(**files.parse_json(path.read_bytes()))
        if not (isinstance(state.history, list) and isinstance(state.best, int)):
            raise ValueError("its history is no list, or its best epoch no number")
        if not all(isinstance(row, dict) for row in state.history) or not -1 <= state.best < state.epochs:
            raise ValueError("its history does not hold the best epoch")
        return state
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): remove {folder} to begin anew") from error


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
