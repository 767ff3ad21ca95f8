"""Integer files: weights and activations int8, ranges from calibration pictures.

int8: uint8 gray in, float32 probabilities out; the last `float_layers` layers with weights, and all that
follows them, stay in float. Their logits would have a step of 0.15 otherwise, and one picture in
twenty would tie (97 % agreement). full_integer: int8 in and out, nothing in float.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import graph
from fer_edge.conversion import export, ranges, tail
from fer_edge.conversion.recipes import Recipe
from fer_edge.errors import ModelError
from fer_edge.interpreter import quiet_stderr
from fer_edge.spec import Format

_WITH_WEIGHTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "TRANSPOSE_CONV"}


def to_integer(model: Any, format_: Format, faces: NDArray[np.uint8], recipe: Recipe) -> bytes:
    """The flatbuffer as int8 or full_integer.

    faces: calibration, uint8 (N, height, width), 0 and 255 among the levels. The same weights, faces and
    recipe give the same bytes. Raises ModelError if `float_layers` is more than there are.
    """
    # The quantiser of TFLiteConverter, called by itself: only so does it take nodes to leave in float.
    from tensorflow.lite.python.convert import mlir_quantize

    whole = format_ is Format.FULL_INTEGER
    folded = tail.find(model) if recipe.fold_tail else None
    with quiet_stderr():
        if folded is not None and whole:
            folded = folded.with_floor(faces, recipe.logit_floor_percentile)
        calibrated = _calibrated(model, folded, faces)
        if recipe.narrow_ranges:
            calibrated = ranges.narrowed(calibrated, faces)
        return bytes(
            mlir_quantize(
                calibrated,
                input_data_type=_dtype("int8" if whole else "uint8"),
                output_data_type=_dtype("int8" if whole else "float32"),
                denylisted_nodes=[] if whole else last_nodes(calibrated, recipe.float_layers),
            )
        )


def _dtype(name: str) -> Any:
    import tensorflow as tf

    return tf.dtypes.as_dtype(name)


def _calibrated(model: Any, folded: tail.AffineTail | None, faces: NDArray[np.uint8]) -> bytes:
    """The float flatbuffer with the range of each tensor over `faces` noted in it."""
    import tensorflow as tf

    shape = export.input_shape(model)

    def representative_dataset() -> Iterator[list[NDArray[np.float32]]]:
        for face in faces:
            yield [face.astype(np.float32).reshape(shape)]

    function = folded.probabilities if folded else lambda face: model(face, training=False)
    made = export.converter(export.frozen(function, shape, "float32"))
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = representative_dataset
    made._experimental_calibrate_only = True
    return bytes(made.convert())


def last_nodes(flatbuffer: bytes, layers: int) -> list[str]:
    """Names of the tensors that the last `layers` layers with weights, and all after them, give."""
    if layers == 0:
        return []
    (whole,) = graph.read(flatbuffer)
    starts = [n for n, operator in enumerate(whole.operators) if operator.name in _WITH_WEIGHTS]
    if layers > len(starts):
        raise ModelError(f"float_layers is {layers}, but the model has {len(starts)} layers with weights")
    return [whole.tensors[n].name for op in whole.operators[starts[-layers] :] for n in op.outputs]
