"""Channels of one tensor brought to like sizes, since int8 gives all of them one step. Exact.

A channel that a convolution gives can be any positive multiple, if all that read it divide by the same: ReLU,
pooling and the sums of residual blocks do not mind (Nagel et al. 2019, arXiv:1906.04721). All tensors
that are tied together, as those along a residual branch are, get one factor for each channel.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.network import RELU, Network

_TIES = {"ADD", "MAX_POOL_2D", "AVERAGE_POOL_2D", "RELU", "MEAN", "RESHAPE"}
_NO_ACTIVATION = 0
_POSITIONS = 48
"""Of one face that are looked at; more only steady the percentiles."""
_PERCENTILE = 99.9
_MOST = 30.0


@dataclass
class _Group:
    """Tensors that share their channels' factors. writers, readers: operators with weights."""

    tensors: set[int]
    writers: set[int] = field(default_factory=set)
    readers: set[int] = field(default_factory=set)


def equalise(flatbuffer: bytes, faces: NDArray[np.uint8], strength: float) -> bytes:
    """The float flatbuffer with other weights that compute the same.

    faces: uint8 (N, height, width). strength: 0 for none, 1 for channels of the same size; between, since
    what activations gain, the weights that divide lose.
    """
    net = Network(flatbuffer)
    groups = [group for group in _groups(net) if group.writers and group.readers]
    if not groups or strength == 0:
        return flatbuffer
    sizes = _sizes(net, faces, groups)
    for group in groups:
        spread = np.max([sizes[n] / max(sizes[n].max(), 1e-12) for n in group.tensors if n in sizes], axis=0)
        _scale(net, group, np.minimum(np.maximum(spread, 1e-12) ** -strength, _MOST))
    return net.to_bytes()


def _scale(net: Network, group: _Group, factors: NDArray[np.float64]) -> None:
    for n in group.writers:
        _, weights, bias = net.operators[n].inputs
        net.set_constant(weights, net.constant(weights) * factors[:, None, None, None])
        net.set_constant(bias, net.constant(bias) * factors)
    for n in group.readers:
        weights = net.operators[n].inputs[1]
        values = net.constant(weights)
        net.set_constant(weights, values / np.tile(factors, values.shape[-1] // len(factors)))


def _sizes(net: Network, faces: NDArray[np.uint8], groups: list[_Group]) -> dict[int, NDArray[np.float64]]:
    """For each tensor (1, height, width, C), what 99.9 % of each channel's absolute values are below."""
    tensors = sorted(n for group in groups for n in group.tensors if len(net.tensors[n].shape) == 4)
    samples: dict[int, list[NDArray[np.float32]]] = {n: [] for n in tensors}
    rng = np.random.default_rng(0)
    for values in net.run(faces, tensors):
        for n, value in zip(tensors, values, strict=True):
            rows = np.abs(value).reshape(-1, value.shape[-1])
            samples[n].append(rows[rng.permutation(len(rows))[:_POSITIONS]])
    return {n: np.percentile(np.concatenate(rows), _PERCENTILE, axis=0) for n, rows in samples.items()}


def _groups(net: Network) -> list[_Group]:
    """What can be scaled: nothing whose factors would show outside convolutions and dense layers."""
    tied = {n: {n} for n, tensor in enumerate(net.tensors) if not tensor.constant}
    for op in net.operators:
        if op.name in _TIES:
            together = set().union(*(tied[n] for n in (*op.inputs, *op.outputs) if n in tied))
            for n in together:
                tied[n] = together
    groups = {id(tensors): _Group(tensors) for tensors in tied.values()}
    bad = {id(tied[n]) for n in (*net.shown.inputs, *net.shown.outputs)}
    for index, op in enumerate(net.operators):
        if op.name in _TIES:
            if not _keeps_channels(net, index):
                bad.update(id(tied[n]) for n in (*op.inputs, *op.outputs) if n in tied)
            continue
        for n in op.outputs:
            groups[id(tied[n])].writers.add(index)
            if op.name != "CONV_2D" or len(op.inputs) < 3 or not _is_scalable(net, index):
                bad.add(id(tied[n]))
        for n in op.inputs:
            if n in tied:
                groups[id(tied[n])].readers.add(index)
                if op.name not in {"CONV_2D", "FULLY_CONNECTED"} or n != op.inputs[0]:
                    bad.add(id(tied[n]))
    return [group for key, group in groups.items() if key not in bad and _fits(net, group)]


def _is_scalable(net: Network, operator: int) -> bool:
    return net.options(operator).fusedActivationFunction in (_NO_ACTIVATION, RELU)


def _keeps_channels(net: Network, operator: int) -> bool:
    """Whether each channel of the result comes from the same channel of its inputs alone."""
    op = net.operators[operator]
    taken, given = net.tensors[op.inputs[0]].shape, net.tensors[op.outputs[0]].shape
    if op.name == "ADD":
        same = all(not net.tensors[n].constant and net.tensors[n].shape == given for n in op.inputs)
        return same and _is_scalable(net, operator)
    if op.name == "RESHAPE":  # (1, height, width, channels) to (1, all), in the order in which they lie
        return len(taken) == 4 and len(given) == 2
    if op.name == "MEAN":
        return len(taken) == 4 and taken[-1] == given[-1]
    return True


def _fits(net: Network, group: _Group) -> bool:
    channels = {net.tensors[n].shape[-1] for n in group.tensors if len(net.tensors[n].shape) == 4}
    if len(channels) != 1:
        return False
    (count,) = channels
    inputs = [net.tensors[net.operators[n].inputs[1]].shape[-1] for n in group.readers]
    return all(width % count == 0 for width in inputs)
