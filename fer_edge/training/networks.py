"""The networks that we train: gray levels 0..255, (N, 48, 48, 1) -> probabilities (N, classes), float32.

Equation (1) of the paper, ((p / 255) - 0.5) x 2, is each network's first layer, so that no caller can
get the normalisation wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers

from fer_edge.errors import UsageError
from fer_edge.spec import INPUT_SHAPE, LABELS
from fer_edge.training import residual

PAPER_STAGES = ((16, 7), (32, 5), (64, 3), (128, 3))
"""Filters and kernel side of both convolutions of stages 1 to 4 (Table 2 of the paper)."""


def normalisation() -> Any:
    """Equation (1): maps 0..255 to -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")


def fastest_layers() -> Any:
    """What `made_of` takes: keras.layers; on PyTorch the same layers computed by its kernels."""
    if keras.backend.backend() == "torch":
        from fer_edge.training import torch_layers

        return torch_layers
    return layers


def paper(dropout: float = 0.6, classes: int = len(LABELS), made_of: Any = layers) -> keras.Model:
    """Table 2 of Ihsan et al.: 642,935 parameters, 641,463 trainable, 71.6 M multiply-accumulates.

    'Padding = 1' with kernels of 7 and 5 cannot be one pixel and keep the size, which the table's sizes
    need: it is read as 'same'. ReLU stands only where the table has it, once a stage.
    dropout: fraction 0..1 of each of the four dropout layers.
    """
    x = inputs = keras.Input(INPUT_SHAPE, name="face")
    x = normalisation()(x)
    for filters, side in PAPER_STAGES:
        for _ in range(2):
            x = made_of.Conv2D(filters, side, padding="same")(x)
            x = made_of.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = made_of.MaxPooling2D(2)(x)
        x = layers.Dropout(dropout)(x)
    x = made_of.Conv2D(256, 3, padding="same")(x)
    x = made_of.BatchNormalization()(x)
    x = made_of.Conv2D(classes, 3, padding="same")(x)
    x = layers.GlobalMaxPooling2D(name="logits")(x)
    x = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name="paper")


def residual_network(
    name: str,
    dropout: float = 0.1,
    classes: int = len(LABELS),
    made_of: Any = layers,
) -> keras.Model:
    """Our own networks, `name` of residual.WIDTHS; dropout: fraction 0..1 of the features."""
    inputs = keras.Input(INPUT_SHAPE, name="face")
    first_block = name not in residual.BARE_AT_48_PX
    x = residual.features(normalisation()(inputs), residual.WIDTHS[name], made_of, first_block)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(classes, name="logits")(x)
    x = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name=name)


NETWORKS: dict[str, Callable[..., keras.Model]] = {
    "paper": paper,
    **{name: partial(residual_network, name) for name in residual.WIDTHS},
}


def build(network: str, dropout: float, classes: int = len(LABELS), made_of: Any = layers) -> keras.Model:
    """The network of that name, freshly initialised. made_of: where Conv2D, BatchNormalization and
    MaxPooling2D come from. Raises UsageError for an unknown name."""
    if network not in NETWORKS:
        raise UsageError(f"no network {network!r}: there are {', '.join(NETWORKS)}")
    return NETWORKS[network](dropout=dropout, classes=classes, made_of=made_of)


def multiply_accumulates(model: keras.Model) -> int:
    """Multiply-accumulates of one picture's convolutions and dense layers (biases not counted)."""
    total = 0
    for layer in model.layers:
        if isinstance(layer, layers.Conv2D | layers.DepthwiseConv2D | layers.Dense):
            pixels = 1
            for side in layer.output.shape[1:-1]:
                pixels *= side
            kernel = 1
            for side in layer.kernel.shape:
                kernel *= side
            total += pixels * kernel
    return total
