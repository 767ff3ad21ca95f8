"""What a .tflite file computes: its operators, tensors and which of them hold weights.

Slots are those of TFLite's schema.fbs (tensorflow/lite/schema/schema.fbs, version 3).
"""

from __future__ import annotations

import enum
import functools
import importlib
from dataclasses import dataclass

from fer_edge.errors import ModelError
from fer_edge.model.flatbuffer import Buffer, Table

FILE_IDENTIFIER = b"TFL3"


class Builtin(enum.IntEnum):
    """The operators that matter here by themselves, numbered as schema.fbs numbers BuiltinOperator."""

    CONV_2D = 3
    DEPTHWISE_CONV_2D = 4
    DEQUANTIZE = 6
    FULLY_CONNECTED = 9
    RESHAPE = 22
    SOFTMAX = 25
    CUSTOM = 32
    QUANTIZE = 114
    VAR_HANDLE = 142
    READ_VARIABLE = 143
    ASSIGN_VARIABLE = 144


_SAME_VALUES = {Builtin.RESHAPE, Builtin.DEQUANTIZE, Builtin.QUANTIZE}


TYPES = (
    *("float32", "float16", "int32", "uint8", "int64", "string", "bool", "int16", "complex64", "int8"),
    *("float64", "complex128", "uint64", "resource", "variant", "uint32", "uint16", "int4", "bfloat16"),
)
"""Names of schema.fbs's TensorType, by its number, as numpy spells them where it has them."""


@dataclass(frozen=True)
class Tensor:
    """One tensor. `constant`: the file holds its values. `variable`: it keeps state between runs.

    dtype: of `TYPES`, else `type N`. scales, zero_points: one for all values or one a channel; none where
    it is not quantised. data_bytes: how many the file holds of its values.
    """

    name: str
    shape: tuple[int, ...]
    constant: bool
    variable: bool
    dtype: str = "float32"
    scales: tuple[float, ...] = ()
    zero_points: tuple[int, ...] = ()
    data_bytes: int = 0


@dataclass(frozen=True)
class Operator:
    """One node. code: TFLite's number of the operator. custom_name: empty for builtin operators.

    inputs, outputs: indices of tensors; -1 for an optional input that is absent.
    """

    code: int
    custom_name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]

    @property
    def name(self) -> str:
        """The custom name, else TFLite's own, such as `CONV_2D`."""
        return self.custom_name or builtin_names().get(self.code, f"BUILTIN_{self.code}")


@dataclass(frozen=True)
class Graph:
    """One subgraph, the first being the main one."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read(data: bytes) -> tuple[Graph, ...]:
    """The subgraphs of the .tflite file whose bytes are `data`, every index in them within range.

    Raises ModelError if it is no whole .tflite file.
    """
    if not data:
        raise ModelError("the file is empty")
    if data[4:8] != FILE_IDENTIFIER:
        raise ModelError("not a .tflite file")
    model = Buffer(data).root()
    sizes = [_data_size(buffer, len(data)) for buffer in model.tables(4)]
    codes = [_operator_code(code) for code in model.tables(1)]
    graphs = tuple(_graph(subgraph, codes, sizes) for subgraph in model.tables(2))
    if not graphs or not graphs[0].operators:
        raise ModelError("the file holds no operators")
    return graphs


def _data_size(buffer: Table, file_size: int) -> int:
    offset, size = buffer.scalar(1, "Q"), buffer.scalar(2, "Q")  # used by files past 2 GB
    if offset > 1 and offset + size > file_size:
        raise ModelError("the file is cut or damaged")
    return buffer.blob_size(0) or (size if offset > 1 else 0)


def _operator_code(code: Table) -> tuple[int, str]:
    # Codes past 127 stand in the newer field; older files fill only the 8-bit one.
    builtin = max(code.scalar(0, "b"), code.scalar(3, "i"))
    return builtin, (code.text(1) or "CUSTOM") if builtin == Builtin.CUSTOM else ""


def _type_name(code: int) -> str:
    return TYPES[code] if 0 <= code < len(TYPES) else f"type {code}"


def _quantisation(tensor: Table) -> tuple[tuple[float, ...], tuple[int, ...]]:
    held = tensor.table(4)
    if held is None:
        return (), ()
    return tuple(held.numbers(2, "f")), tuple(int(n) for n in held.numbers(3, "q"))


def _graph(subgraph: Table, codes: list[tuple[int, str]], sizes: list[int]) -> Graph:
    tensors = []
    for tensor in subgraph.tables(0):
        buffer = tensor.scalar(2, "I")
        constant = sizes[_within(buffer, len(sizes))] > 0
        shape = tuple(tensor.integers(0))
        constant = constant or 0 in shape  # nothing to hold
        scales, zero_points = _quantisation(tensor)
        tensors.append(
            Tensor(
                tensor.text(3),
                shape,
                constant,
                bool(tensor.scalar(5, "B")),
                _type_name(tensor.scalar(1, "b")),
                scales,
                zero_points,
                sizes[buffer],
            )
        )
    operators = []
    for operator in subgraph.tables(3):
        code, custom_name = codes[_within(operator.scalar(0, "I"), len(codes))]
        inputs = tuple(_within(n, len(tensors), least=-1) for n in operator.integers(1))
        outputs = tuple(_within(n, len(tensors)) for n in operator.integers(2))
        operators.append(Operator(code, custom_name, inputs, outputs))
    ends = [tuple(_within(n, len(tensors)) for n in subgraph.integers(slot)) for slot in (1, 2)]
    return Graph(tuple(tensors), tuple(operators), ends[0], ends[1])


def _within(index: int, count: int, least: int = 0) -> int:
    if not least <= index < count:
        raise ModelError("the file is damaged: it refers to parts that it does not have")
    return index


def ends_in_softmax(data: bytes) -> bool:
    """Whether the file's output is a softmax, perhaps reshaped or requantised: probabilities for sure."""
    main = read(data)[0]
    makers = {output: operator for operator in main.operators for output in operator.outputs}
    wanted = main.outputs[0] if main.outputs else -1
    for _ in range(len(main.operators)):
        operator = makers.get(wanted)
        if operator is None or operator.code not in _SAME_VALUES or not operator.inputs:
            return operator is not None and operator.code == Builtin.SOFTMAX
        wanted = operator.inputs[0]
    return False


@functools.cache
def builtin_names() -> dict[int, str]:
    """Code -> name of TFLite's builtin operators, from whichever runtime brings the schema.

    Empty where none does (tflite_runtime): operators are then called `BUILTIN_` and their code.
    """
    for module in ("ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated"):
        try:
            codes = vars(importlib.import_module(module).BuiltinOperator)
        except ImportError:
            continue
        return {code: name for name, code in codes.items() if isinstance(code, int)}
    return {}
