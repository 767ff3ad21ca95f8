"""What a .tflite file computes and what that costs, read with the schema in LiteRT's package.

The device needs this only to say more about foreign files. Without the schema (with tflite_runtime), it
raises MissingExtraError.
"""

import contextlib
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
"""Raised by the schema's code on damaged files."""
_AFTER_LOGITS = {"RESHAPE", "DEQUANTIZE", "QUANTIZE", "REDUCE_MAX", "SOFTMAX"}
_VARIABLES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
"""Operators whose second input is their weights."""
_ALIGNMENT = 16  # of a Buffer's data, as schema.fbs asks


@dataclass(frozen=True)
class Tensor:
    """One tensor. index: in the subgraph. shape: -1 for an open size.

    dtype: numpy's name, if it has one. variable: kept between runs. scale, zero_point: the first channel's if
    each has its own; 0 if not quantised. data_bytes: size of its values, if they are in the file.
    """

    index: int
    name: str
    shape: tuple[int, ...]
    dtype: str
    variable: bool
    scale: float
    zero_point: int
    data_bytes: int

    @property
    def constant(self) -> bool:
        """Whether the file contains its values; true if it has none."""
        return self.data_bytes > 0 or 0 in self.shape

    @property
    def values(self) -> int:
        """Number of values; an open size counts as 1."""
        return math.prod(max(1, n) for n in self.shape)

    @property
    def memory_bytes(self) -> int:
        """Bytes it needs while the model runs; 0 for types of no fixed size."""
        bits = re.search(r"\d+$", "bool8" if self.dtype == "bool" else self.dtype)
        return 0 if self.constant or bits is None else -(-self.values * int(bits[0]) // 8)


@dataclass(frozen=True)
class Operator:
    """One node with its inputs (without absent optional ones) and outputs.

    name: TFLite's name, such as `CONV_2D`, or that of a custom operator.
    """

    name: str
    custom: bool
    taken: tuple[Tensor, ...]
    given: tuple[Tensor, ...]

    @property
    def weight_bytes(self) -> int:
        """Of all constants that it reads."""
        return sum(tensor.data_bytes for tensor in self.taken)

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one run, from the shapes: schema.fbs keeps kernels as (out, height, width,
        in), matrices as (out, in). 0 for what does not multiply by weights or by another matrix."""
        if len(self.taken) < 2 or not self.given:
            return 0
        first, second, (given, *_) = self.taken[0], self.taken[1], self.given
        if self.name in {"CONV_2D", "DEPTHWISE_CONV_2D"} and given.shape:
            return given.values // max(1, given.shape[-1]) * second.values
        if self.name == "FULLY_CONNECTED" and second.shape:
            return first.values // max(1, second.shape[-1]) * second.values
        if self.name == "BATCH_MATMUL" and first.shape:
            return given.values * first.shape[-1]
        return 0


@dataclass(frozen=True)
class Graph:
    """One subgraph, with operators in the order they run; the first subgraph is the main one."""

    tensors: tuple[Tensor, ...]
    operators: tuple[Operator, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def macs(self) -> int:
        """Multiply-accumulates of one inference."""
        return sum(operator.macs for operator in self.operators)

    @property
    def peak_bytes(self) -> int:
        """Peak bytes of all tensors, inputs and outputs included: the lower limit of any arena."""
        last = {tensor: n for n, operator in enumerate(self.operators) for tensor in operator.taken}
        last |= dict.fromkeys(self.outputs, len(self.operators))
        live, most = set(self.inputs), 0
        for n, operator in enumerate(self.operators):
            live |= set(operator.given)
            most = max(most, sum(tensor.memory_bytes for tensor in live))
            live = {tensor for tensor in live if last.get(tensor, -1) > n}
        return most


@functools.cache
def schema() -> Any:
    """The module of TFLite's generated schema. Raises MissingExtraError if no package includes it."""
    for module in ("ai_edge_litert.schema_py_generated", "tensorflow.lite.python.schema_py_generated"):
        with contextlib.suppress(ImportError):
            return importlib.import_module(module)
    raise MissingExtraError("TFLite's schema (ai-edge-litert)", "train", "reading what a model computes")


def unpacked(flatbuffer: bytes) -> Any:
    """The schema's ModelT, which can be modified. Raises ModelError if it is not an intact .tflite file."""
    if flatbuffer[4:8] != IDENTIFIER:
        raise ModelError("not a .tflite file" if flatbuffer else "the file is empty")
    try:
        return schema().ModelT.InitFromObj(schema().Model.GetRootAs(flatbuffer, 0))
    except _DAMAGE as error:
        raise ModelError("the file is cut or damaged") from error


def packed(model: Any) -> bytes:
    """The flatbuffer of a ModelT, with aligned weights, which the schema's own code does not ensure."""
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


def read(data: bytes, where: str = "the model") -> tuple[Graph, ...]:
    """The subgraphs of a .tflite file's bytes, every index in them within range.

    Raises ModelError, naming `where`, if it is not an intact .tflite file.
    """
    try:
        model = unpacked(data)
        graphs = tuple(_graph(subgraph, model) for subgraph in _values(model.subgraphs))
        if not graphs or not graphs[0].operators:
            raise ModelError("the file holds no operators")
    except ModelError as error:
        raise ModelError(f"{where}: {error}") from error
    except _DAMAGE as error:
        why = ": a name in it is not UTF-8" if isinstance(error, UnicodeDecodeError) else ""
        raise ModelError(f"{where}: the file is cut or damaged{why}") from error
    return graphs


def _graph(subgraph: Any, model: Any) -> Graph:
    tensors = []
    for index, one in enumerate(_values(subgraph.tensors)):
        steps = one.quantization
        tensor = Tensor(
            index,
            (one.name or b"").decode(),
            tuple(map(int, _values(one.shapeSignature))) or tuple(map(int, _values(one.shape))),
            _names("TensorType").get(one.type, f"type {one.type}").lower(),
            bool(one.isVariable),
            float(next(iter(_values(steps and steps.scale)), 0.0)),
            int(next(iter(_values(steps and steps.zeroPoint)), 0)),
            len(_values(model.buffers[one.buffer].data)),
        )
        tensors.append(tensor)

    def held(vector: Any, least: int = 0) -> tuple[Tensor, ...]:
        if any(index < least for index in _values(vector)):
            raise IndexError("it refers to tensors that it does not have")
        return tuple(tensors[index] for index in _values(vector) if index >= 0)

    operators = []
    for one in _values(subgraph.operators):
        code = model.operatorCodes[one.opcodeIndex]
        # Codes above 127 are in the newer field; older files fill only the 8-bit one.
        number = max(code.deprecatedBuiltinCode, code.builtinCode)
        name = _names("BuiltinOperator").get(number, f"BUILTIN_{number}")
        custom = name == "CUSTOM"
        name = (code.customCode or b"CUSTOM").decode() if custom else name
        operators.append(Operator(name, custom, held(one.inputs, least=-1), held(one.outputs)))
    return Graph(tuple(tensors), tuple(operators), held(subgraph.inputs), held(subgraph.outputs))


@functools.cache
def _names(enum: str) -> dict[int, str]:
    return {n: name for name, n in vars(getattr(schema(), enum)).items() if isinstance(n, int)}


def _values(vector: Any) -> Any:
    return () if vector is None else vector


def operators(data: bytes) -> dict[str, int]:
    """Name of operator -> how often the file uses it, by name. Raises ModelError if damaged."""
    used = Counter(operator.name for subgraph in read(data) for operator in subgraph.operators)
    return dict(sorted(used.items()))


def logit_step(data: bytes) -> float:
    """The scale of the quantised logits before the softmax at the end; 0 if there are none.

    They may have been reshaped, requantised or pooled since.
    """
    main = read(data)[0]
    makers = {tensor: operator for operator in main.operators for tensor in operator.given}
    tensor, logits = main.outputs[0], False
    for _ in main.operators:
        maker = makers.get(tensor)
        if maker is None or not maker.taken or maker.name not in _AFTER_LOGITS:
            break
        tensor, logits = maker.taken[0], logits or maker.name == "SOFTMAX"
        if logits and tensor.scale:
            return tensor.scale
    return 0.0


def check(data: bytes, where: str) -> None:
    """Raises ModelError, in one line that names `where`, unless it is an intact .tflite file that can run.

    Refuses truncated, foreign, empty and damaged files; files without weights or with variables, which some
    exporters write silently; operators that are not TFLite's builtin ones.
    """
    graphs = read(data, where)
    operators = [operator for subgraph in graphs for operator in subgraph.operators]
    if foreign := sorted({operator.name for operator in operators if operator.custom}):
        raise ModelError(f"{where} needs operators outside TFLite ({', '.join(foreign)}): use builtin ones")
    variable = any(tensor.variable for subgraph in graphs for tensor in subgraph.tensors)
    if variable or not _VARIABLES.isdisjoint(operator.name for operator in operators):
        raise ModelError(f"{where} keeps its weights in variables, not in the file: convert a frozen model")
    for subgraph in graphs:
        given = set(subgraph.inputs)
        computed = given.union(*(operator.given for operator in subgraph.operators))
        for operator in subgraph.operators:
            missing = any(tensor not in computed and not tensor.constant for tensor in operator.taken)
            if missing or (operator.name in _WEIGHTED and given.intersection(operator.taken[1:2])):
                raise ModelError(f"{where} does not hold the weights of {operator.name}: convert it again")
