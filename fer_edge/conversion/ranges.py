"""Ranges of hidden tensors with the least squared error, instead of from smallest to largest value.

A few bright edges in the calibration pictures set the largest value of a convolution's output at up to
30 standard deviations; int8 then spends its 255 steps on values that hardly occur. Shrinking each range
to where the errors of rounding and of clipping together are least (0.6 to 0.8 of the whole) does this for
the trained `tuned` network (PublicTest, PrivateTest): mean difference of a probability 0.0029, 0.0029
instead of 0.0033, 0.0033; agreement 99.0, 98.7 % instead of 98.7, 98.7 (int8) and 98.9, 98.6 instead of
98.5, 98.4 (full_integer). The largest difference of one picture grows from 0.08 to 0.18.
Equalising channels by factors between layers (Nagel et al. 2019, arXiv:1906.04721) was tried
and gave no more.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_edge import graph

_SHRUNK = {"CONV_2D", "DEPTHWISE_CONV_2D"}
_KEEP_RANGE = {"MAX_POOL_2D", "RESHAPE"}
"""Operators whose output must have the range of their input, or TFLite inserts a requantisation."""
_BINS = 4096
_FACTORS = np.linspace(0.2, 1.0, 33)


def narrowed(calibrated: bytes, faces: NDArray[np.uint8]) -> bytes:
    """The calibrated flatbuffer with narrower ranges of its convolutions' outputs, the last layer's apart.

    faces: the calibration pictures, uint8 (N, height, width).
    """
    from tensorflow.lite.tools import flatbuffer_utils

    model = flatbuffer_utils.read_model_from_bytearray(bytearray(calibrated))
    tensors = model.subgraphs[0].tensors
    (whole,) = graph.read(calibrated)
    convolutions = [op.outputs[0] for op in whole.operators if op.name in _SHRUNK]
    layers = [op.outputs[0] for op in whole.operators if op.name in _SHRUNK | {"FULLY_CONNECTED"}]
    noted = {
        index: (float(tensors[index].quantization.min[0]), float(tensors[index].quantization.max[0]))
        for index in convolutions
        if index != layers[-1]
    }
    new = {
        index: best_range(counts, noted[index])
        for index, counts in _histograms(calibrated, faces, noted).items()
    }
    for operator in whole.operators:
        if operator.name in _KEEP_RANGE and operator.inputs[0] in new:
            new[operator.outputs[0]] = new[operator.inputs[0]]
    for index, (low, high) in new.items():
        tensors[index].quantization.min, tensors[index].quantization.max = [low], [high]
    return bytes(flatbuffer_utils.convert_object_to_bytearray(model))


def best_range(counts: NDArray[np.int64], whole: tuple[float, float]) -> tuple[float, float]:
    """The part of the range `whole` that int8 stores with the least mean squared error.

    counts: int64 (bins,), a histogram over `whole`. Both ends shrink by the same factor; values
    outside are clipped, values inside have an error of step^2 / 12.
    """
    edges = np.linspace(*whole, len(counts) + 1)
    values = (edges[:-1] + edges[1:]) / 2

    def error(factor: float) -> float:
        low, high = whole[0] * factor, whole[1] * factor
        clipped = values - np.clip(values, low, high)
        inside = ((high - low) / 255) ** 2 / 12
        return float((counts * np.where(clipped == 0, inside, clipped**2)).sum())

    best = min(_FACTORS[::-1], key=error)
    return whole[0] * best, whole[1] * best


def _histograms(
    flatbuffer: bytes, faces: NDArray[np.uint8], noted: dict[int, tuple[float, float]]
) -> dict[int, NDArray[np.int64]]:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    # Plain kernels: a delegate fuses operators, and the tensors between them hold nothing.
    interpreter = Interpreter(
        model_content=flatbuffer,
        experimental_preserve_all_tensors=True,
        experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
    )
    interpreter.allocate_tensors()
    (taken,) = interpreter.get_input_details()
    counts = {index: np.zeros(_BINS, np.int64) for index in noted}
    for face in faces:
        interpreter.set_tensor(taken["index"], face.astype(np.float32).reshape(taken["shape"]))
        interpreter.invoke()
        for index, limits in noted.items():
            counts[index] += np.histogram(interpreter.get_tensor(index), _BINS, limits)[0]
    return counts
