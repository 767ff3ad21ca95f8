"""int8 weights that make up for each other's rounding, and biases that make up for the rest: in every format
whose weights are int8, whatever its activations are.

Weights are rounded one input after the other, what each loses being passed on to those not yet rounded, in
proportion to how the calibration pictures' inputs go together (GPTQ, Frantar et al. 2022,
arXiv:2210.17323). Then each bias takes the difference of the layer's means, from the integer network's own
inputs, so that layers before are made up for too (Nagel et al. 2019, arXiv:1906.04721, section 4.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.network import Network

_ROWS = 16_000
"""Places in pictures that one layer is fitted on."""
_DAMPING = 0.01
"""Of the mean variance of the inputs, added to each: what GPTQ takes."""
_SAME = 0  # Padding of schema.fbs


@dataclass(frozen=True)
class _Moments:
    """Of a layer's inputs: covariance (K, K) and mean (K,) as integers see them, mean (K,) in float."""

    covariance: NDArray[np.float64]
    mean: NDArray[np.float64]
    mean_float: NDArray[np.float64]


def refine(quantised: bytes, calibrated: bytes, faces: NDArray[np.uint8]) -> bytes:
    """The quantised flatbuffer with better weights and biases of convolutions whose weights are int8.

    calibrated: the float flatbuffer that it was made from. faces: uint8 (N, height, width).
    """
    net, real = Network(quantised), Network(calibrated)
    pairs = list(zip(net.layers(), real.layers(), strict=True))
    pairs = [(a, b) for a, b in pairs if _is_plain(net, a)]
    means = _means(real, [b for _, b in pairs], faces)
    stand_in = _with_weights_of(net, calibrated) if _is_wide(net) else None
    for (index, counterpart), mean in zip(pairs, means, strict=True):
        seen, place = (net, index) if stand_in is None else (stand_in, counterpart)
        _refine_layer(net, index, real, counterpart, _moments(seen, place, faces, mean))
        if stand_in is not None:
            _copy_weights(net, index, stand_in, counterpart)
    return net.to_bytes()


def _is_wide(net: Network) -> bool:
    """Whether activations are int16: as fine as floats, whose kernels are far faster."""
    return any(net.tensors[net.operators[n].inputs[0]].dtype == "int16" for n in net.layers())


def _with_weights_of(net: Network, calibrated: bytes) -> Network:
    """The float network with the weights that the integers of `net` stand for."""
    stand_in = Network(calibrated)
    for index, counterpart in zip(net.layers(), stand_in.layers(), strict=True):
        if net.is_integer(index):
            _copy_weights(net, index, stand_in, counterpart)
    return stand_in


def _copy_weights(net: Network, index: int, to: Network, counterpart: int) -> None:
    for n, same in zip(net.operators[index].inputs[1:], to.operators[counterpart].inputs[1:], strict=True):
        if min(n, same) >= 0 and len(net.steps(n)[0]):  # a dense layer's bias may be absent in float alone
            to.set_constant(same, net.real_constant(n))


def _is_plain(net: Network, operator: int) -> bool:
    if net.operators[operator].name != "CONV_2D" or not net.is_integer(operator):
        return False
    options = net.options(operator)
    return bool(options.dilationHFactor == 1 and options.dilationWFactor == 1)


def _refine_layer(net: Network, index: int, real: Network, counterpart: int, found: _Moments) -> None:
    taken, weights, bias = net.operators[index].inputs
    _, weights_float, bias_float = real.operators[counterpart].inputs
    wanted = real.constant(weights_float).astype(np.float64)
    outputs = len(wanted)
    scales = np.broadcast_to(net.steps(weights)[0], (outputs,))
    rounded = rounded_weights(wanted.reshape(outputs, -1), scales, found.covariance)
    sums = real.constant(bias_float) + wanted.reshape(outputs, -1) @ found.mean_float
    corrected = sums - (rounded * scales[:, None]) @ found.mean
    net.set_constant(weights, rounded.reshape(wanted.shape))
    steps = net.steps(taken)[0]  # none of inputs in float, whose biases are in float too
    net.set_constant(bias, np.rint(corrected / (steps[0] * scales)) if len(steps) else corrected)


def rounded_weights(
    weights: NDArray[np.float64], scales: NDArray[np.float64], covariance: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Whole numbers -127..127 (outputs, K) whose multiples by `scales` (outputs,) stand for `weights`.

    covariance: (K, K), of the layer's inputs.
    """
    inputs = weights.shape[1]
    damped = covariance + (_DAMPING * np.trace(covariance) / inputs + 1e-12) * np.eye(inputs)
    order = np.argsort(-np.diag(damped), kind="stable")
    upper = np.linalg.cholesky(np.linalg.inv(damped[np.ix_(order, order)])).T
    left = weights.T[order].copy()
    rounded = np.zeros_like(left)
    for k in range(inputs):
        rounded[k] = np.clip(np.rint(left[k] / scales), -127, 127)
        lost = (left[k] - rounded[k] * scales) / upper[k, k]
        left[k + 1 :] -= np.outer(upper[k, k + 1 :], lost)
    back = np.empty_like(rounded)
    back[order] = rounded
    return np.asarray(back.T)


def _means(net: Network, layers: list[int], faces: NDArray[np.uint8]) -> list[NDArray[np.float64]]:
    """Of the inputs (K,) of convolutions."""
    sums: list[Any] = [0.0] * len(layers)
    count = [0] * len(layers)
    taken = [net.operators[n].inputs[0] for n in layers]
    for number, values in enumerate(net.run(faces, taken)):
        for k, (layer, value) in enumerate(zip(layers, values, strict=True)):
            rows = _rows(net, layer, value[0], (number, len(faces)))
            sums[k], count[k] = sums[k] + rows.sum(axis=0, dtype=np.float64), count[k] + len(rows)
    return [np.asarray(total / n) for total, n in zip(sums, count, strict=True)]


def _moments(net: Network, layer: int, faces: NDArray[np.uint8], mean_float: NDArray[np.float64]) -> _Moments:
    products = np.zeros((len(mean_float), len(mean_float)))
    sums, count = np.zeros(len(mean_float)), 0
    for number, (value,) in enumerate(net.run(faces, [net.operators[layer].inputs[0]])):
        rows = _rows(net, layer, value[0], (number, len(faces)))
        products += rows.T @ rows  # float32 within one picture, float64 over all
        sums += rows.sum(axis=0)
        count += len(rows)
    mean = sums / count
    return _Moments(products / count - np.outer(mean, mean), mean, mean_float)


def _rows(
    net: Network, layer: int, value: NDArray[np.float32], picture: tuple[int, int]
) -> NDArray[np.float32]:
    """What the convolution sees at some places of one picture (its number, of how many): (places, K)."""
    size = net.tensors[net.operators[layer].inputs[1]].shape[1:3]
    options = net.options(layer)
    strides = options.strideH, options.strideW
    seen = patches(value, (size[0], size[1]), strides, options.padding == _SAME)
    each = max(1, _ROWS // picture[1])
    places = np.random.default_rng(picture[0]).permutation(seen.shape[0] * seen.shape[1])[:each]
    return np.ascontiguousarray(seen[np.divmod(places, seen.shape[1])].reshape(len(places), -1))


def patches(
    values: NDArray[np.float32], size_hw: tuple[int, int], strides: tuple[int, int], same: bool
) -> NDArray[np.float32]:
    """What a convolution sees: (height, width, C) -> (rows, columns, kernel height, kernel width, C)."""
    if same:
        pads = []
        for length, kernel, stride in zip(values.shape, size_hw, strides, strict=False):
            whole = max((-(-length // stride) - 1) * stride + kernel - length, 0)
            pads.append((whole // 2, whole - whole // 2))
        values = np.pad(values, (*pads, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(values, size_hw, (0, 1))
    return windows[:: strides[0], :: strides[1]].transpose(0, 1, 3, 4, 2)
