"""What a .tflite file computes, and a card put into it: through the schema that LiteRT's package brings.

The device side needs none of this but to say more of a foreign file; where the schema is absent (with
tflite_runtime), MissingExtraError says so.
"""

from __future__ import annotations

import functools
import importlib
import io
import struct
import zipfile
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import MissingExtraError, ModelError
from fer_edge.model.file import CARD_FILE, LABELS_FILE, without_zip
from fer_edge.spec import ModelCard, TensorSpec

IDENTIFIER = b"TFL3"
METADATA = b"TFLITE_METADATA"
_DAMAGE = (struct.error, IndexError, TypeError, ValueError, OverflowError, AttributeError, MemoryError)
"""What the schema's code raises on files that are cut or damaged."""
_SAME_VALUES = {"RESHAPE", "DEQUANTIZE", "QUANTIZE"}
_VARIABLES = {"VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"}
_WEIGHTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
"""Operators whose second input is their weights."""
_ALIGNMENT = 16  # of a Buffer's data, as schema.fbs asks
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)  # the earliest that zip can say: same card, same bytes


@dataclass(frozen=True)
class Tensor:
    """One tensor. constant: the file holds its values, in `data_bytes`. variable: it keeps
    state between runs.

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
    read(flatbuffer)
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
    if not data:
        raise ModelError("the file is empty")
    if data[4:8] != IDENTIFIER:
        raise ModelError("not a .tflite file")
    try:
        model = schema().Model.GetRootAs(data, 0)
        sizes = [_data_size(model.Buffers(n), len(data)) for n in range(model.BuffersLength())]
        codes = [_operator_code(model.OperatorCodes(n)) for n in range(model.OperatorCodesLength())]
        graphs = tuple(_graph(model.Subgraphs(n), codes, sizes) for n in range(model.SubgraphsLength()))
    except UnicodeDecodeError as error:
        raise ModelError("the file is damaged: a name in it is not UTF-8") from error
    except _DAMAGE as error:
        raise ModelError("the file is cut or damaged") from error
    if not graphs or not graphs[0].operators:
        raise ModelError("the file holds no operators")
    return graphs


def _data_size(buffer: Any, file_size: int) -> int:
    if buffer.Offset() > 1:  # of files past 2 GB
        if buffer.Offset() + buffer.Size() > file_size:
            raise ValueError("the weights lie behind the end")
        return int(buffer.Size())
    if buffer.DataLength():
        buffer.DataAsNumpy()  # raises where it is cut
    return int(buffer.DataLength())


def _operator_code(code: Any) -> tuple[str, bool]:
    # Codes past 127 stand in the newer field; older files fill only the 8-bit one.
    number = max(code.DeprecatedBuiltinCode(), code.BuiltinCode())
    name = _names("BuiltinOperator").get(number, f"BUILTIN_{number}")
    return ((code.CustomCode() or b"CUSTOM").decode(), True) if name == "CUSTOM" else (name, False)


@functools.cache
def _names(enum: str) -> dict[int, str]:
    return {n: name for name, n in vars(getattr(schema(), enum)).items() if isinstance(n, int)}


def _graph(subgraph: Any, codes: list[tuple[str, bool]], sizes: list[int]) -> Graph:
    tensors = tuple(_tensor(subgraph.Tensors(n), sizes) for n in range(subgraph.TensorsLength()))
    operators = []
    for n in range(subgraph.OperatorsLength()):
        operator = subgraph.Operators(n)
        inputs = _indices(operator.InputsAsNumpy(), len(tensors), least=-1)
        outputs = _indices(operator.OutputsAsNumpy(), len(tensors))
        name, custom = codes[operator.OpcodeIndex()]
        operators.append(Operator(name, custom, inputs, outputs))
    ends = (_indices(given, len(tensors)) for given in (subgraph.InputsAsNumpy(), subgraph.OutputsAsNumpy()))
    return Graph(tensors, tuple(operators), *ends)


def _tensor(tensor: Any, sizes: list[int]) -> Tensor:
    quantisation = tensor.Quantization()
    scales, zero_points = (
        ((), ())
        if quantisation is None
        else (_values(quantisation.ScaleAsNumpy()), _values(quantisation.ZeroPointAsNumpy()))
    )
    shape = _values(tensor.ShapeAsNumpy())
    size = sizes[tensor.Buffer()]
    return Tensor(
        name=(tensor.Name() or b"").decode(),
        shape=shape,
        dtype=_names("TensorType").get(tensor.Type(), f"type {tensor.Type()}").lower(),
        constant=size > 0 or 0 in shape,  # nothing to hold
        variable=bool(tensor.IsVariable()),
        scales=scales,
        zero_points=zero_points,
        data_bytes=size,
    )


def _values(vector: Any) -> tuple[Any, ...]:
    return () if isinstance(vector, int) else tuple(vector.tolist())  # 0 where it is absent


def _indices(vector: Any, count: int, least: int = 0) -> tuple[int, ...]:
    found = _values(vector)
    if any(not least <= index < count for index in found):
        raise IndexError("it refers to tensors that it does not have")
    return found


def operators(data: bytes) -> dict[str, int]:
    """Name of operator -> how often the file uses it, by name. Raises ModelError if damaged."""
    used = Counter(operator.name for part in read(data) for operator in part.operators)
    return dict(sorted(used.items()))


def ends_in_softmax(data: bytes) -> bool:
    """Whether the file's output is a softmax, perhaps reshaped or requantised: probabilities for sure."""
    main = read(data)[0]
    makers = {output: operator for operator in main.operators for output in operator.outputs}
    maker = makers.get(main.outputs[0]) if main.outputs else None
    for _ in main.operators:
        if maker is None or maker.name not in _SAME_VALUES or not maker.inputs:
            break
        maker = makers.get(maker.inputs[0])
    return maker is not None and maker.name == "SOFTMAX"


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


def embed_card(flatbuffer: bytes, card: ModelCard) -> bytes:
    """The .tflite file with `card` in TFLite's own way, for any reader: metadata and an appended zip.

    flatbuffer: a .tflite file's bytes; metadata and a zip that it has already are replaced. The same input
    gives the same bytes. Raises ModelError if it is no .tflite file.
    """
    model = unpacked(without_zip(flatbuffer))
    if any(buffer.offset > 1 for buffer in model.buffers):
        raise ModelError("a card cannot be put into a file that keeps weights outside its flatbuffer")
    (entry,) = [held for held in model.metadata or () if held.name == METADATA][:1] or [None]
    if entry is None:
        entry = schema().MetadataT()
        entry.name, entry.buffer = METADATA, len(model.buffers)
        model.metadata = [*(model.metadata or ()), entry]
        model.buffers.append(schema().BufferT())
    model.buffers[entry.buffer].data = np.frombuffer(model_metadata(card), np.uint8)
    stream = io.BytesIO(packed(model))
    # Stored, since TFLite's own readers refuse compressed members. Appended, as the file is no zip.
    with zipfile.ZipFile(stream, "a", zipfile.ZIP_STORED) as archive:
        labels = "\n".join(card.labels) + "\n"
        for name, text in ((LABELS_FILE, labels), (CARD_FILE, card.to_json(compact=True))):
            member = zipfile.ZipInfo(name, _FIXED_TIME)
            member.create_system = 3  # Unix, on whatever system it is written
            archive.writestr(member, text)
    return stream.getvalue()


def model_metadata(card: ModelCard) -> bytes:
    """TFLite's ModelMetadata (metadata_schema.fbs 1.1.0): what `card` says of input and output.

    No package that is kept brings that schema, so fields are given by their place in it.
    """
    grayscale, rgb = 2, 1
    std = 255.0 / (card.input.real_max - card.input.real_min)  # the input is (gray - mean) / std
    normalisation = {0: 1, 1: {0: [0.0 - card.input.real_min * std], 1: [std]}}
    face = {
        0: "face",
        1: "a face, upright, cropped square, as gray levels",
        3: {0: 2, 1: {0: {1: grayscale, 3: rgb}.get(card.input.shape[-1], 0)}},  # an image
        4: [normalisation],
        5: _range(card.input),
    }
    labels = {0: LABELS_FILE, 1: "the classes in the order of the output", 2: 2}
    content = {
        0: card.output.content,
        1: f"{card.output.content} of the expressions in {LABELS_FILE}",
        3: {0: 1, 1: {}},  # a feature
        5: _range(card.output),
        6: [labels],
    }
    root = {
        0: card.name,
        1: f"facial expression of a gray face; {card.architecture or 'a network'} as {card.format}",
        3: [{2: [face], 3: [content]}],
        6: [{0: CARD_FILE, 2: 1}],
        7: "1.0.0",
    }
    builder = importlib.import_module("flatbuffers").Builder(1024)
    builder.Finish(_written(builder, root), b"M001")
    return bytes(builder.Output())


def _range(tensor: TensorSpec) -> dict[int, list[float]]:
    return {0: [tensor.real_max], 1: [tensor.real_min]}


def _written(builder: Any, value: Any) -> int:
    """The offset of a string, a vector of floats or tables, or a table: field -> value, int8 where an int."""
    if isinstance(value, str):
        return int(builder.CreateString(value))
    if isinstance(value, list):
        items = [item if isinstance(item, float) else _written(builder, item) for item in value]
        builder.StartVector(4, len(items), 4)
        for item in reversed(items):
            (builder.PrependFloat32 if isinstance(item, float) else builder.PrependUOffsetTRelative)(item)
        return int(builder.EndVector())
    offsets = {n: _written(builder, held) for n, held in value.items() if not isinstance(held, int)}
    builder.StartObject(max(value, default=-1) + 1)
    for n, held in value.items():
        if n in offsets:
            builder.PrependUOffsetTRelativeSlot(n, offsets[n], 0)
        else:
            builder.PrependInt8Slot(n, held, 0)
    return int(builder.EndObject())
