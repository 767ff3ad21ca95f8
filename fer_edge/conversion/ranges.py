"""Ranges of hidden tensors with the least squared error, instead of from smallest to largest value.

A few bright edges in the calibration pictures set the largest value of a convolution's output at up to
30 standard deviations; int8 then spends its 255 steps on values that hardly occur. Each end of a range is
moved in to where the errors of rounding and of clipping together are least.

All ranges are measured here: TensorFlow's calibrator reads the inputs of a sum after the sum was written over
them, and notes ranges that are too wide.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.network import RELU, Network

KEEP_RANGE = {"MAX_POOL_2D", "RESHAPE", "AVERAGE_POOL_2D"}
"""Operators whose output must have the range of their input, or TFLite inserts a requantisation."""
_BINS = 4096
_FACTORS = np.linspace(0.2, 1.0, 33)


def measured(calibrated: bytes, faces: NDArray[np.uint8], narrow: bool = True) -> bytes:
    """The calibrated flatbuffer with the ranges of its hidden tensors over `faces`, uint8 (N, height, width).

    Hidden: what comes after the input and before the end (its softmax has a range of its own). narrow: the
    range of least squared error, for what lies between the first and the last layer with weights.
    """
    net = Network(calibrated)
    layers = net.layers()
    given = {n: op.outputs[0] for n, op in enumerate(net.operators) if net.range(op.outputs[0])}
    ends = set(net.shown.outputs)
    tensors = [tensor for tensor in given.values() if tensor not in ends]
    found = _extremes(net, faces, tensors)
    hidden = {tensor for n, tensor in given.items() if layers[0] <= n < layers[-1]}
    if narrow:
        whole = {n: found[n] for n in tensors if n in hidden and found[n][1] > found[n][0]}
        for n, counts in _histograms(net, faces, whole).items():
            found[n] = best_range(counts, whole[n])
    for op in net.operators:
        if op.name in KEEP_RANGE and op.outputs[0] in found:
            found[op.outputs[0]] = found.get(op.inputs[0], found[op.outputs[0]])
    for n, (low, high) in found.items():
        net.set_range(n, low, high)
    return net.to_bytes()


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

    largest_first = [float(factor) for factor in _FACTORS[::-1]]
    low, high = min(((f, f) for f in largest_first), key=error)
    low, _ = min(((f, high) for f in largest_first), key=error)
    _, high = min(((low, f) for f in largest_first), key=error)
    return whole[0] * low, whole[1] * high


def _partners(net: Network) -> dict[int, int]:
    """Summands that nothing else reads, of a sum that ends in ReLU, and what they are added to."""
    readers = Counter(n for op in net.operators for n in op.inputs)
    found = {}
    for index, op in enumerate(net.operators):
        if op.name == "ADD" and net.options(index).fusedActivationFunction == RELU:
            for n, other in (op.inputs, op.inputs[::-1]):
                if readers[n] == 1 and not any(net.tensors[k].constant for k in (n, other)):
                    found[n] = other
    return found


def _counted(net: Network, faces: NDArray[np.uint8], tensors: list[int]) -> Iterator[list[NDArray[Any]]]:
    """For each face the values of `tensors`, as far as they matter: a sum's ReLU hides what lies below it."""
    partners = _partners(net)
    needed = [*tensors, *(partners[n] for n in tensors if n in partners)]
    for values in net.run(faces, needed):
        by = dict(zip(needed, values, strict=True))
        yield [np.maximum(by[n], -by[partners[n]]) if n in partners else by[n] for n in tensors]


def _extremes(net: Network, faces: NDArray[np.uint8], tensors: list[int]) -> dict[int, tuple[float, float]]:
    """Smallest and largest value of each tensor, zero included, which int8 must hold."""
    low, high = np.zeros(len(tensors)), np.zeros(len(tensors))
    for values in _counted(net, faces, tensors):
        low = np.minimum(low, [value.min() for value in values])
        high = np.maximum(high, [value.max() for value in values])
    return {n: (float(a), float(b)) for n, a, b in zip(tensors, low, high, strict=True)}


def _histograms(
    net: Network, faces: NDArray[np.uint8], whole: dict[int, tuple[float, float]]
) -> dict[int, NDArray[np.int64]]:
    counts = {n: np.zeros(_BINS, np.int64) for n in whole}
    for values in _counted(net, faces, list(whole)):
        for (n, limits), value in zip(whole.items(), values, strict=True):
            counts[n] += np.histogram(value, _BINS, limits)[0]
    return counts
