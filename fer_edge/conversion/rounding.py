"""Prepares a Keras network for TensorFlow's quantiser, so that it loses little in int8.

`folded` folds batch normalisation and the normalisation of gray levels into convolutions. `rounded` computes
with int8 rounding as FakeQuant operations, which the converter turns into integers. `measured` finds the
ranges of its tensors, `compensated` weights that compensate for each other's rounding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError

CENTRE = 128.0
"""Gray levels minus this fit int8 exactly. Equation (1) of the paper, p / 127.5 - 1, would become two
rounded operators; the first convolution takes over its factor and offset. The only change: zero padding then
means gray 128 instead of 127.5."""
_KEEP_RANGE = ("MaxPooling2D", "GlobalMaxPooling2D", "Flatten", "Reshape")
"""Their output has the range of their input, or TFLite would round again."""
MEANS = ("GlobalAveragePooling2D", "AveragePooling2D", "Flatten", "Reshape")
"""Before a float output these are in float too: the mean of int8 values is finer than int8."""
_BATCH = 70
_BINS = 4096
_FACTORS = np.linspace(0.2, 1.0, 33)[::-1].tolist()
_PLACES = 16_000  # positions in pictures on which one layer is fitted
_DAMPING = 0.01  # share of the inputs' mean variance that is added to each, as in GPTQ
_LEAST_WEIGHTS = 1024  # with fewer, TFLite's dynamic range leaves a layer in float
_LEVELS = 100  # steps from 0 to the largest weight of a pruned or clustered layer; 127 compress worse

Ranges = dict[str, tuple[float, float]]
"""Name of a layer -> smallest and largest value of its output that int8 holds."""


def kind(layer: Any) -> str:
    """The name of a Keras layer's class: of Activation("relu") and ("softmax"), that of their own layers, and
    `LeakyReLU` of a ReLU that does more than remove what is below 0."""
    name = type(layer).__name__
    if name == "Activation":
        name = {"relu": "ReLU", "softmax": "Softmax"}.get(layer.get_config()["activation"], name)
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
    return {layer.name: readers[id(layer.output)] for layer in model.layers}


def last_weighted(model: Any) -> int:
    """The number of the last layer with weights to multiply by."""
    return max(n for n, layer in enumerate(model.layers) if hasattr(layer, "kernel"))


def folded(model: Any, *, centred: bool = False) -> Any:
    """An equivalent network without dropout, with ReLU and batch normalisation inside other layers.

    Batch normalisation goes into the weights before it; between dense layers it may stand after the ReLU.
    After anything else, as between a ReLU and a pooling, it becomes a depthwise 1x1 convolution.
    centred: its input is gray levels minus `CENTRE`, exact in int8; for a model that begins with a Rescaling
    that only convolutions read and that, if they pad, makes about that level 0. Raises as `readers_of` does.
    """
    import keras

    model = _separated(model)
    readers, first = readers_of(model), _first(model)
    weights = {layer.name: layer.get_weights() for layer in model.layers}
    changed: dict[str, Any] = {}
    if centred and _can_be_centred(first, readers[first.name]):
        scale, offset = float(first.scale), float(first.offset)
        changed[first.name] = {"scale": 1.0, "offset": -CENTRE}
        for layer in readers[first.name]:
            kernel, bias = _kernel_and_bias(layer, weights)
            weights[layer.name] = [kernel * scale, bias + (offset + CENTRE * scale) * kernel.sum((0, 1, 2))]
    left_out, fused = _fold(model, readers, weights)
    changed |= fused

    apart = {}  # what an activation without a fused kernel takes is rounded too: it becomes a layer
    for layer in model.layers:
        name = layer.get_config().get("activation", "linear") if hasattr(layer, "kernel") else "linear"
        if name not in ("linear", "relu", "relu6"):
            apart[layer.name] = keras.layers.Activation(name, name=f"{layer.name}_activation")
            changed.setdefault(layer.name, {})["activation"] = "linear"

    def copied(layer: Any) -> Any:
        if kind(layer) == "BatchNormalization" and layer.name not in left_out and _of_maps(layer):
            return keras.layers.DepthwiseConv2D(1, name=layer.name)
        return type(layer).from_config(layer.get_config() | changed.get(layer.name, {}))

    def call(layer: Any, *given: Any, **options: Any) -> Any:
        options = {} if kind(layer) == "DepthwiseConv2D" else options  # batch normalisation's
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
        if kind(layer) == "BatchNormalization" and layer.name not in left_out and _of_maps(layer):
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


def _of_maps(norm: Any) -> bool:
    return len(norm.output.shape) == 4 and norm.axis in (-1, 3)


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
        layer.set_weights(weights.get(layer.name, []))
    return copy


def _separated(model: Any) -> Any:
    """The model with each separable convolution as its two, since int8 must hold what is between them."""
    from keras import layers

    weights, second = {layer.name: layer.get_weights() for layer in model.layers}, {}
    for layer in model.layers:
        if kind(layer) == "SeparableConv2D":
            last = layers.Conv2D.from_config(
                {key: layer.get_config()[key] for key in ("filters", "use_bias", "activation")}
                | {"kernel_size": 1, "name": f"{layer.name}_pointwise"}
            )
            second[layer.name], weights[last.name] = last, weights[layer.name][1:]
            weights[layer.name] = weights[layer.name][:1]
    if not second:
        return model

    def copied(layer: Any) -> Any:
        config = layer.get_config()
        if layer.name not in second:
            return type(layer).from_config(config)
        keys = "name", "kernel_size", "strides", "padding", "dilation_rate", "depth_multiplier"
        return layers.DepthwiseConv2D(**{key: config[key] for key in keys}, use_bias=False)

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


def _first(network: Any) -> Any:
    """The layer that reads the gray levels; with two views, the one after `mirror.Views`."""
    return next(layer for layer in network.layers[1:] if kind(layer) != "Views")


def centre_of(network: Any) -> float:
    """What a folded network subtracts from the gray levels; 0 for nothing."""
    first = _first(network)
    shifts = kind(first) == "Rescaling" and not np.ndim(first.scale) and first.scale == 1.0
    return -float(first.offset) if shifts else 0.0


def rounded(network: Any, ranges: Ranges, faces: Any, *, float_end: bool = False, before: Any = None) -> Any:
    """Probabilities of a folded network in TensorFlow, (N, classes), for gray levels (N, height, width, 1).

    ranges: of the layers whose outputs are rounded to int8; without any, all stay in float. float_end: the
    last layer with weights, and means before it, in float. before: a layer whose input is returned instead.
    """
    import tensorflow as tf

    def int8(value: Any, low: float, high: float) -> Any:
        return tf.quantization.fake_quant_with_min_max_vars(value, low, high) if ranges else value

    values = {id(network.inputs[0]): int8(faces, 0.0, 255.0)}
    for layer in network.layers[1:]:
        given = [values[id(tensor)] for tensor in inputs_of(layer)]
        if layer is before:
            return given[0]
        result = layer(given if len(given) > 1 else given[0])
        if layer is _first(network) and centre_of(network) == CENTRE:
            result = int8(given[0] - CENTRE, -CENTRE, CENTRE - 1)
        if float_end and layer.name not in ranges and kind(layer) == "GlobalAveragePooling2D":
            # As a mean, the converter would compute it in int8.
            count = given[0].shape[1] * given[0].shape[2]
            result = tf.reduce_sum(given[0], (1, 2), keepdims=layer.keepdims) * np.float32(1 / count)
        if layer.name in ranges:
            result = int8(result, *ranges[layer.name])
        values[id(layer.output)] = result
    return values[id(network.outputs[0])]


def rounded_layers(network: Any, *, float_end: bool) -> dict[str, Any]:
    """Name of each layer of a folded network whose int8 output has its own range -> that output. If only an
    addition with ReLU reads it, without values that the ReLU removes: those below minus the other summand."""
    import keras

    readers, layers = readers_of(network), network.layers
    end = len(layers)
    if float_end:
        end = last_weighted(network)
        while kind(layers[end - 1]) in MEANS:
            end -= 1
    found = {}
    for layer in layers[layers.index(_first(network)) + (centre_of(network) == CENTRE) : end]:
        then = readers[layer.name]
        kinds = [kind(reader) for reader in then]
        if kind(layer) in _KEEP_RANGE or kinds == ["ReLU"]:
            continue
        hidden = kinds == ["Add"] and [kind(reader) for reader in readers[then[0].name]] == ["ReLU"]
        others = [tensor for tensor in inputs_of(then[0]) if tensor is not layer.output] if hidden else []
        found[layer.name] = layer.output if len(others) != 1 else keras.ops.maximum(layer.output, -others[0])
    return found


def measured(network: Any, faces: NDArray[np.uint8], *, float_end: bool) -> Ranges:
    """The range with the least squared error of each of `rounded_layers` on faces, uint8 (N, height, width).

    Because of a few bright edges, a convolution's largest value is up to 30 standard deviations away, and
    int8 would spend its 255 steps on rare values. The last layer with weights and all after it keep their
    full range. Raises ModelError if there is no such layer.
    """
    import keras

    outputs = rounded_layers(network, float_end=float_end)
    if not outputs:
        raise ModelError("the network has no layer to round before its last one: use --dynamic-range")
    inner = keras.Model(network.inputs, outputs)

    def values() -> Iterator[tuple[str, NDArray[np.float32]]]:
        for batch in _batches(faces):
            for name, value in inner([batch], training=False).items():
                yield name, np.asarray(value)

    found: Ranges = dict.fromkeys(outputs, (0.0, 0.0))  # int8 must include 0
    for name, value in values():
        low, high = found[name]
        found[name] = min(low, float(value.min())), max(high, float(value.max()))
    counts = {name: np.zeros(_BINS, np.int64) for name in outputs}
    for name, value in values():
        low, high = found[name]
        counts[name] += np.histogram(value, _BINS, (low, high if high > low else 1.0))[0]
    hidden = {layer.name for layer in network.layers[: last_weighted(network)]}
    for name, (low, high) in found.items():
        if kind(network.get_layer(name)) == "Softmax":
            found[name] = 0.0, 255 / 256  # the range that TFLite's softmax has
        elif name in hidden and high > low:
            found[name] = best_range(counts[name], (low, high))
    return found


def _batches(faces: NDArray[np.uint8]) -> Iterable[NDArray[np.float32]]:
    return (faces[k : k + _BATCH, ..., None].astype(np.float32) for k in range(0, len(faces), _BATCH))


def best_range(counts: NDArray[np.int64], whole: tuple[float, float]) -> tuple[float, float]:
    """The part of the range `whole` that int8 stores with the least mean squared error.

    counts: int64 (bins,), a histogram over `whole`. Both ends shrink by the same factor, then each
    by its own; values outside are clipped, values inside have an error of step^2 / 12.
    """
    edges = np.linspace(*whole, len(counts) + 1)
    values = (edges[:-1] + edges[1:]) / 2

    def error(factors: tuple[float, float]) -> float:
        low, high = whole[0] * factors[0], whole[1] * factors[1]
        clipped = values - np.clip(values, low, high)
        inside = ((max(high, 0) - min(low, 0)) / 255) ** 2 / 12
        return float((counts * np.where(clipped == 0, inside, clipped**2)).sum())

    low, high = min(((f, f) for f in _FACTORS), key=error)
    low, _ = min(((f, high) for f in _FACTORS), key=error)
    _, high = min(((low, f) for f in _FACTORS), key=error)
    return whole[0] * low, whole[1] * high


def on_one_step(weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """A large convolution kernel as multiples of one step; other weights are unchanged.

    With a step per channel, as usual in int8, the same value would be a different byte in each.
    """
    if not _has_one_step(weights):
        return weights
    step = np.abs(weights).max() / _LEVELS or 1.0
    return np.asarray(np.rint(weights / step) * step, np.float32)


def _has_one_step(weights: Any) -> bool:
    return len(weights.shape) == 4 and int(np.prod(weights.shape)) >= _LEAST_WEIGHTS


def with_one_step(weights: Any) -> Any:
    """A TensorFlow constant from `on_one_step`, marked so that the converter keeps its step."""
    import tensorflow as tf

    if not _has_one_step(weights):
        return weights
    end = float(np.abs(weights).max()) * 127 / _LEVELS
    return tf.quantization.fake_quant_with_min_max_args(weights, -end, end, narrow_range=True)


def compensated(network: Any, ranges: Ranges, faces: NDArray[np.uint8], *, compressed: bool = False) -> Any:
    """A copy of the folded network whose convolutions compensate for the rounding of their weights to int8.

    Weights are rounded one after another, and the remaining ones take over the error according to the
    covariance of the inputs (GPTQ, Frantar et al. 2022, arXiv:2210.17323). Then each bias corrects the
    difference in the layer's mean, with all layers before it rounded (Nagel et al. 2019, arXiv:1906.04721,
    section 4.2). ranges: empty if activations stay in float. compressed: large kernels are already
    `on_one_step` and stay so.
    """
    import keras

    copy = keras.models.clone_model(network)
    copy.set_weights(network.get_weights())
    end = last_weighted(network)
    for layer, new in zip(network.layers[:end], copy.layers[:end], strict=True):
        if kind(layer) != "Conv2D" or layer.groups > 1:
            continue
        kernel, bias = layer.get_weights()
        if not ranges and kernel.size < _LEAST_WEIGHTS:
            continue
        weights = kernel.reshape(-1, kernel.shape[-1]).T.astype(np.float64)
        seen = list(_seen(copy, ranges, new, faces))
        count = sum(map(len, seen))
        mean_exact = sum(rows.sum(axis=0) for rows in _seen(network, {}, layer, faces)) / count
        mean = sum(rows.sum(axis=0) for rows in seen) / count
        given = weights
        if not (compressed and _has_one_step(kernel)):
            # In this order: another last bit of the covariance rounds some weights otherwise.
            covariance = sum(rows.T @ rows for rows in seen) / count - np.outer(mean, mean)
            whole, scales = rounded_weights(weights, covariance)
            given = whole * scales[:, None]
        shift = weights @ mean_exact - given @ mean
        new.set_weights([given.T.reshape(kernel.shape), bias + shift])
    return copy


def rounded_weights(
    weights: NDArray[np.float64], covariance: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Whole numbers -127..127 (outputs, K) and what each output multiplies them by, for `weights`.

    covariance: (K, K), of the layer's inputs. The largest weight of an output stays 127 or -127, so that
    TFLite, which takes its step from the largest, finds the same steps; a weight of 0, perhaps pruned, 0.
    """
    count = weights.shape[1]
    sizes = np.abs(weights).max(axis=1)
    scales = np.where(sizes > 0, sizes, 1.0) / 127
    damped = covariance + (_DAMPING * np.trace(covariance) / count + 1e-12) * np.eye(count)
    order = np.argsort(-np.diag(damped), kind="stable")
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = weights.T[order].copy()
    stay = (left == 0) | (np.abs(left) == sizes)
    plain = np.rint(left / scales)
    rounded = np.zeros_like(left)
    for k in range(count):
        rounded[k] = np.where(stay[k], plain[k], np.clip(np.rint(left[k] / scales), -127, 127))
        lost = (left[k] - rounded[k] * scales) / upper[k, k]
        left[k + 1 :] -= np.outer(upper[k, k + 1 :], lost)
    return np.asarray(rounded[np.argsort(order)].T), scales


def _seen(
    network: Any, ranges: Ranges, layer: Any, faces: NDArray[np.uint8]
) -> Iterator[NDArray[np.float64]]:
    """What a convolution sees at some places of each picture, (places, K) of each batch."""
    import tensorflow as tf

    sizes = ([1, *size, 1] for size in (layer.kernel_size, layer.strides, layer.dilation_rate))
    extract = (*sizes, layer.padding.upper())
    each, rng = max(1, _PLACES // len(faces)), np.random.default_rng(0)
    for batch in _batches(faces):
        taken = rounded(network, ranges, batch, before=layer)
        patches = tf.image.extract_patches(taken, *extract).numpy()
        patches = patches.reshape(len(batch), -1, patches.shape[-1])
        chosen = np.stack([rng.permutation(patches.shape[1])[:each] for _ in batch])
        rows = np.take_along_axis(patches, chosen[..., None], 1)
        yield rows.reshape(-1, rows.shape[-1]).astype(np.float64)
