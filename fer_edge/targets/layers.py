"""What a model costs, operator by operator, from its file: multiply-accumulates, weights, working memory."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from fer_edge.model.graph import Graph, Operator, Tensor

_ITEM_BITS = {
    **{"float32": 32, "int32": 32, "uint32": 32, "float16": 16, "bfloat16": 16, "int16": 16, "uint16": 16},
    **{"int8": 8, "uint8": 8, "bool": 8, "int4": 4, "int64": 64, "uint64": 64, "float64": 64},
}
_OVER_POSITIONS = {"CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D"}


@dataclass(frozen=True)
class Layer:
    """One operator. shape, dtype, scale: of its first output; scale 0 where that is not quantised.

    macs: multiply-accumulates of a run. weight_bytes: constants that it reads, parameters: how many values.
    inputs: dtypes of what it reads, weights included.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    scale: float
    macs: int
    weight_bytes: int
    parameters: int
    inputs: tuple[str, ...]


def layers(part: Graph) -> list[Layer]:
    """The operators in the order in which they run."""
    return [_layer(operator, part) for operator in part.operators]


def _layer(operator: Operator, part: Graph) -> Layer:
    taken = [part.tensors[n] for n in operator.inputs if n >= 0]
    given = part.tensors[operator.outputs[0]] if operator.outputs else None
    held = [tensor for tensor in taken if tensor.constant]
    return Layer(
        name=operator.name,
        shape=given.shape if given else (),
        dtype=given.dtype if given else "",
        scale=given.scales[0] if given and given.scales else 0.0,
        macs=_macs(operator.name, taken, given),
        weight_bytes=sum(tensor.data_bytes for tensor in held),
        parameters=sum(_count(t.shape) for t in held if t.dtype not in {"int64", "bool", "string"}),
        inputs=tuple(tensor.dtype for tensor in taken),
    )


def _macs(name: str, taken: list[Tensor], given: Tensor | None) -> int:
    """From the shapes alone: schema.fbs keeps kernels as (out, height, width, in), matrices as (out, in)."""
    if given is None or len(taken) < 2:
        return 0
    first, second = taken[0].shape, taken[1].shape
    if name in _OVER_POSITIONS:
        return _count(given.shape[1:-1]) * _count(second) * _count(given.shape[:1])
    if name == "FULLY_CONNECTED":
        return _count(first) // max(1, second[-1]) * _count(second) if second else 0
    if name == "TRANSPOSE_CONV" and len(taken) > 2:
        return _count(taken[2].shape[:-1]) * _count(second)
    if name == "BATCH_MATMUL" and given.shape and first:
        return _count(given.shape) * first[-1]
    return 0


def _count(shape: Iterable[int]) -> int:
    return math.prod(max(1, n) for n in shape)  # -1, a size that is not fixed, as 1


def tensor_bytes(tensor: Tensor) -> int:
    """Working memory of a tensor; 0 for constants. Strings and types unknown count as nothing."""
    if tensor.constant:
        return 0
    return -(-_count(tensor.shape) * _ITEM_BITS.get(tensor.dtype, 0) // 8)


@dataclass(frozen=True)
class Peak:
    """bytes: most that tensors take at one moment, so no arena can be smaller. layer: the operator then."""

    bytes: int
    layer: int


def peak(part: Graph) -> Peak:
    """Over the operators in order, inputs and outputs of the model held while they are needed."""
    last = {n: index for index, op in enumerate(part.operators) for n in op.inputs if n >= 0}
    last |= dict.fromkeys(part.outputs, len(part.operators))
    live = set(part.inputs)
    most = Peak(0, 0)
    for index, operator in enumerate(part.operators):
        live |= set(operator.outputs)
        held = sum(tensor_bytes(part.tensors[n]) for n in live)
        if held > most.bytes:
            most = Peak(held, index)
        live = {n for n in live if last.get(n, -1) > index}
    return most
