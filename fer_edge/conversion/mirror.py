"""Two views in one network: each picture and its mirror image, and the geometric mean of both answers.

They are a batch of two inside the graph. Each weight is stored and packed once, and LiteRT is 1 % faster than
with two branches (docs/conversion.md).
"""

from typing import Any

import keras
from keras import ops

from fer_edge.conversion.folding import kind
from fer_edge.errors import ModelError
from fer_edge.model import keras_files


class Views(keras.layers.Layer):  # type: ignore[misc]
    """Pictures (N, height, width, channels) -> (2 N, height, width, channels), mirror images behind them."""

    def call(self, pictures: Any) -> Any:
        """Mirrors by gathering columns, which works in int8; REVERSE_V2 does not keep quantisation."""
        columns = list(range(pictures.shape[2]))[::-1]
        return ops.concatenate([pictures, ops.take(pictures, columns, axis=2)], axis=0)


class MeanOfViews(keras.layers.Layer):  # type: ignore[misc]
    """Logits (2 N, labels) -> their means over both views, (N, labels).

    Their softmax is the normalised geometric mean of the views' probabilities. Those are not computed: one
    that is 0 in float32 would erase the other.
    """

    def call(self, logits: Any) -> Any:
        return ops.mean(ops.reshape(logits, (2, -1, logits.shape[-1])), axis=0)


def mirrored(network: Any) -> Any:
    """The network with the same weights on two views of each picture; same input and output.

    Raises ModelError unless it ends in a Softmax layer of logits (N, labels).
    """
    network = keras.Model(network.inputs[0], network.outputs[0], name=network.name)
    end = network.layers[-1]
    dense = type(end).__name__ == "Dense" and end.get_config()["activation"] == "softmax"
    if not (dense or kind(end) == "Softmax") or end.output is not network.outputs[0]:
        raise ModelError("--mirror needs a network that ends in a Softmax layer: it takes the mean of logits")
    face = keras.Input(network.inputs[0].shape[1:], name=network.layers[0].name)
    views = Views(name="views")(face)

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        given = keras.tree.map_structure(lambda tensor: views if tensor is face else tensor, given)
        if layer.name == end.name and dense:
            layer.activation = keras.activations.linear
            return keras.layers.Softmax()(MeanOfViews(name="mean_of_views")(layer(*given)))
        if layer.name == end.name:
            given = (MeanOfViews(name="mean_of_views")(*given),)
        return layer(*given, **options)

    copy = keras.models.clone_model(network, input_tensors=face, call_function=call)
    keras_files.set_weights(copy, network.get_weights())
    return copy
