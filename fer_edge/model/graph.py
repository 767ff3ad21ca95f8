"""What a .tflite file computes, and what that costs: through the schema that LiteRT's package brings.

The device side needs none of this but to say more of a foreign file; where the schema is absent (with
tflite_runtime), MissingExtraError says so.
"""

from __future__ import annotations

import functools
import importlib
import math
import re
import struct
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import MissingExtraError, ModelError

IDENTIFIER = b"TFL3"
_DAMAGE = (struct.error, IndexError, TypeError, ValueError, OverflowError, AttributeError, MemoryError)
"""What the schema's code raises on files that are cut or damaged."""
_SAME_VALUES = {"RESHAPE", "DEQUANTIZE", "QUANTIZE"}
_VARIABLES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
"""Operators whose second input is their weights."""
_ALIGNMENT = 16  # of a Buffer's data, as schema.fbs asks


@dataclass(frozen=True)
class Tensor:
    """One tensor. constant: the file holds its values, in `data_bytes`. variable: kept between runs.

    dtype: as numpy spells it, where numpy has it. scales, zero_points: one for all values or one a channel;
    none where it is not quantised.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    constant: bool
    variable: bool
    scales: tuple[float, ...]
    zero_points: tuple[int, ...]
    data_bytes: int


@dataclass(frozen=True)
class Operator:
    """One node. name: TFLite's own, such as `CONV_2D`, or that of a custom operator.

    inputs, outputs: indices of tensors; -1 for an optional input that is absent.
    """

    name: str
    custom: bool
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True)
class Graph:
    """One subgraph, the first being the main one."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@functools.cache
def schema() -> Any:
    """The module of TFLite's generated schema. Raises MissingExtraError where no package brings it."""
    for module in ("ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated"):
        try:
            return importlib.import_module(module)
        except ImportError:
            continue
    raise MissingExtraError("TFLite's schema (ai-edge-litert)", "train", "reading what a model computes")


def unpacked(flatbuffer: bytes) -> Any:
    """The schema's ModelT, whose parts can be changed. Raises ModelError if it is no whole .tflite file."""
    if not flatbuffer:
        raise ModelError("the file is empty")
    if flatbuffer[4:8] != IDENTIFIER:
        raise ModelError("not a .tflite file")
    try:
        return schema().ModelT.InitFromObj(schema().Model.GetRootAs(flatbuffer, 0))
    except _DAMAGE as error:
        raise ModelError("the file is cut or damaged") from error


def packed(model: Any) -> bytes:
    """The flatbuffer of a ModelT, weights aligned, which the schema's own code does not see to."""
    base: Any = importlib.import_module("flatbuffers").Builder

    class Builder(base):  # type: ignore[misc]
        def CreateNumpyVector(self, values: NDArray[Any]) -> int:  # noqa: N802
            if values.dtype != np.uint8:
                return int(super().CreateNumpyVector(values))
            self.StartVector(1, len(values), _ALIGNMENT)
            self.head -= len(values)
            self.Bytes[self.head : self.head + len(values)] = values.tobytes()
            return int(self.EndVector())

    builder = Builder(1024)
    builder.Finish(model.Pack(builder), IDENTIFIER)
    return bytes(builder.Output())


def read(data: bytes) -> tuple[Graph, ...]:
    """The subgraphs of a .tflite file's bytes, every index in them within range.

    Raises ModelError if it is no whole .tflite file.
    """
    model = unpacked(data)
    try:
        sizes = [_data_bytes(buffer, len(data)) for buffer in model.buffers]
        codes = [_operator_code(code) for code in model.operatorCodes or ()]
        graphs = tuple(_graph(subgraph, codes, sizes) for subgraph in model.subgraphs or ())
    except UnicodeDecodeError as error:
        raise ModelError("the file is damaged: a name in it is not UTF-8") from error
    except _DAMAGE as error:
        raise ModelError("the file is cut or damaged") from error
    if not graphs or not graphs[0].operators:
        raise ModelError("the file holds no operators")
    return graphs


def _data_bytes(buffer: Any, file_size: int) -> int:
    if buffer.offset > 1 and buffer.offset + buffer.size > file_size:  # of files past 2 GB
        raise ValueError("the weights lie behind the end")
    return len(_values(buffer.data)) or (buffer.size if buffer.offset > 1 else 0)


def _operator_code(code: Any) -> tuple[str, bool]:
    # Codes past 127 stand in the newer field; older files fill only the 8-bit one.
    number = max(code.deprecatedBuiltinCode, code.builtinCode)
    name = _names("BuiltinOperator").get(number, f"BUILTIN_{number}")
    return ((code.customCode or b"CUSTOM").decode(), True) if name == "CUSTOM" else (name, False)


@functools.cache
def _names(enum: str) -> dict[int, str]:
    return {n: name for name, n in vars(getattr(schema(), enum)).items() if isinstance(n, int)}


def _graph(subgraph: Any, codes: list[tuple[str, bool]], sizes: list[int]) -> Graph:
    tensors = tuple(_tensor(tensor, sizes) for tensor in _values(subgraph.tensors))
    count = len(tensors)
    operators = []
    for one in _values(subgraph.operators):
        name, custom = codes[one.opcodeIndex]
        inputs = _indices(one.inputs, count, least=-1)
        operators.append(Operator(name, custom, inputs, _indices(one.outputs, count)))
    return Graph(
        tensors, tuple(operators), _indices(subgraph.inputs, count), _indices(subgraph.outputs, count)
    )


def _tensor(tensor: Any, sizes: list[int]) -> Tensor:
    quantisation = tensor.quantization
    shape = tuple(int(n) for n in _values(tensor.shape))
    size = sizes[tensor.buffer]
    return Tensor(
        name=(tensor.name or b"").decode(),
        shape=shape,
        dtype=_names("TensorType").get(tensor.type, f"type {tensor.type}").lower(),
        constant=size > 0 or 0 in shape,  # nothing to hold
        variable=bool(tensor.isVariable),
        scales=tuple(map(float, _values(quantisation and quantisation.scale))),
        zero_points=tuple(map(int, _values(quantisation and quantisation.zeroPoint))),
        data_bytes=size,
    )


def _values(vector: Any) -> Any:
    return () if vector is None else vector


def _indices(vector: Any, count: int, least: int = 0) -> tuple[int, ...]:
    found = tuple(int(index) for index in _values(vector))
    if any(not least <= index < count for index in found):
        raise IndexError("it refers to tensors that it does not have")
    return found


def operators(data: bytes) -> dict[str, int]:
    """Name of operator -> how often the file uses it, by name. Raises ModelError if damaged."""
    used = Counter(operator.name for part in read(data) for operator in part.operators)
    return dict(sorted(used.items()))


def before_softmax(data: bytes) -> list[Tensor]:
    """The tensors on the way to the softmax that a file ends in, perhaps reshaped or requantised behind it.

    From the softmax's input back as far as values only change their form; empty where the end is no softmax.
    """
    main = read(data)[0]
    makers = {output: operator for operator in main.operators for output in operator.outputs}
    found: list[Tensor] = []
    tensor = main.outputs[0] if main.outputs else -1
    for _ in main.operators:
        maker = makers.get(tensor)
        wanted = _SAME_VALUES | ({"REDUCE_MAX"} if found else {"SOFTMAX"})
        if maker is None or not maker.inputs or maker.name not in wanted:
            break
        tensor = maker.inputs[0]
        if found or maker.name == "SOFTMAX":
            found.append(main.tensors[tensor])
    return found


def check(data: bytes, where: str) -> None:
    """Raises ModelError, in one line that names `where`, unless it is a whole .tflite file that can run.

    Refused: cut, foreign, empty and damaged files; files without their weights or with variables, which some
    exporters write without a word; operators that TFLite does not build in.
    """
    try:
        graphs = read(data)
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    foreign = sorted({node.name for part in graphs for node in part.operators if node.custom})
    if foreign:
        raise ModelError(
            f"{where} needs operators outside TFLite ({', '.join(foreign)}): "
            "convert with builtin operators only"
        )
    for part in graphs:
        _check_weights(part, where)


def _check_weights(part: Graph, where: str) -> None:
    if any(operator.name in _VARIABLES for operator in part.operators) or any(
        tensor.variable for tensor in part.tensors
    ):
        raise ModelError(f"{where} keeps its weights in variables, not in the file: convert a frozen model")
    given = set(part.inputs)
    made = given.union(*(operator.outputs for operator in part.operators))
    for operator in part.operators:
        missing = [n for n in operator.inputs if n >= 0 and n not in made and not part.tensors[n].constant]
        if operator.name in _WEIGHTED:
            missing += [n for n in operator.inputs[1:2] if n in given]
        if missing:
            raise ModelError(
                f"{where} does not hold its weights ({operator.name} has none): convert it again"
            )


@dataclass(frozen=True)
class Layer:
    """One operator and its cost. shape, dtype, scale: of its first output; scale 0 where not quantised.

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
    found = []
    for operator in part.operators:
        taken = [part.tensors[n] for n in operator.inputs if n >= 0]
        given = part.tensors[operator.outputs[0]] if operator.outputs else None
        held = [tensor for tensor in taken if tensor.constant]
        found.append(
            Layer(
                name=operator.name,
                shape=given.shape if given else (),
                dtype=given.dtype if given else "",
                scale=given.scales[0] if given and given.scales else 0.0,
                macs=_macs(operator.name, taken, given),
                weight_bytes=sum(tensor.data_bytes for tensor in held),
                parameters=sum(_count(t.shape) for t in held if t.dtype not in {"int64", "bool", "string"}),
                inputs=tuple(tensor.dtype for tensor in taken),
            )
        )
    return found


def macs(part: Graph) -> int:
    """Multiply-accumulates of one inference."""
    return sum(layer.macs for layer in layers(part))


def _macs(name: str, taken: list[Tensor], given: Tensor | None) -> int:
    """From the shapes alone: schema.fbs keeps kernels as (out, height, width, in), matrices as (out, in)."""
    if given is None or len(taken) < 2:
        return 0
    first, second = taken[0].shape, taken[1].shape
    if name in {"CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D"}:
        return _count(given.shape[1:-1]) * _count(second) * _count(given.shape[:1])
    if name == "FULLY_CONNECTED":
        return _count(first) // max(1, second[-1]) * _count(second) if second else 0
    if name == "TRANSPOSE_CONV" and len(taken) > 2:
        return _count(taken[2].shape[:-1]) * _count(second)
    if name == "BATCH_MATMUL" and given.shape and first:
        return _count(given.shape) * first[-1]
    return 0


def _count(shape: tuple[int, ...]) -> int:
    return math.prod(max(1, n) for n in shape)  # -1, a size that is not fixed, as 1


def peak(part: Graph) -> tuple[int, int]:
    """Most bytes that tensors take at one moment, so no arena can be smaller, and the operator's number then.

    Over the operators in order, inputs and outputs of the model held while they are needed. Types of no fixed
    size count as nothing.
    """
    last = {n: index for index, op in enumerate(part.operators) for n in op.inputs if n >= 0}
    last |= dict.fromkeys(part.outputs, len(part.operators))
    live = set(part.inputs)
    most = (0, 0)
    for index, operator in enumerate(part.operators):
        live |= set(operator.outputs)
        held = sum(_bytes(part.tensors[n]) for n in live)
        if held > most[0]:
            most = (held, index)
        live = {n for n in live if last.get(n, -1) > index}
    return most


def _bytes(tensor: Tensor) -> int:
    bits = re.search(r"\d+$", "bool8" if tensor.dtype == "bool" else tensor.dtype)
    return 0 if tensor.constant or bits is None else -(-_count(tensor.shape) * int(bits[0]) // 8)
