"""Tiny .tflite files made by hand, so that what comes out of them can be worked out with numpy.

Each is one dense layer over all input values, without bias, with softmax and requantisation where
asked for. Built through the schema that LiteRT brings; TensorFlow is not needed.
"""

from __future__ import annotations

from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

TYPES = {
    "float32": schema.TensorType.FLOAT32,
    "int8": schema.TensorType.INT8,
    "uint8": schema.TensorType.UINT8,
    "int32": schema.TensorType.INT32,
}


@dataclass(frozen=True)
class Spec:
    """One end of a model: dtype, scale (0: not quantised) and zero point."""

    dtype: str
    scale: float = 0.0
    zero_point: int = 0


class Builder:
    """Collects tensors and operators; `file` gives the bytes."""

    def __init__(self) -> None:
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.description = b"tiny"
        self.model.buffers = [schema.BufferT()]
        self.model.operatorCodes = []
        self.model.metadata = []
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.model.subgraphs = [self.graph]

    def tensor(self, name: str, shape: tuple[int, ...], spec: Spec, data: np.ndarray | None = None) -> int:
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.type = name.encode(), list(shape), TYPES[spec.dtype]
        tensor.buffer = 0
        if spec.scale:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [spec.scale]
            tensor.quantization.zeroPoint = [spec.zero_point]
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            self.model.buffers.append(buffer)
            tensor.buffer = len(self.model.buffers) - 1
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(
        self, name: str, inputs: list[int], outputs: list[int], options: object = None, custom: str = ""
    ) -> None:
        code = schema.OperatorCodeT()
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 4 if name == "FULLY_CONNECTED" else 1
        code.customCode = custom.encode() or None
        self.model.operatorCodes.append(code)
        operator = schema.OperatorT()
        operator.opcodeIndex = len(self.model.operatorCodes) - 1
        operator.inputs, operator.outputs = inputs, outputs
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
            operator.builtinOptions = options
        self.graph.operators.append(operator)

    def file(self, inputs: list[int], outputs: list[int]) -> bytes:
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def one_operator(
    name: str, *tensors: tuple[str, tuple[int, ...]], options: object = None, custom: str = ""
) -> bytes:
    """A file of one operator over float32 tensors (name, shape), of which the last is its output."""
    build = Builder()
    *taken, given = (build.tensor(label, shape, Spec("float32")) for label, shape in tensors)
    build.operator(name, taken, [given], options, custom)
    return build.file(taken, [given])


def dense(
    shape: tuple[int, ...],
    weights: np.ndarray,
    *,
    entry: Spec,
    output: Spec,
    middle: tuple[Spec, Spec] | None = None,
    weight_scale: float = 1.0,
    softmax: bool = False,
) -> bytes:
    """`weights` (labels, values of the input) times the input.

    entry, output: what goes in and comes out. middle: the dense layer's own ends where QUANTIZE and
    DEQUANTIZE stand around it. Quantised layers hold `weights` as int8 of `weight_scale`.
    """
    build = Builder()
    labels, values = weights.shape
    first, last = middle or (entry, output)
    weight_spec = Spec("float32") if first.dtype == "float32" else Spec(first.dtype, weight_scale)
    face = build.tensor("face", shape, entry)
    layer_in = build.tensor("layer_in", shape, first) if middle else face
    matrix = build.tensor("weights", (labels, values), weight_spec, weights.astype(weight_spec.dtype))
    layer_out = build.tensor("layer_out", (1, labels), last)
    if middle:
        build.operator("QUANTIZE", [face], [layer_in], schema.QuantizeOptionsT())
    build.operator("FULLY_CONNECTED", [layer_in, matrix, -1], [layer_out], schema.FullyConnectedOptionsT())
    end = layer_out
    if middle:
        end = build.tensor("real", (1, labels), output)
        build.operator("DEQUANTIZE", [layer_out], [end], schema.DequantizeOptionsT())
    if softmax:
        options = schema.SoftmaxOptionsT()
        options.beta = 1.0
        probabilities = build.tensor("probabilities", (1, labels), output)
        build.operator("SOFTMAX", [end], [probabilities], options)
        end = probabilities
    return build.file([face], [end])


def picks(values: int, *positions: int) -> np.ndarray:
    """Weights (labels, values) under which each label is the one input value at its position."""
    weights = np.zeros((len(positions), values))
    weights[np.arange(len(positions)), positions] = 1
    return weights


def shipped_style(labels: int = 3, side: int = 48) -> bytes:
    """Raw uint8 gray in, float32 probabilities out, int8 between: label n is pixel n of the first row.

    The dense layer gives pixel - 128 in steps of 1, so the logits are exact.
    """
    return dense(
        (1, side, side, 1),
        picks(side * side, *range(labels)),
        entry=Spec("uint8", 1.0, 0),
        middle=(Spec("int8", 1.0, -128), Spec("int8", 1.0, -128)),
        output=Spec("float32"),
        softmax=True,
    )
