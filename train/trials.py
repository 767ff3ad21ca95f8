#!/usr/bin/env python3
"""The short trainings of EXPERIMENTS.md, each again: what was tried and did not become a recipe.

Usage: python train/trials.py NAME --data fer2013.csv [--votes fer2013new.csv] [--out DIR] [--pictures N]

Without NAME: their list, with parameters and multiply-accumulates. --pictures: so many of Training at most.
The figures of EXPERIMENTS.md came with KERAS_BACKEND=torch OMP_NUM_THREADS=1.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers

from fer_edge.data import ferplus, load, protocol_splits
from fer_edge.training import batches, device, fit, networks, recipes, residual

RECIPES = Path(__file__).parent / "recipes"


def bottleneck(x: Any, inner: int, made_of: Any) -> Any:
    y = residual.convolution(x, inner, made_of, side=1)
    y = residual.convolution(y, inner, made_of)
    y = residual.convolution(y, x.shape[-1], made_of, side=1, relu=False)
    return layers.ReLU()(layers.Add()([x, y]))


def separable(x: Any, channels: int, made_of: Any, relu: bool = True) -> Any:
    x = layers.DepthwiseConv2D(3, padding="same", use_bias=False)(x)
    return residual.convolution(
        layers.ReLU()(made_of.BatchNormalization()(x)), channels, made_of, side=1, relu=relu
    )


def separable_block(x: Any, made_of: Any) -> Any:
    channels = x.shape[-1]
    y = separable(separable(x, channels, made_of), channels, made_of, relu=False)
    return layers.ReLU()(layers.Add()([x, y]))


def basic(x: Any, made_of: Any) -> Any:
    """`edge`'s shape, 72 channels wide at 6 px."""
    return residual.features(x, (32, 64, 72), made_of)


def bottlenecks(x: Any, made_of: Any) -> Any:
    x = residual.convolution(x, 24, made_of)
    x = residual.block(residual.convolution(x, 32, made_of, stride=2), made_of)
    for channels, inner, count in ((96, 32, 3), (128, 48, 2)):
        x = residual.convolution(x, channels, made_of, stride=2)
        for _ in range(count):
            x = bottleneck(x, inner, made_of)
    return layers.GlobalAveragePooling2D()(x)


def separable_late(x: Any, made_of: Any) -> Any:
    """`nano`'s shape to 12 px, then separable convolutions of 96 channels."""
    x = residual.block(residual.convolution(x, 16, made_of, side=5, stride=2), made_of)
    x = residual.block(residual.convolution(layers.MaxPooling2D(2)(x), 32, made_of), made_of)
    x = separable_block(separable(layers.MaxPooling2D(2)(x), 96, made_of), made_of)
    return layers.GlobalAveragePooling2D()(x)


def separable_early(x: Any, made_of: Any) -> Any:
    x = residual.block(residual.convolution(x, 24, made_of, side=5, stride=2), made_of)
    for channels, count in ((64, 2), (72, 1)):
        x = separable(layers.MaxPooling2D(2)(x), channels, made_of)
        for _ in range(count):
            x = separable_block(x, made_of)
    return layers.GlobalAveragePooling2D()(x)


def network(features: Callable[..., Any], dropout: float, classes: int, made_of: Any) -> keras.Model:
    inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Dropout(dropout)(features(networks.normalisation()(inputs), made_of))
    x = layers.Dense(classes, name="logits")(x)
    return keras.Model(inputs, layers.Softmax(dtype="float32")(x))


class Balanced(batches.TrainingBatches):
    """Draws each class equally often, in place of weights."""

    def start_epoch(self, epoch: int) -> None:
        self.epoch, labels = epoch, self.dataset.labels
        rng = np.random.default_rng((self.seed, epoch))
        chosen = rng.integers(0, 7, len(labels))
        rows = [rng.permutation(np.flatnonzero(labels == label)) for label in range(7)]
        self.order = np.empty(len(labels), int)
        for label in range(7):
            places = np.flatnonzero(chosen == label)
            self.order[places] = np.resize(rows[label], len(places))
        self.weights = np.ones(7, np.float32)


@dataclass(frozen=True)
class Trial:
    """recipe: the one it starts from; changes: of its values; features: of a network that did not stay."""

    recipe: str
    changes: dict[str, Any] = field(default_factory=dict)
    features: Callable[..., Any] | None = None
    first: int | None = None  # so many rows of Training
    seed: int = 0
    balanced: bool = False


OF_EDGE = {"epochs": 6, "dropout": 0.1, "weight_decay": 2e-3}
OF_NANO = {"epochs": 15, "dropout": 0.0}
TRIALS = {
    "paper_low_rate": Trial("paper", {"learning_rate": 1e-4}, first=20_000),
    "paper_balanced": Trial("paper", first=20_000, balanced=True),
    "edge_basic": Trial("tuned", OF_EDGE, basic, seed=1),
    "edge_bottlenecks": Trial("tuned", OF_EDGE, bottlenecks, seed=1),
    "nano_basic": Trial("edge", {**OF_NANO, "network": "nano"}),
    "nano_without_votes": Trial("edge", {**OF_NANO, "network": "nano", "votes_weight": 0.0}),
    "nano_separable_late": Trial("edge", OF_NANO, separable_late),
    "nano_separable_early": Trial("edge", OF_NANO, separable_early),
}


class Printed:
    def step(self, epoch: int, step: int, steps: int, loss: float, accuracy: float) -> None:
        pass

    def epoch(self, row: dict[str, float]) -> None:
        print({name: round(value, 4) for name, value in row.items()}, flush=True)


def recipe_of(name: str) -> recipes.Recipe:
    trial = TRIALS[name]
    changes = {"name": name, **trial.changes}
    if trial.features is not None:
        networks.NETWORKS[name] = partial(network, trial.features)
        changes["network"] = name
    return dataclasses.replace(recipes.read(RECIPES / f"{trial.recipe}.toml"), **changes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("name", nargs="?", choices=TRIALS)
    parser.add_argument("--data")
    parser.add_argument("--votes", type=Path)
    parser.add_argument("--out", type=Path, default=Path("runs/trials"))
    parser.add_argument("--pictures", type=int)
    options = parser.parse_args()
    if options.name is None or options.data is None:
        for name in TRIALS:
            recipe = recipe_of(name)
            model = networks.build(recipe.network, recipe.dropout)
            macs = networks.multiply_accumulates(model)
            print(f"{name:22} {model.count_params():8,} parameters {macs / 1e6:5.1f} M MACs")
        return
    trial, recipe = TRIALS[options.name], recipe_of(options.name)
    print(device.prepare("auto"))
    data = load(options.data)
    parts = protocol_splits(
        data if options.votes is None else ferplus.attach(data, options.votes), "official"
    )
    training = parts.train if trial.first is None else parts.train.rows(np.arange(trial.first))
    training = training.sample(options.pictures, trial.seed)
    if trial.balanced:
        fit.TrainingBatches = Balanced
    folder = options.out / options.name
    fit.train(recipe, training, parts.validation, folder=folder, seed=trial.seed, watcher=Printed())


if __name__ == "__main__":
    main()
