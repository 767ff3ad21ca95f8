"""Prepares a Keras network for TensorFlow's quantiser, so that it loses little in int8.

`rounded` computes a network of `folding.folded` with int8 rounding as FakeQuant operations, which the
converter turns into integers. `measured` finds the ranges of its tensors, `compensated` weights that
compensate for each other's rounding.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.folding import CENTRE, centre_of, first_layer, inputs_of, kind, readers_of
from fer_edge.errors import ModelError
from fer_edge.model import keras_files

_POOLS = ("AveragePooling2D", "MaxPooling2D", "GlobalMaxPooling2D")
_KEEP_RANGE = (*_POOLS, "ZeroPadding2D", "Cropping2D", "Flatten", "Reshape")
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


def last_weighted(model: Any) -> int:
    """The number of the last layer with weights to multiply by."""
    return max(n for n, layer in enumerate(model.layers) if hasattr(layer, "kernel"))


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
        if layer is first_layer(network) and centre_of(network) == CENTRE:
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
    for layer in layers[layers.index(first_layer(network)) + (centre_of(network) == CENTRE) : end]:
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
    keras_files.set_weights(copy, network.get_weights())
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


def _seen(model: Any, ranges: Ranges, layer: Any, faces: NDArray[np.uint8]) -> Iterator[NDArray[np.float64]]:
    """What a convolution sees at some places of each picture, (places, K) of each batch."""
    import tensorflow as tf

    sizes = ([1, *size, 1] for size in (layer.kernel_size, layer.strides, layer.dilation_rate))
    extract = (*sizes, layer.padding.upper())
    each, rng = max(1, _PLACES // len(faces)), np.random.default_rng(0)
    for batch in _batches(faces):
        taken = rounded(model, ranges, batch, before=layer)
        patches = tf.image.extract_patches(taken, *extract).numpy()
        patches = patches.reshape(len(batch), -1, patches.shape[-1])
        chosen = np.stack([rng.permutation(patches.shape[1])[:each] for _ in batch])
        rows = np.take_along_axis(patches, chosen[..., None], 1)
        yield rows.reshape(-1, rows.shape[-1]).astype(np.float64)
