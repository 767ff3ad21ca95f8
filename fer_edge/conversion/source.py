"""The float32 Keras model that is converted: found, and loaded without trusting it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge.errors import ModelError
from fer_edge.model import keras_files, shipped
from fer_edge.quiet import quiet_training
from fer_edge.spec import LABELS

SHIPPED = "tuned"
"""The shipped Keras model that is converted where no training run is found."""


def find(model: str | None, runs: Path = Path("runs")) -> tuple[Path, str]:
    """The .keras file that `model` names, or the default, and why it was chosen.

    Default: the newest `runs/*/model.keras`, else the shipped `tuned.keras`. Raises ModelError.
    """
    if model is not None:
        path = Path(model).expanduser()
        named = shipped.models_folder() / f"{model}.keras"
        if not path.exists() and named.is_file():
            return named, "shipped"
        path = path / "model.keras" if path.is_dir() else path
        if not path.is_file():
            raise ModelError(f"{path} does not exist: give a .keras file or the folder of a training run")
        return path, "as given"
    found = sorted(runs.glob("*/model.keras"), key=lambda path: (path.stat().st_mtime_ns, str(path)))
    if found:
        return found[-1], "newest training run here"
    path = shipped.models_folder() / f"{SHIPPED}.keras"
    if not path.is_file():
        raise ModelError(
            f"no {runs}/*/model.keras here and no {path}: name a .keras file, or train one first"
        )
    return path, "shipped; no training run here"


def import_keras() -> Any:
    """Keras 3 on TensorFlow, its chatter kept away.

    Raises MissingExtraError where it is absent, ModelError where Keras runs on another backend.
    """
    quiet_training()
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ModelError(
            f"converting needs Keras on TensorFlow, not on {keras.backend.backend()}: unset KERAS_BACKEND"
        )
    return keras


def load(path: Path, labels: tuple[str, ...] = LABELS) -> Any:
    """The Keras model of a .keras file, in float32 whatever it was trained in.

    No code in the file is run (`safe_mode`). Raises ModelError, in one line, for any other file, and for
    a model that does not take one gray picture and give one value for each of `labels`.
    """
    keras = import_keras()
    if path.suffix != ".keras":
        raise ModelError(f"{path} is not a .keras file: save the model with model.save('NAME.keras')")
    model = keras_files.load(path)
    with keras.device("cpu:0"):
        model = _in_float32(keras, model)
    ends = (model.inputs, model.outputs) if model.inputs else ([], [])
    if len(ends[0]) != 1 or len(ends[1]) != 1:
        raise ModelError(
            f"{path} has {len(ends[0])} inputs and {len(ends[1])} outputs: one of each is needed"
        )
    taken, given = tuple(ends[0][0].shape), tuple(ends[1][0].shape)
    if len(taken) != 4 or None in taken[1:] or taken[3] != 1:
        raise ModelError(f"{path} takes {taken}: (None, height, width, 1), one gray picture, is needed")
    if given != (None, len(labels)):
        raise ModelError(f"{path} gives {given}: (None, {len(labels)}), one value for each label, is needed")
    return model


def _in_float32(keras: Any, model: Any) -> Any:
    """A model trained in mixed precision keeps its policy in the file: the same weights without it."""
    if all(layer.compute_dtype == "float32" for layer in model.layers):
        return model

    def rebuilt(layer: Any) -> Any:
        return type(layer).from_config({**layer.get_config(), "dtype": "float32"})

    copy = keras.models.clone_model(model, clone_function=rebuilt)
    copy.set_weights(model.get_weights())
    return copy
