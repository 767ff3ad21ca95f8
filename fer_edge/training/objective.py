"""What a training makes smaller: cross-entropy of the labels, and of FER+'s votes by a head of their own."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers, ops
from numpy.typing import NDArray

from fer_edge.data import ferplus
from fer_edge.data.dataset import Dataset
from fer_edge.errors import UsageError
from fer_edge.training import networks
from fer_edge.training.recipes import Recipe


def targets(dataset: Dataset, recipe: Recipe) -> NDArray[np.float32]:
    """float32 (N, classes), and 8 columns more where the recipe has a head for the votes.

    One-hot labels; the votes' shares where the classes are FER+'s. A row without a vote for an
    expression has zeros in the votes' columns, which its loss leaves out.
    Raises UsageError where the recipe needs votes and none are attached.
    """
    classes = len(dataset.label_names)
    if dataset.label_names == ferplus.LABELS:
        wanted = ferplus.shares(_votes(dataset))
    else:
        wanted = np.eye(classes, dtype=np.float32)[dataset.labels]
    return np.hstack([wanted, ferplus.shares(_votes(dataset))]) if recipe.votes_weight else wanted


def heads(labels: tuple[str, ...], recipe: Recipe) -> list[tuple[tuple[str, ...], slice]]:
    """The expressions of each head and its columns of `targets`: the labels', then the votes' if any."""
    found = [(labels, slice(0, len(labels)))]
    if recipe.votes_weight:
        found.append((ferplus.LABELS, slice(len(labels), None)))
    return found


def _votes(dataset: Dataset) -> NDArray[np.uint8]:
    if dataset.votes is None:
        raise UsageError(f"{dataset.path} has no FER+ votes attached: add --votes fer2013new.csv")
    return dataset.votes


def _optimizer(recipe: Recipe) -> keras.Optimizer:
    decay = recipe.weight_decay or None
    if recipe.optimizer == "sgd":
        return keras.optimizers.SGD(
            recipe.learning_rate, momentum=recipe.momentum, nesterov=True, weight_decay=decay
        )
    return keras.optimizers.Adam(recipe.learning_rate, weight_decay=decay)


def _with_votes(network: keras.Model, logits: Any) -> Any:
    """The logits, (N, classes), and eight more from the features that the last weighted layer sees."""
    features = _head(network).input
    if len(features.shape) == 4:
        features = layers.GlobalAveragePooling2D(name="votes_features")(features)
    return layers.Concatenate()([logits, layers.Dense(len(ferplus.LABELS), name="votes")(features)])


def compiled(recipe: Recipe, classes: int) -> tuple[keras.Model, keras.Model]:
    """(network, trainee): the recipe's network, and the same layers up to the logits, compiled.

    Training on logits keeps the cross-entropy's gradient exact where a probability is nearly 0.
    """
    network = networks.build(recipe.network, recipe.dropout, classes, networks.fastest_layers())
    logits = network.layers[-2].output
    trainee = keras.Model(network.input, _with_votes(network, logits) if recipe.votes_weight else logits)

    def loss(wanted: Any, given: Any) -> Any:
        smooth = recipe.label_smoothing
        labels = wanted[:, :classes] * (1 - smooth) + smooth / classes
        total = ops.categorical_crossentropy(labels, given[:, :classes], from_logits=True)
        if recipe.votes_weight:
            votes = ops.categorical_crossentropy(wanted[:, classes:], given[:, classes:], from_logits=True)
            total = total + recipe.votes_weight * votes
        return total

    def accuracy(wanted: Any, given: Any) -> Any:
        return keras.metrics.categorical_accuracy(wanted[:, :classes], given[:, :classes])

    trainee.compile(_optimizer(recipe), loss, metrics=[accuracy], jit_compile="auto")
    return network, trainee


def votes_network(recipe: Recipe, classes: int, weights: list[NDArray[np.float32]]) -> keras.Model | None:
    """The recipe's network with the votes' head in place of the labels': FER+'s eight expressions.

    weights: of the trainee that `compiled(recipe, classes)` gives. None for a network whose last layer is
    not such a head's (`paper`'s is a convolution).
    """
    network, trainee = compiled(recipe, classes)
    trainee.set_weights(weights)
    votes = networks.build(recipe.network, recipe.dropout, len(ferplus.LABELS), networks.fastest_layers())
    head = _head(network)
    if not isinstance(head, layers.Dense):
        return None
    for layer, twin in zip(network.layers, votes.layers, strict=True):
        twin.set_weights((trainee.get_layer("votes") if layer is head else layer).get_weights())
    return votes


def _head(network: keras.Model) -> Any:
    return next(layer for layer in reversed(network.layers) if layer.weights)
