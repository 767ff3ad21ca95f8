"""The networks that we train: gray levels 0..255, (N, 48, 48, 1) -> probabilities (N, classes), float32.

Equation (1) of the paper, ((p / 255) - 0.5) x 2, is each network's first layer, so that no caller can
get the normalisation wrong. A network is one entry of NETWORKS (docs/recipes.md adds one).
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import keras
from keras import layers, ops

from fer_edge.data import ferplus
from fer_edge.errors import UsageError
from fer_edge.model import keras_files
from fer_edge.spec import INPUT_SHAPE, LABELS
from fer_edge.training.recipes import Recipe

PAPER_STAGES = ((16, 7), (32, 5), (64, 3), (128, 3))
"""Filters and kernel side of both convolutions of stages 1 to 4 (Table 2 of the paper)."""

WIDTHS = {"edge": (32, 64, 80), "nano": (16, 32, 32), "large": (48, 96, 120), "deep": (24, 64, 128, 256)}
"""Channels of our own networks at 24, 12 and 6 pixels, of four at 48 too; large and deep are teachers."""


def normalisation() -> Any:
    """Equation (1): maps 0..255 to -1..1."""
    return layers.Rescaling(1 / 127.5, offset=-1.0, name="normalisation")


def paper(dropout: float = 0.6, classes: int = len(LABELS)) -> keras.Model:
    """Table 2 of Ihsan et al.: 642,935 parameters, 641,463 trainable, 71.6 M multiply-accumulates.

    'Padding = 1' with kernels of 7 and 5 cannot be one pixel and keep the size, which the table's sizes
    need: it is read as 'same'. ReLU stands only where the table has it, once a stage.
    dropout: fraction 0..1 of each of the four dropout layers.
    """
    x = inputs = keras.Input(INPUT_SHAPE, name="face")
    x = normalisation()(x)
    for filters, side in PAPER_STAGES:
        for _ in range(2):
            x = layers.Conv2D(filters, side, padding="same")(x)
            x = layers.BatchNormalization()(x)
        x = layers.ReLU()(x)
        x = layers.MaxPooling2D(2)(x)
        x = layers.Dropout(dropout)(x)
    x = layers.Conv2D(256, 3, padding="same")(x)
    x = layers.BatchNormalization()(x)
    x = layers.Conv2D(classes, 3, padding="same")(x)
    x = layers.GlobalMaxPooling2D(name="logits")(x)
    x = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name="paper")


def convolution(x: Any, channels: int, *, side: int = 3, stride: int = 1, relu: bool = True) -> Any:
    """Convolution without bias, batch normalisation and, by default, ReLU."""
    x = layers.Conv2D(channels, side, strides=stride, padding="same", use_bias=False)(x)
    x = layers.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def block(x: Any) -> Any:
    """A basic block (He et al. 2016): two convolutions added to their input, which has as many channels."""
    channels = x.shape[-1]
    y = convolution(convolution(x, channels), channels, relu=False)
    return layers.ReLU()(layers.Add()([x, y]))


def residual(name: str, dropout: float, classes: int = len(LABELS)) -> keras.Model:
    """Our own networks, `name` of WIDTHS; dropout: fraction 0..1 of the features.

    Each convolution is followed by batch normalisation and ReLU, so that every tensor that int8 must hold has
    a one-sided, bounded spread; the mean over the last map keeps single quantised values out of the logits.
    Of three widths, the first convolution, 5x5, halves the size: at 48 pixels a channel costs four times
    what it does at 24 and brings the least. Of four, it is 3x3 and keeps it.
    """
    widths = WIDTHS[name]
    inputs = keras.Input(INPUT_SHAPE, name="face")
    side, stride = (5, 2) if len(widths) == 3 else (3, 1)
    x = block(convolution(normalisation()(inputs), widths[0], side=side, stride=stride))
    for channels in widths[1:]:
        x = layers.MaxPooling2D(2)(x)
        x = block(convolution(x, channels))
    x = layers.GlobalAveragePooling2D(name="features")(x)
    x = layers.Dropout(dropout)(x)
    x = layers.Dense(classes, name="logits")(x)
    x = layers.Softmax(dtype="float32", name="probabilities")(x)
    return keras.Model(inputs, x, name=name)


NETWORKS: dict[str, Callable[..., keras.Model]] = {name: partial(residual, name) for name in WIDTHS}
NETWORKS["paper"] = paper
"""Each takes dropout and classes, and names the layer of its logits `logits`."""


def build(network: str, dropout: float, classes: int = len(LABELS)) -> keras.Model:
    """The network of that name, freshly initialised. Raises UsageError for an unknown name."""
    if network not in NETWORKS:
        raise UsageError(f"no network {network!r}: choose from {', '.join(NETWORKS)}")
    return NETWORKS[network](dropout=dropout, classes=classes)


def multiply_accumulates(model: keras.Model) -> int:
    """Multiply-accumulates of one picture's convolutions and dense layers (biases not counted)."""
    weighted = layers.Conv2D | layers.DepthwiseConv2D | layers.Dense
    found = (layer for layer in keras_files.layers_of(model) if isinstance(layer, weighted))
    return sum(math.prod(layer.output.shape[1:-1]) * math.prod(layer.kernel.shape) for layer in found)


def compiled(recipe: Recipe, classes: int) -> tuple[keras.Model, keras.Model]:
    """(network, trainee): the recipe's network, and the same layers up to the logits, compiled.

    Logits keep the cross-entropy's gradient exact where a probability is nearly 0. Where the recipe learns
    FER+'s votes, the trainee has eight more, from what the last layer with weights sees.
    """
    network = fastest(build(recipe.network, recipe.dropout, classes))
    outputs = network.get_layer("logits").output
    if recipe.votes_weight:
        features = head(network).input
        if len(features.shape) == 4:
            features = layers.GlobalAveragePooling2D(name="votes_features")(features)
        outputs = layers.Concatenate()([outputs, layers.Dense(len(ferplus.LABELS), name="votes")(features)])
    trainee = keras.Model(network.input, outputs)

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

    rates = {"learning_rate": float(recipe.learning_rate), "weight_decay": recipe.weight_decay or None}
    sgd = partial(keras.optimizers.SGD, momentum=float(recipe.momentum), nesterov=True)
    optimizer = (sgd if recipe.optimizer == "sgd" else keras.optimizers.Adam)(**rates)
    trainee.compile(optimizer, loss, metrics=[accuracy], jit_compile="auto")
    return network, trainee


def votes_network(network: keras.Model, trainee: keras.Model) -> keras.Model | None:
    """What `compiled` gives, with the head for FER+'s votes in place of the labels'.

    None for a network whose last layer is not such a head's (`paper`'s is a convolution).
    """
    if not isinstance(head(network), layers.Dense):
        return None
    votes = layers.Softmax(dtype="float32", name="probabilities")(trainee.get_layer("votes").output)
    return keras.Model(network.input, votes, name=network.name)


def head(network: keras.Model) -> Any:
    """The last layer that has weights."""
    return next(layer for layer in reversed(network.layers) if layer.weights)


def _same_padding(size: int, kernel: int, stride: int, dilation: int) -> int:
    """Pixels that padding `same` adds to one side of a map of `size` pixels, before and after together."""
    outputs = math.ceil(size / stride)
    seen = (outputs - 1) * stride + (kernel - 1) * dilation + 1
    return max(seen - size, 0)


class _TorchConv2D(layers.Conv2D):  # type: ignore[misc]
    """keras.layers.Conv2D over (N, H, W, C)."""

    def call(self, inputs: Any) -> Any:
        import torch

        maps = inputs.permute(0, 3, 1, 2)
        bias = self.bias.value if self.use_bias else None
        rows = columns = 0
        if self.padding == "same":
            sides = zip(maps.shape[2:], self.kernel_size, self.strides, self.dilation_rate, strict=True)
            rows, columns = (_same_padding(*side) for side in sides)
        padding = rows // 2, columns // 2
        if rows % 2 or columns % 2:  # an odd pixel goes after, as in TensorFlow
            around = columns // 2, columns - columns // 2, rows // 2, rows - rows // 2
            maps, padding = torch.nn.functional.pad(maps, around), (0, 0)
        kernel = self.kernel.value.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        maps = torch.nn.functional.conv2d(
            maps, kernel, bias, self.strides, padding, self.dilation_rate, self.groups
        )
        return self.activation(maps.permute(0, 2, 3, 1))


class _TorchMaxPooling2D(layers.MaxPooling2D):  # type: ignore[misc]
    """keras.layers.MaxPooling2D over (N, H, W, C)."""

    def call(self, inputs: Any) -> Any:
        if self.padding == "same":
            return super().call(inputs)
        import torch

        maps = torch.nn.functional.max_pool2d(inputs.permute(0, 3, 1, 2), self.pool_size, self.strides)
        return maps.permute(0, 2, 3, 1)


class _TorchBatchNormalization(layers.BatchNormalization):  # type: ignore[misc]
    """keras.layers.BatchNormalization of (N, H, W, C), but for the moving variance, which takes PyTorch's
    unbiased estimate of a batch, N*H*W / (N*H*W - 1) of Keras' own."""

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training or self.axis != -1:
            return super().call(inputs, training=training, mask=mask)
        import torch

        maps = torch.nn.functional.batch_norm(
            inputs.permute(0, 3, 1, 2),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value.to(torch.float32) if self.scale else None,
            self.beta.value.to(torch.float32) if self.center else None,
            training=True,
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )
        return maps.permute(0, 2, 3, 1)


def fastest(network: keras.Model) -> keras.Model:
    """The network; on PyTorch a copy with the same weights, computed by PyTorch's own kernels.

    There, Keras composes batch normalisation of a dozen operations, and copies the maps before each
    convolution and pooling.
    """
    if keras.backend.backend() != "torch":
        return network
    ours: tuple[Any, ...] = (_TorchConv2D, _TorchMaxPooling2D, _TorchBatchNormalization)
    by_keras = {kind.__base__: kind for kind in ours}

    def faster(layer: Any) -> Any:
        return by_keras.get(type(layer), type(layer)).from_config(layer.get_config())

    copy = keras.models.clone_model(network, clone_function=faster)
    copy.set_weights(network.get_weights())
    return copy
