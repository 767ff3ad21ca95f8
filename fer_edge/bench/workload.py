"""How much work a .tflite file is: multiply-accumulates and bytes of weights of each operator."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from fer_edge.model import graph
from fer_edge.model.graph import Builtin, Graph, Operator

_INTEGERS = {"int8", "int4", "uint8", "int16"}
_WEIGHTS: dict[int, int] = {Builtin.CONV_2D: 1, Builtin.DEPTHWISE_CONV_2D: 1, Builtin.FULLY_CONNECTED: 1}
"""Which input of an operator that multiplies and accumulates holds its weights."""


@dataclass(frozen=True)
class Work:
    """One operator. macs: multiply-accumulates of one inference, biases not counted.

    integer: its weights are integers, so that int8 instructions can be used. weight_bytes: of all the
    constants that it reads. shape: of its output.
    """

    name: str
    macs: int
    integer: bool
    weight_bytes: int
    shape: tuple[int, ...]


def of(data: bytes) -> list[Work]:
    """The operators of the file's main graph, in its order. Raises ModelError for no .tflite file."""
    main = graph.read(data)[0]
    return [_work(main, operator) for operator in main.operators]


def total_macs(operators: Sequence[Work]) -> int:
    """Multiply-accumulates of one inference."""
    return sum(operator.macs for operator in operators)


def _work(main: Graph, operator: Operator) -> Work:
    shape = main.tensors[operator.outputs[0]].shape if operator.outputs else ()
    constants = sum(main.tensors[index].data_bytes for index in operator.inputs if index >= 0)
    place = _WEIGHTS.get(operator.code, len(operator.inputs))
    if place >= len(operator.inputs) or operator.inputs[place] < 0:
        return Work(operator.name, 0, False, constants, shape)
    weights = main.tensors[operator.inputs[place]]
    # every weight is used once for each pixel of the output, in a dense layer once for each row
    macs = math.prod(shape[:-1]) * math.prod(weights.shape)
    return Work(operator.name, macs, weights.dtype in _INTEGERS, constants, shape)
