"""Trains a network with a recipe, epoch by epoch, so that a killed run can be resumed.

A checkpoint is a file of arrays of the last epoch, one of the best, and state.json, which names them and is
replaced last, atomically: it alone decides which epoch is valid, whatever else is in the folder.
"""

import json
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, GateError, ModelError, first_line
from fer_edge.model import keras_files, shipped
from fer_edge.training import device, networks, recipes
from fer_edge.training.batches import Teacher, TrainingBatches
from fer_edge.training.recipes import Recipe

STATE = "state.json"


@dataclass
class State:
    """The state of a training. best: epoch, from 0, of the best weights.

    data_sha256: of its pictures, labels and votes. teacher: SHA-256 of each teacher's file. start: of the
    files of the first weights, "" for random ones.
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

    def arrays(self, folder: Path, best: bool = False) -> Path:
        """The file of the last finished or the best epoch's weights and optimiser."""
        return folder / f"epoch_{self.best + 1 if best else self.epochs:04}.npz"


def save(folder: Path, model: keras.Model, state: State) -> None:
    """Writes the model's weights and optimiser, then the state, then removes the previous files."""
    arrays = {f"weight_{i}": w for i, w in enumerate(model.get_weights())}
    for i, variable in enumerate(model.optimizer.variables):
        arrays[f"optimizer_{i}"] = keras.ops.convert_to_numpy(variable.value)
    with files.written_aside(state.arrays(folder)) as aside:
        np.savez(aside, allow_pickle=False, **arrays)
    files.write_text(folder / STATE, json.dumps(asdict(state), indent=1) + "\n")
    for old in {*folder.glob("*.npz")} - {state.arrays(folder), state.arrays(folder, best=True)}:
        old.unlink()


def write_history(folder: Path, state: State) -> None:
    """history.csv, a line an epoch; whole at any moment."""
    lines = [state.history[0], *(row.values() for row in state.history)]
    files.write_text(folder / "history.csv", "".join(",".join(map(str, line)) + "\n" for line in lines))


def resumed(folder: Path, fresh: State) -> State:
    """The state to resume from, or `fresh`. Raises DataError if it is damaged or from another training."""
    path = folder / STATE
    if not path.exists():
        return fresh
    try:
        state = State(**files.parse_json(path.read_bytes()))
        if not all(isinstance(row, dict) for row in state.history) or not -1 <= state.best < state.epochs:
            raise ValueError("its history does not hold the best epoch")
    except (OSError, ValueError, TypeError) as error:
        raise DataError(f"{path} is damaged ({error}): remove {folder} to start over") from error
    for name in ("recipe", "seed", "data_sha256", "teacher", "start"):
        if getattr(state, name) != getattr(fresh, name):
            raise DataError(f"{folder} belongs to a training with another {name}: choose another --out")
    return state


def restore(folder: Path, model: keras.Model, state: State, best: bool = False) -> None:
    """Loads weights and optimiser of the last finished epoch into a compiled model; best: only the best
    epoch's weights. Raises DataError for a file that is damaged or from another network."""
    path = state.arrays(folder, best)
    try:
        with np.load(path, allow_pickle=False) as arrays:
            model.set_weights([arrays[f"weight_{i}"] for i in range(len(model.weights))])
            if not best:
                model.optimizer.build(model.trainable_variables)
                for i, variable in enumerate(model.optimizer.variables):
                    variable.assign(arrays[f"optimizer_{i}"])
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        why = f"is damaged, or of another network or --precision ({first_line(error)[:100]})"
        raise DataError(f"{path} {why}: remove {folder} to start over") from error


@dataclass(frozen=True)
class Start:
    """Weights to start from: a network's, or the mean of several (model soups, Wortsman et al. 2022).

    sha256: of the `.keras` file of each name. weights: as `keras.Model.get_weights`.
    """

    sha256: Mapping[str, str] = field(default_factory=dict)
    weights: Sequence[NDArray[Any]] = ()

    @classmethod
    def opened(cls, names_or_paths: Sequence[str | Path]) -> Self:
        """The mean weights of included networks, by name, or of `.keras` files; none for no names.

        Raises ModelError for anything else, and for networks with different layers.
        """
        paths = {str(name): shipped.find_network(str(name)) for name in names_or_paths}
        each = [keras_files.load(path).get_weights() for path in paths.values()]
        for name, weights in zip(paths, each, strict=True):
            if [w.shape for w in weights] != [w.shape for w in each[0]]:
                raise ModelError(f"{name} and {next(iter(paths))} are different networks: they have no mean")
        mean = [np.mean(arrays, axis=0) for arrays in zip(*each, strict=True)]
        return cls({name: files.sha256(path) for name, path in paths.items()}, mean)

    def give(self, network: keras.Model) -> None:
        """Loads the weights into `network`; a last layer for another number of classes is unchanged.

        Raises ModelError if the networks differ in more than that.
        """
        if not self.weights:
            return
        own, last = network.get_weights(), len(networks.head(network).weights)
        fits = [a.shape == b.shape for a, b in zip(self.weights, own, strict=False)]
        if len(self.weights) != len(own) or not all(fits[:-last]):
            given = " and ".join(self.sha256)
            raise ModelError(f"{given} is not of the recipe's network {network.name}: it cannot start it")
        network.set_weights(self.weights if all(fits) else [*self.weights[:-last], *own[-last:]])


class _Epoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets the learning rate and dropout's random state for each step; stops if the loss is not finite."""

    def __init__(self, recipe: Recipe, state: State, advance: Callable[[int], object]) -> None:
        super().__init__()
        self.recipe, self.state, self.advance = recipe, state, advance

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # PyTorch's dropout draws from the global generator, the other backends' from each layer's state.
        drawn = self.state.seed, self.state.epochs
        keras.utils.set_random_seed(int(np.random.default_rng(drawn).integers(2**31)))
        for k, layer in enumerate(keras_files.layers_of(self.model)):
            if generator := getattr(layer, "seed_generator", None):
                state = np.random.default_rng((*drawn, k)).integers(0, 2**31, 2)
                generator.state.assign(state.astype("uint32"))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        steps, before = self.params["steps"], self.state.history
        step, total = len(before) * steps + batch, self.recipe.epochs * steps
        self.model.optimizer.learning_rate = recipes.learning_rate(self.recipe, step, total, before)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not np.isfinite(loss := float(logs["loss"])):
            number = self.state.epochs + 1
            raise GateError(f"the loss is {loss} in epoch {number}: try a lower --learning-rate")
        self.advance(1)


def train(
    recipe: Recipe,
    training: Dataset,
    validation: Dataset,
    *,
    folder: Path,
    seed: int,
    teacher: Teacher | None = None,
    start: Start | None = None,
    resume: bool = True,
) -> tuple[keras.Model, keras.Model, State]:
    """Trains to the end of the recipe, of which `folder` gets a copy; resumes from `folder`/checkpoint if
    there is one, or, with `resume` False, removes it once all else is in order.

    Gives network and trainee (`networks.compiled`) on the training device, with the best epoch's weights, and
    the final state. After each epoch its row of history is printed, and history.csv written.
    Raises DataError for a checkpoint of another training, ModelError for a start from another network,
    GateError for a loss that is not finite.
    """
    place, teacher, start = folder / "checkpoint", teacher or Teacher(), start or Start()
    keras.utils.set_random_seed(seed)  # the initial weights
    network, trainee = networks.compiled(recipe, len(training.label_names))
    start.give(network)
    for layer in keras_files.layers_of(network):
        keras_files.rebuilt(layer)  # what cannot be written is said before it is trained
    batches = TrainingBatches(training, recipe, seed, teacher)
    first = device.workers().index == 0
    if first and not resume:
        shutil.rmtree(place, ignore_errors=True)
    device.wait_for_all()
    taught, begun = [*teacher.sha256.values()], " ".join(start.sha256.values())
    rows = training.sha256.encode() + batches.targets.tobytes() + validation.labels.tobytes()
    state = resumed(place, State(asdict(recipe), seed, files.sha256_of(rows), teacher=taught, start=begun))
    if state.epochs:
        restore(place, trainee, state)
        if first:
            write_history(folder, state)  # whoever removed it gets it back
    if first:
        files.write_text(folder / "recipe.toml", recipes.to_toml(recipe))
    with console.progress("training", recipe.epochs * len(batches)) as advance:
        advance(state.epochs * len(batches))
        while state.epochs < recipe.epochs and not recipes.should_stop(recipe, state.history):
            began_s = time.monotonic()
            batches.start_epoch(state.epochs)
            callback = _Epoch(recipe, state, advance)
            logs = trainee.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[callback]).history
            val_loss, val_accuracy = loss_and_accuracy(predict(network, validation.images), validation.labels)
            if not np.isfinite(val_loss):
                raise GateError(f"the validation loss is {val_loss}: try a lower --learning-rate")
            row = {"epoch": state.epochs + 1, **{name: float(logs[name][0]) for name in ("loss", "accuracy")}}
            row |= {"val_loss": val_loss, "val_accuracy": val_accuracy}
            row["learning_rate"] = float(keras.ops.convert_to_numpy(trainee.optimizer.learning_rate))
            row["seconds"] = round(time.monotonic() - began_s, 1)
            state.history.append(row)
            state.best = recipes.best_epoch(state.history, recipe.monitor)
            if first:
                write_history(folder, state)
                save(place, trainee, state)  # last: a killed run resumes from it and overwrites the rest
            device.wait_for_all()  # the others read what the first wrote
            console.say(  # in 80 columns
                f"epoch {row['epoch']}/{recipe.epochs}  loss {row['loss']:.3f}  acc {row['accuracy']:.3f}  "
                f"val loss {val_loss:.3f} acc {val_accuracy:.3f}  "
                f"rate {row['learning_rate']:.2g}  {row['seconds']:.0f} s"
            )
    restore(place, trainee, state, best=True)  # the network shares its layers
    return network, trainee, state


def predict(model: keras.Model, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The model's outputs, float32 (N, outputs), for faces uint8 (N, 48, 48)."""
    outputs = []
    with device.undistributed():
        for k in range(0, len(images), 256):
            faces = images[k : k + 256, ..., None].astype(np.float32)
            outputs.append(keras.ops.convert_to_numpy(model.predict_on_batch(faces)).astype(np.float32))
    return np.concatenate(outputs)


def loss_and_accuracy(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy 0..1 of probabilities float32 (N, 7)."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, 1e-12)).mean()), float((probabilities.argmax(1) == labels).mean())
