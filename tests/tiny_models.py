"""Tiny .tflite files made by hand, so that what comes out of them can be worked out with numpy: one dense
layer over all input values, without bias, with softmax and requantisation where asked for. Built through the
schema that LiteRT brings; TensorFlow is not needed."""

from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from fer_edge.spec import ModelCard, TensorSpec


@dataclass(frozen=True)
class Spec:
    """One end of a model: dtype, scale (0: not quantised) and zero point."""

    dtype: str
    scale: float = 0.0
    zero_point: int = 0


class Builder:
    """Collects tensors and operators; `file` gives the bytes."""

    def __init__(self):
        self.graph = schema.SubGraphT(tensors=[], operators=[])
        self.model = schema.ModelT(
            version=3, description=b"tiny", buffers=[schema.BufferT()], operatorCodes=[], metadata=[],
            subgraphs=[self.graph],
        )  # fmt: skip

    def tensor(self, name, shape, spec, data=None):
        tensor = schema.TensorT(name=name.encode(), shape=list(shape))
        tensor.type = getattr(schema.TensorType, spec.dtype.upper())
        if spec.scale:
            tensor.quantization = schema.QuantizationParametersT(
                scale=[spec.scale], zeroPoint=[spec.zero_point]
            )
        if data is not None:
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(schema.BufferT(data=np.frombuffer(data.tobytes(), np.uint8)))
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def operator(self, name, inputs, outputs, options=None, custom=""):
        """inputs, outputs: what `tensor` gave."""
        code = schema.OperatorCodeT(customCode=custom.encode() or None)
        code.builtinCode = getattr(schema.BuiltinOperator, name)
        code.deprecatedBuiltinCode = min(code.builtinCode, 127)
        code.version = 4 if name == "FULLY_CONNECTED" else 1
        operator = schema.OperatorT(
            opcodeIndex=len(self.model.operatorCodes), inputs=inputs, outputs=outputs, builtinOptions=options
        )
        if options is not None:
            kind = type(options).__name__.removesuffix("T")
            operator.builtinOptionsType = getattr(schema.BuiltinOptions, kind)
        self.model.operatorCodes.append(code)
        self.graph.operators.append(operator)

    def file(self, inputs, outputs):
        self.graph.inputs, self.graph.outputs = inputs, outputs
        builder = flatbuffers.Builder(1024)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())


def one_operator(name, *tensors, options=None, custom=""):
    """A file of one operator over float32 tensors (name, shape), of which the last is its output."""
    build = Builder()
    *taken, given = (build.tensor(label, shape, Spec("float32")) for label, shape in tensors)
    build.operator(name, taken, [given], options, custom)
    return build.file(taken, [given])


def dense(shape, weights, *, entry, output, middle=None, weight_scale=1.0, softmax=False):
    """`weights` (labels, values of the input) times the input. entry, output: Specs of what goes in and out.
    middle: both of the dense layer itself where QUANTIZE and DEQUANTIZE stand around it. Quantised layers
    hold `weights` as int8 of `weight_scale`."""
    build = Builder()
    labels = len(weights)
    first, last = middle or (entry, output)
    kind = Spec("float32") if first.dtype == "float32" else Spec(first.dtype, weight_scale)
    matrix = build.tensor("weights", weights.shape, kind, weights.astype(kind.dtype))
    face = taken = build.tensor("face", shape, entry)
    if middle:
        taken = build.tensor("layer_in", shape, first)
        build.operator("QUANTIZE", [face], [taken], schema.QuantizeOptionsT())
    end = build.tensor("layer_out", (1, labels), last)
    build.operator("FULLY_CONNECTED", [taken, matrix, -1], [end], schema.FullyConnectedOptionsT())
    more = [("DEQUANTIZE", "real", schema.DequantizeOptionsT())] if middle else []
    more += [("SOFTMAX", "probabilities", schema.SoftmaxOptionsT(beta=1.0))] if softmax else []
    for name, result, options in more:
        before, end = end, build.tensor(result, (1, labels), output)
        build.operator(name, [before], [end], options)
    return build.file([face], [end])


def picks(values, *positions):
    """Weights (labels, values) under which each label is the one input value at its position."""
    weights = np.zeros((len(positions), values))
    weights[np.arange(len(positions)), positions] = 1
    return weights


def softmax(logits):
    """By numpy, float64, over the last axis: what such a file gives of the input values that it picks."""
    powers = np.exp(np.asarray(logits, np.float64) - np.max(logits, axis=-1, keepdims=True))
    return powers / powers.sum(-1, keepdims=True)


def shipped_style(labels=3, side=48):
    """Raw uint8 gray in, float32 probabilities out, int8 between: label n is pixel n of the first row. The
    dense layer gives pixel - 128 in steps of 1, so the logits are exact."""
    return dense(
        (1, side, side, 1),
        picks(side * side, *range(labels)),
        entry=Spec("uint8", 1.0, 0),
        middle=(Spec("int8", 1.0, -128), Spec("int8", 1.0, -128)),
        output=Spec("float32"),
        softmax=True,
    )


def shipped_card(*labels, side=48, **more):
    """The card of such a file; more: fields of the card."""
    face = TensorSpec("uint8", (1, side, side, 1), 1.0, 0)
    answer = TensorSpec("float32", (1, len(labels)), real_max=1.0, content="probabilities")
    return ModelCard("tiny", "int8", labels, face, answer, **more)
