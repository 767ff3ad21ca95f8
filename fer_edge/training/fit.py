"""Trains a network by a recipe, an epoch at a time, so that a killed run goes on where it was."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import keras
import numpy as np

from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError, GateError
from fer_edge.training import checkpoint, schedule, workers
from fer_edge.training.batches import TrainingBatches, loss_and_accuracy, predict
from fer_edge.training.objective import compiled
from fer_edge.training.recipes import Recipe, completed
from fer_edge.training.start import ANEW, Start
from fer_edge.training.teacher import NOBODY, Teacher


class Watcher(Protocol):
    """Told how a training goes; the command's progress bar is one."""

    def step(self, epoch: int, step: int, steps: int, loss: float, accuracy: float) -> None: ...

    def epoch(self, row: dict[str, float]) -> None: ...


class _Epoch(keras.callbacks.Callback):  # type: ignore[misc]
    """Sets each step's learning rate and dropout's random state, reports, stops on a lost loss."""

    def __init__(self, recipe: Recipe, seed: int, epoch: int, losses: list[float], watcher: Watcher) -> None:
        super().__init__()
        self.recipe, self.seed, self.number = recipe, seed, epoch
        self.losses, self.watcher = losses, watcher

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
        self.model.optimizer.learning_rate = schedule.learning_rate(self.recipe, step, total, self.losses)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        loss, accuracy = float(logs["loss"]), float(logs["accuracy"])
        if not np.isfinite(loss):
            raise GateError(f"the loss is {loss} in epoch {self.number + 1}: try a lower --learning-rate")
        self.watcher.step(self.number, batch + 1, self.params["steps"], loss, accuracy)


def train(
    recipe: Recipe,
    training: Dataset,
    validation: Dataset,
    *,
    folder: Path,
    seed: int,
    watcher: Watcher,
    teacher: Teacher = NOBODY,
    start: Start = ANEW,
    on_epoch: Callable[[checkpoint.State], None] = lambda state: None,
) -> tuple[keras.Model, checkpoint.State]:
    """Trains to the recipe's end; goes on from `folder`/checkpoint where one stands.

    Gives the network on the training device with the best epoch's weights, and the final state. A row
    of history: epoch (from 1), loss, accuracy, val_loss, val_accuracy, learning_rate, seconds.
    Raises DataError for an empty split or a checkpoint of another recipe, ModelError for a start that is
    of another network, GateError for a lost loss.
    """
    if not len(training) or not len(validation):
        raise DataError(f"{training.path}: no pictures to {'train' if not len(training) else 'validate'} on")
    place = folder / "checkpoint"
    keras.utils.set_random_seed(seed)  # the initial weights
    network, trainee = compiled(recipe, len(training.label_names))
    start.give(network)
    fresh = checkpoint.State(
        asdict(recipe), seed, training.sha256, teacher=[*teacher.sha256], start=start.sha256
    )
    state = resumed_state(place, fresh)
    if state.epochs:
        checkpoint.restore(place, trainee, state)
        if workers.current().first:
            on_epoch(state)  # a kill may have come between the checkpoint and this
    batches = TrainingBatches(training, recipe, seed, teacher)
    while state.epochs < recipe.epochs:
        losses = [row["val_loss"] for row in state.history]
        if schedule.should_stop(recipe, losses):
            break
        began, number = time.monotonic(), state.epochs
        batches.start_epoch(number)
        watching = _Epoch(recipe, seed, number, losses, watcher)
        logs = trainee.fit(batches, epochs=1, verbose=0, shuffle=False, callbacks=[watching]).history
        val_loss, val_accuracy = loss_and_accuracy(predict(network, validation.images), validation.labels)
        row = {
            "epoch": number + 1,
            "loss": float(logs["loss"][0]),
            "accuracy": float(logs["accuracy"][0]),
            "val_loss": val_loss,
            "val_accuracy": val_accuracy,
            "learning_rate": float(keras.ops.convert_to_numpy(trainee.optimizer.learning_rate)),
            "seconds": round(time.monotonic() - began, 1),
        }
        state.history.append(row)
        state.best = schedule.best_epoch([r[recipe.monitor] for r in state.history], recipe.monitor)
        if workers.current().first:
            checkpoint.save(place, trainee, state)
            on_epoch(state)
        workers.together("epoch")  # the others read what the first wrote
        watcher.epoch(row)
    trainee.set_weights(checkpoint.best_weights(place, state))  # the network shares its layers
    return network, state


def resumed_state(place: Path, fresh: checkpoint.State) -> checkpoint.State:
    """The state to go on from, or `fresh`. Raises DataError where the checkpoint is of another run."""
    state = checkpoint.load_state(place)
    if state is None:
        return fresh
    state.recipe = completed(state.recipe)
    for name in ("recipe", "seed", "data_sha256", "teacher", "start"):
        if getattr(state, name) != getattr(fresh, name):
            raise DataError(f"{place} is of a training with another {name}: choose another --out")
    return state
