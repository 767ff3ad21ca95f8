"""The end of a network that consists of linear layers, as one layer: exact, smaller, and kinder to int8.

The paper's CNN ends with convolution, batch normalisation, convolution, without an activation between
them: together one linear map of the last 3x3x128 pooled values to 3x3 values for each class. As one
fully connected layer it has 72,576 weights where the two convolutions have 311,040, and the 256 channels
between them, with one int8 step for all, are gone. Agreement with float32 on PublicTest in % (size):

    network                int8 throughout   last convolution in float   one layer, in float
    3 epochs, 49 % right   93.0 (672 kB)     98.7 (720 kB)               98.9 (644 kB)
    tuned, 66 % right      98.3              98.5                        98.6

(before `ranges`). The one layer in int8 needs a floor under the logits: 93.6 without, 98.5 with it
(428 kB) for the first of these networks.

The floor: a class's logit is the largest of nine values. Those far below it need no int8 levels. A
softmax does not change when all logits shift, so the layer gives ReLU(value - floor), and the
levels run from floor to largest, not from the smallest of the nine.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.source import import_keras

_LINEAR_LAYERS = {"Conv2D", "BatchNormalization", "Dropout", "SpatialDropout2D"}


@dataclass(frozen=True)
class AffineTail:
    """A model as trunk -> linear layer -> largest value of each class -> softmax.

    trunk: Keras model or another function, faces float32 -> (1, ...) of `len(weights)` values. weights:
    float32 (values, places * classes); bias: float32 (places * classes,). places: positions that each
    class's maximum runs over. floor: logits below it count as it; None for none.
    """

    trunk: Any
    weights: NDArray[np.float32]
    bias: NDArray[np.float32]
    places: int
    floor: float | None = None

    def probabilities(self, face: Any) -> Any:
        """The whole model on a TensorFlow tensor, float32 (1, height, width, 1) -> (1, classes)."""
        import tensorflow as tf

        values = tf.reshape(self.trunk(face), (1, len(self.weights)))
        bias = self.bias if self.floor is None else self.bias - np.float32(self.floor)
        logits = tf.matmul(values, self.weights) + bias
        if self.floor is not None:
            logits = tf.nn.relu(logits)
        logits = tf.reduce_max(tf.reshape(logits, (1, self.places, -1)), axis=1)
        return tf.nn.softmax(logits)

    def logits(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Largest values, float32 (N, classes), without the floor, of faces uint8 (N, height, width)."""
        values = np.asarray(self.trunk(faces[..., None].astype(np.float32)))
        every = values.reshape(len(faces), -1) @ self.weights + self.bias
        return np.asarray(every.reshape(len(faces), self.places, -1).max(axis=1), np.float32)

    def with_floor(self, faces: NDArray[np.uint8], percentile: float) -> AffineTail:
        """The same with the floor at that percentile of the logits of calibration `faces`."""
        return dataclasses.replace(self, floor=float(np.percentile(self.logits(faces), percentile)))


def find(model: Any) -> AffineTail | None:
    """The linear tail of a Keras model that ends ..., linear layers, GlobalMaxPooling2D, softmax.

    None where the layers are no chain, end otherwise, or would not become fewer weights.
    """
    keras = import_keras()
    layers = model.layers
    if len(layers) < 3 or not _is_chain(layers) or not _ends_in_largest(layers):
        return None
    start = len(layers) - 2
    while start > 1 and _is_linear(layers[start - 1]):
        start -= 1
    linear = layers[start:-2]
    if not linear:
        return None
    shape = tuple(layers[start - 1].output.shape[1:])
    values, places = math.prod(shape), math.prod(linear[-1].output.shape[1:3])
    results = places * linear[-1].output.shape[3]
    if values * results >= sum(layer.count_params() for layer in linear):
        return None

    def through(x: Any) -> NDArray[np.float64]:
        for layer in linear:
            x = layer(x, training=False) if "Conv" not in type(layer).__name__ else layer(x)
        return np.asarray(x, np.float64).reshape(len(x), results)

    # A linear map is known by what it makes of zero and of each unit vector.
    with keras.device("cpu:0"):
        bias = through(np.zeros((1, *shape), np.float32))[0]
        weights = through(np.eye(values, dtype=np.float32).reshape(values, *shape)) - bias
    # A name of its own, since Keras would count up, and tensors in the file are named after it.
    trunk = keras.Model(model.inputs, layers[start - 1].output, name=model.name)
    return AffineTail(trunk, weights.astype(np.float32), bias.astype(np.float32), places)


def _is_chain(layers: list[Any]) -> bool:
    return all(later.input is earlier.output for earlier, later in itertools.pairwise(layers))


def _ends_in_largest(layers: list[Any]) -> bool:
    return [type(layer).__name__ for layer in layers[-2:]] == ["GlobalMaxPooling2D", "Softmax"]


def _is_linear(layer: Any) -> bool:
    activation = getattr(getattr(layer, "activation", None), "__name__", "linear")
    return type(layer).__name__ in _LINEAR_LAYERS and activation == "linear"
