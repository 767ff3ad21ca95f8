"""Trains a network by a recipe, an epoch at a time, so that a killed run goes on where it was."""

from __future__ import annotations

import contextlib
import fcntl
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files, tables
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, GateError
from fer_edge.training import checkpoint, device, networks, recipes
from fer_edge.training.batches import Teacher, TrainingBatches
from fer_edge.training.recipes import Recipe


class _Epoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets each step's learning rate and dropout's random state, stops on a lost loss.

    number: of the epoch, from 0. losses: on validation, of the epochs before. advance: told of each step.
    """

    def __init__(
        self, recipe: Recipe, seed: int, number: int, losses: list[float], advance: Callable[[int], object]
    ) -> None:
        super().__init__()
        self.recipe, self.seed, self.number, self.losses, self.advance = recipe, seed, number, losses, advance

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        # PyTorch's dropout draws from the global generator, the other backends' from each layer's state.
        keras.utils.set_random_seed(int(np.random.default_rng((self.seed, self.number)).integers(2**31)))
        for k, layer in enumerate(self.model.layers):
            if isinstance(layer, keras.layers.Dropout) and layer.rate > 0:
                state = np.random.default_rng((self.seed, self.number, k)).integers(0, 2**31, 2)
                layer.seed_generator.state.assign(state.astype("uint32"))

    def on_train_batch_begin(self, batch: int, logs: Any = None) -> None:
        steps = self.params["steps"]
        step, total = self.number * steps + batch, self.recipe.epochs * steps
        self.model.optimizer.learning_rate = recipes.learning_rate(self.recipe, step, total, self.losses)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if not np.isfinite(loss := float(logs["loss"])):
            raise GateError(f"the loss is {loss} in epoch {self.number + 1}: try a lower --learning-rate")
        self.advance(1)


def train(
    recipe: Recipe,
    training: Dataset,
    validation: Dataset,
    *,
    folder: Path,
    seed: int,
    teacher: Teacher | None = None,
    start: checkpoint.Start | None = None,
    on_epoch: Callable[[checkpoint.State], None] = lambda state: None,
) -> tuple[keras.Model, checkpoint.State]:
    """Trains to the recipe's end; goes on from `folder`/checkpoint where one stands.

    Gives the network on the training device with the best epoch's weights, and the final state. A row
    of history: epoch (from 1), loss, accuracy, val_loss, val_accuracy, learning_rate, seconds; it is printed,
    and on_epoch called, after each epoch.
    Raises DataError for an empty split or a checkpoint of another recipe, ModelError for a start that is
    of another network, GateError for a lost loss.
    """
    if not len(training) or not len(validation):
        raise DataError(f"{training.path}: no pictures to {'train' if not len(training) else 'validate'} on")
    place, teacher, start = folder / "checkpoint", teacher or Teacher(), start or checkpoint.Start()
    keras.utils.set_random_seed(seed)  # the initial weights
    network, trainee = networks.compiled(recipe, len(training.label_names))
    start.give(network)
    fresh = checkpoint.State(
        asdict(recipe), seed, training.sha256, teacher=[*teacher.sha256], start=start.sha256
    )
    state = checkpoint.resumed(place, fresh)
    if state.epochs:
        checkpoint.restore(place, trainee, state)
        if device.workers().first:
            on_epoch(state)  # a kill may have come between the checkpoint and this
    batches = TrainingBatches(training, recipe, seed, teacher)
    with tables.progress("training", recipe.epochs * len(batches)) as advance:
        advance(state.epochs * len(batches))
        while state.epochs < recipe.epochs:
            losses = [row["val_loss"] for row in state.history]
            if recipes.should_stop(recipe, losses):
                break
            began_s, number = time.monotonic(), state.epochs
            batches.start_epoch(number)
            callback = _Epoch(recipe, seed, number, losses, advance)
            logs = trainee.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[callback]).history
            val_loss, val_accuracy = loss_and_accuracy(predict(network, validation.images), validation.labels)
            row = {
                "epoch": number + 1,
                "loss": float(logs["loss"][0]),
                "accuracy": float(logs["accuracy"][0]),
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
                "learning_rate": float(keras.ops.convert_to_numpy(trainee.optimizer.learning_rate)),
                "seconds": round(time.monotonic() - began_s, 1),
            }
            state.history.append(row)
            state.best = recipes.best_epoch([r[recipe.monitor] for r in state.history], recipe.monitor)
            if device.workers().first:
                checkpoint.save(place, trainee, state)
                on_epoch(state)
            device.wait_for_all("epoch")  # the others read what the first wrote
            console.say(_line(row, recipe.epochs))
    trainee.set_weights(checkpoint.best_weights(place, state))  # the network shares its layers
    return network, state


@contextlib.contextmanager
def held(folder: Path) -> Iterator[bool]:
    """Makes `folder`; whether this process alone trains into it for the block's time. Raises OSError."""
    files.make_folders(folder)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def _line(row: dict[str, float], epochs: int) -> str:
    """One finished epoch in one line of at most 80 columns."""
    return (
        f"epoch {row['epoch']:.0f}/{epochs}  loss {row['loss']:.3f}  acc {row['accuracy']:.3f}  "
        f"val loss {row['val_loss']:.3f} acc {row['val_accuracy']:.3f}  "
        f"rate {row['learning_rate']:.2g}  {row['seconds']:.0f} s"
    )


def predict(model: keras.Model, images: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    """The model's outputs, float32 (N, outputs), for faces uint8 (N, 48, 48)."""
    outputs = []
    for k in range(0, len(images), batch_size):
        faces = images[k : k + batch_size, ..., None].astype(np.float32)
        with device.undistributed():
            outputs.append(keras.ops.convert_to_numpy(model.predict_on_batch(faces)).astype(np.float32))
    return np.concatenate(outputs)


def loss_and_accuracy(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy 0..1 of probabilities float32 (N, 7)."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, 1e-12)).mean()), float((probabilities.argmax(1) == labels).mean())
