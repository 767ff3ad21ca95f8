"""A .tflite network that can be changed: its constants, its ranges, and what runs through it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.model import graph

WITH_WEIGHTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}
"""Operators whose inputs are an activation, weights and a bias."""
RELU = 1  # ActivationFunctionType of schema.fbs
_DTYPES = {0: np.float32, 2: np.int32, 4: np.int64, 9: np.int8}  # TensorType of schema.fbs


class Network:
    """The first subgraph of a flatbuffer. operators, tensors: as `graph.Graph` gives them; model, graph: the
    objects of TensorFlow's generated schema that `to_bytes` writes."""

    def __init__(self, flatbuffer: bytes) -> None:
        self.model = graph.unpacked(flatbuffer)
        self.graph = self.model.subgraphs[0]
        self.shown = graph.read(flatbuffer)[0]
        self.operators = self.shown.operators
        self.tensors = self.shown.tensors

    def to_bytes(self) -> bytes:
        """The flatbuffer as it is now."""
        return graph.packed(self.model)

    def layers(self) -> list[int]:
        """Indices of the operators with weights, in the order in which they run."""
        return [n for n, op in enumerate(self.operators) if op.name in WITH_WEIGHTS]

    def is_integer(self, operator: int) -> bool:
        """Whether the operator's weights are int8, whatever it takes."""
        return self.tensors[self.operators[operator].inputs[1]].dtype == "int8"

    def options(self, operator: int) -> Any:
        """TFLite's builtin options of an operator: padding, strides, fused activation."""
        return self.graph.operators[operator].builtinOptions

    def constant(self, tensor: int) -> NDArray[Any]:
        """A copy of a constant tensor's values, in its own shape and dtype."""
        found = self.graph.tensors[tensor]
        data = np.asarray(self.model.buffers[found.buffer].data, np.uint8)
        return np.frombuffer(data.tobytes(), _DTYPES[found.type]).reshape(self.tensors[tensor].shape).copy()

    def real_constant(self, tensor: int) -> NDArray[np.float64]:
        """What a constant of integers stands for: each slice along its channels by its own scale."""
        values = self.constant(tensor).astype(np.float64)
        scales, zero_points = self.steps(tensor)
        shape = [1] * values.ndim
        if len(scales) > 1:
            shape[self.graph.tensors[tensor].quantization.quantizedDimension] = -1
        return (values - zero_points.reshape(shape)) * scales.reshape(shape)

    def set_constant(self, tensor: int, values: NDArray[Any]) -> None:
        """Values of the same shape, in the tensor's dtype."""
        found = self.graph.tensors[tensor]
        data = np.ascontiguousarray(values, _DTYPES[found.type]).tobytes()
        self.model.buffers[found.buffer].data = np.frombuffer(data, np.uint8)

    def steps(self, tensor: int) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
        """Scales and zero points of a quantised tensor: one, or one for each channel. Empty for floats."""
        q = self.graph.tensors[tensor].quantization
        if q is None or q.scale is None:
            return np.zeros(0), np.zeros(0, np.int64)
        return np.array(q.scale, np.float64), np.array(q.zeroPoint, np.int64)

    def range(self, tensor: int) -> tuple[float, float] | None:
        """The range that calibration noted, if it did."""
        q = self.graph.tensors[tensor].quantization
        return None if q is None or q.min is None else (float(q.min[0]), float(q.max[0]))

    def set_range(self, tensor: int, low: float, high: float) -> None:
        """Notes a range; the tensor must have one already."""
        q = self.graph.tensors[tensor].quantization
        q.min, q.max = [low], [high]

    def run(
        self, faces: Iterable[NDArray[np.uint8]], tensors: list[int]
    ) -> Iterator[list[NDArray[np.float32]]]:
        """For each face, uint8 (height, width), the real values of `tensors`, each in its own shape.

        Integer tensors are dequantised. Plain kernels run: a delegate fuses operators, and the tensors
        between them hold nothing.
        """
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        interpreter = Interpreter(
            model_content=self.to_bytes(),
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        interpreter.allocate_tensors()
        (taken,) = interpreter.get_input_details()
        low = np.iinfo(taken["dtype"]).min if taken["dtype"] in (np.int8, np.uint8) else 0
        for face in faces:
            levels = (face.astype(np.int16) + low).astype(taken["dtype"])
            interpreter.set_tensor(taken["index"], levels.reshape(taken["shape"]))
            interpreter.invoke()
            yield [self._real(interpreter.get_tensor(n), n) for n in tensors]

    def _real(self, stored: NDArray[Any], tensor: int) -> NDArray[np.float32]:
        scales, zero_points = self.steps(tensor)
        if stored.dtype == np.float32 or not len(scales):
            return np.array(stored, np.float32)
        return (stored.astype(np.float32) - np.float32(zero_points[0])) * np.float32(scales[0])
