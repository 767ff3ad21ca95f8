"""An equivalent Keras network of fewer layers: what int8 rounds once instead of after each of several.

Batch normalisation, ReLU and the normalisation of gray levels go into the weights beside them.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.model import keras_files

CENTRE = 128.0
"""Gray levels minus this fit int8 exactly. Equation (1) of the paper, p / 127.5 - 1, would become two
rounded operators; the first convolution takes over its factor and offset. The only change: zero padding then
means gray 128 instead of 127.5."""


def kind(layer: Any) -> str:
    """The name of a Keras layer's class: of Activation("relu") and ("softmax"), that of their own layers,
    `LeakyReLU` of a ReLU that does more than remove what is below 0, and `Normalization` of a batch
    normalisation of anything but channels."""
    name = type(layer).__name__
    if name == "Activation":
        name = {"relu": "ReLU", "softmax": "Softmax"}.get(str(layer.get_config()["activation"]), name)
    if name == "BatchNormalization" and layer.axis not in (-1, len(layer.output.shape) - 1):
        return "Normalization"
    return "LeakyReLU" if getattr(layer, "negative_slope", 0) or getattr(layer, "threshold", 0) else name


def inputs_of(layer: Any) -> list[Any]:
    """The tensors that a Keras layer takes."""
    return list(layer.input) if isinstance(layer.input, list) else [layer.input]


def readers_of(model: Any) -> dict[str, list[Any]]:
    """Name of a layer -> the layers that take its output. Every layer is used once.

    Raises ModelError for anything else, or if something is computed between layers, as with keras.ops.
    """
    readers: dict[int, list[Any]] = {id(layer.output): [] for layer in model.layers}
    for layer in model.layers[1:]:
        for tensor in inputs_of(layer):
            if id(tensor) not in readers:
                what = "what keras.ops, a network inside or a layer used twice gives"
                raise ModelError(f"integer files cannot have layers that read {what}, as {layer.name} does")
            readers[id(tensor)].append(layer)
    if id(model.outputs[0]) not in readers:
        raise ModelError("integer files cannot end in keras.ops: end the network with a Softmax layer")
    return {layer.name: readers[id(layer.output)] for layer in model.layers}


def folded(model: Any, *, centred: bool = False) -> Any:
    """An equivalent network without dropout, with ReLU and batch normalisation inside other layers.

    Batch normalisation goes into the weights before it; between dense layers it may stand after the ReLU.
    After anything else, as between a ReLU and a pooling, it becomes a depthwise 1x1 convolution.
    centred: its input is gray levels minus `CENTRE`, exact in int8; for a model that begins with a Rescaling
    that only convolutions read and that, if they pad, makes about that level 0. Raises as `readers_of` does.
    """
    import keras

    model = _separated(model)
    readers, first = readers_of(model), first_layer(model)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    for layer in (one for one in model.layers if hasattr(one, "kernel")):
        del weights[layer.name][1 + layer.use_bias :]  # of an activation that is a layer
    centred &= _can_be_centred(first, readers[first.name])
    for layer in readers[first.name] if centred else ():
        scale, offset = float(first.scale), float(first.offset)
        kernel, bias = _kernel_and_bias(layer, weights)
        weights[layer.name] = [kernel * scale, bias + (offset + CENTRE * scale) * kernel.sum((0, 1, 2))]
    left_out, changed = _fold(model, readers, weights)
    if centred:
        changed[first.name] = {"scale": 1.0, "offset": -CENTRE}

    apart = {}  # what an activation without a fused kernel takes is rounded too: it becomes a layer
    for layer in model.layers:
        name = layer.get_config().get("activation", "linear") if hasattr(layer, "kernel") else "linear"
        if name not in ("linear", "relu", "relu6"):
            apart[layer.name] = keras.layers.Activation(name, name=f"{layer.name}_activation")
            weights[f"{layer.name}_activation"] = getattr(layer.activation, "get_weights", list)()
            changed.setdefault(layer.name, {})["activation"] = "linear"

    def copied(layer: Any) -> Any:
        if kind(layer) == "BatchNormalization" and weights[layer.name][0].ndim == 4:
            return keras.layers.DepthwiseConv2D(1, name=layer.name)
        return type(layer).from_config(layer.get_config() | changed.get(layer.name, {}))

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        # A depthwise convolution may get what batch normalisation was called with: mask and training.
        options = {} if isinstance(layer, keras.layers.DepthwiseConv2D) else options
        result = given[0] if layer.name in left_out else layer(*given, **options)
        return apart[layer.name](result) if layer.name in apart else result

    return _cloned(model, copied, call, weights)


def _fold(
    model: Any, readers: dict[str, list[Any]], weights: dict[str, Any]
) -> tuple[set[str], dict[str, dict[str, Any]]]:
    """Changes `weights`, by name of the layer, as `folded` says.

    Returns the layers to leave out, and what changes in the configuration of those with kernel and bias.
    """
    left_out = {layer.name for layer in model.layers if "Dropout" in kind(layer)}
    changed = {}

    def alone(layer: Any, wanted: str) -> Any:
        """The only layer that reads this one's output, apart from dropout, if it is of that kind."""
        found = readers[layer.name]
        while len(found) == 1 and "Dropout" in kind(found[0]):
            found = readers[found[0].name]
        return found[0] if len(found) == 1 and kind(found[0]) == wanted else None

    for layer in model.layers:
        maps = kind(layer) == "BatchNormalization" and len(layer.output.shape) == 4
        if maps and layer.name not in left_out:
            factor, shift = _factor_and_shift(layer)
            weights[layer.name] = [factor[None, None, :, None], shift]
        if kind(layer) not in ("Conv2D", "DepthwiseConv2D", "Dense"):
            continue
        kernel, bias = _kernel_and_bias(layer, weights)
        activation, last = layer.get_config()["activation"], layer
        if activation == "linear" and (norm := alone(layer, "BatchNormalization")):
            factor, shift = _factor_and_shift(norm)
            channels = kernel.shape[2:] if kind(layer) == "DepthwiseConv2D" else kernel.shape[-1:]
            kernel, bias, last = kernel * factor.reshape(channels), bias * factor + shift, norm
            left_out.add(norm.name)
        relu = alone(last, "ReLU") if activation == "linear" else None
        if relu and getattr(relu, "max_value", None) is None:
            activation, last = "relu", relu
            left_out.add(relu.name)
        norm = alone(last, "BatchNormalization") if (kind(layer), activation) == ("Dense", "relu") else None
        if norm and (then := alone(norm, "Dense")):
            factor, shift = _factor_and_shift(norm)  # ReLU(x) * factor is ReLU(x * |factor|) * sign(factor)
            kernel, bias = kernel * np.abs(factor), bias * np.abs(factor)
            next_kernel, next_bias = _kernel_and_bias(then, weights)
            weights[then.name] = [next_kernel * np.sign(factor)[:, None], next_bias + shift @ next_kernel]
            left_out.add(norm.name)
        weights[layer.name] = [kernel, bias]
        changed[layer.name] = {"use_bias": True, "activation": activation}
    return left_out, changed


def _can_be_centred(first: Any, readers: list[Any]) -> bool:
    if kind(first) != "Rescaling" or np.ndim(first.scale) or np.ndim(first.offset):
        return False
    # What zero padding means must stay: the gray level that becomes 0.
    near = abs(CENTRE * float(first.scale) + float(first.offset)) <= 2 * abs(float(first.scale))
    return all(kind(reader) == "Conv2D" and (near or reader.padding == "valid") for reader in readers)


def _cloned(model: Any, copied: Any, call: Any, weights: dict[str, Any]) -> Any:
    """`keras.models.clone_model`, also of a Sequential; weights: of its layers, by name."""
    import keras

    plain = keras.Model(model.inputs[0], model.outputs[0], name=model.name)
    copy = keras.models.clone_model(plain, clone_function=copied, call_function=call)
    for layer in copy.layers[1:]:
        keras_files.set_weights(layer, weights.get(layer.name, []))
    return copy


def _separated(model: Any) -> Any:
    """The model with each separable convolution as its two, since int8 must hold what is between them."""
    from keras import layers

    weights, second = {layer.name: layer.get_weights() for layer in model.layers}, {}
    for layer in model.layers:
        if kind(layer) == "SeparableConv2D":
            how = {"use_bias": layer.use_bias, "activation": layer.activation}
            last = layers.Conv2D(layer.filters, 1, name=f"{layer.name}_pointwise", **how)
            second[layer.name], weights[last.name] = last, weights[layer.name][1:]
            weights[layer.name] = weights[layer.name][:1]
    if not second:
        return model

    def copied(layer: Any) -> Any:
        if layer.name not in second:
            return type(layer).from_config(layer.get_config())
        keys = "name", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier"
        return layers.DepthwiseConv2D(**{key: getattr(layer, key) for key in keys}, use_bias=False)

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        result = layer(*given, **options)
        return second[layer.name](result) if layer.name in second else result

    return _cloned(model, copied, call, weights)


def _kernel_and_bias(layer: Any, weights: dict[str, Any]) -> tuple[Any, Any]:
    kernel, *bias = weights[layer.name]
    return kernel, bias[0] if bias else np.zeros(layer.output.shape[-1], np.float32)


def _factor_and_shift(norm: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """What batch normalisation multiplies each channel by and then adds."""
    factor = 1 / np.sqrt(np.asarray(norm.moving_variance) + norm.epsilon)
    factor = factor * np.asarray(norm.gamma) if norm.scale else factor
    return factor, (np.asarray(norm.beta) if norm.center else 0) - np.asarray(norm.moving_mean) * factor


def first_layer(network: Any) -> Any:
    """The layer that reads the gray levels; with two views, the one after `mirror.Views`."""
    return next(layer for layer in network.layers[1:] if kind(layer) != "Views")


def centre_of(network: Any) -> float:
    """What a folded network subtracts from the gray levels; 0 for nothing."""
    first = first_layer(network)
    shifts = kind(first) == "Rescaling" and not np.ndim(first.scale) and first.scale == 1.0
    return -float(first.offset) if shifts else 0.0
