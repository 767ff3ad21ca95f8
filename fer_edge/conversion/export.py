"""A Keras model as a TFLite flatbuffer in the float formats: raw gray levels in, probabilities out.

The graph is frozen before conversion, because the converter writes a Keras model's weights as variables,
or leaves them out without a word (DESIGN, "Known of the parts"); `graph.check` looks at the result.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.source import import_keras
from fer_edge.errors import ModelError
from fer_edge.quiet import quiet_stderr
from fer_edge.spec import Format


def frozen(function: Callable[[Any], Any], shape: tuple[int, ...], dtype: str) -> Any:
    """`function` of one batch-1 tensor named `face` as a concrete function whose weights are constants.

    function: float32 `shape` -> probabilities float32 (1, labels). dtype: `uint8` casts inside.
    """
    import tensorflow as tf
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    signature = [tf.TensorSpec(shape, dtype, name="face")]
    traced = tf.function(lambda face: function(tf.cast(face, tf.float32)), input_signature=signature)
    return convert_variables_to_constants_v2(traced.get_concrete_function())


def converter(concrete: Any) -> Any:
    """A converter of a frozen function that knows TFLite's builtin operators only."""
    import tensorflow as tf

    made = tf.lite.TFLiteConverter.from_concrete_functions([concrete])
    made.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    return made


def converted(made: Any) -> bytes:
    """What the converter gives. Raises ModelError, naming them, for operators that TFLite lacks."""
    from tensorflow.lite.python.convert_phase import ConverterError

    try:
        return bytes(made.convert())
    except ConverterError as error:
        text = str(error)
        named = re.search(r"^(?:Flex|Custom) ops: (.+)$", text, re.MULTILINE)
        if named:
            raise ModelError(
                f"the network needs operators that TFLite does not build in ({named[1]}): "
                "make it of layers that have a TFLite operator"
            ) from error
        raise ModelError(f"TensorFlow cannot convert the network: {text.splitlines()[0][:200]}") from error


def input_shape(model: Any) -> tuple[int, ...]:
    """(1, height, width, 1) of a model that takes (None, height, width, 1)."""
    return (1, *model.inputs[0].shape[1:])


def to_float(model: Any, format_: Format) -> bytes:
    """The flatbuffer as float32, float16 (weights) or dynamic_range (weights int8, each rounded by itself).

    The same weights give the same bytes.
    """
    import_keras()
    import tensorflow as tf

    with quiet_stderr():
        made = converter(frozen(lambda face: model(face, training=False), input_shape(model), "uint8"))
        if format_ is not Format.FLOAT32:
            made.optimizations = [tf.lite.Optimize.DEFAULT]
        if format_ is Format.FLOAT16:
            made.target_spec.supported_types = [tf.float16]
        return converted(made)


def to_int16x8(model: Any, faces: NDArray[np.uint8]) -> bytes:
    """The flatbuffer as int16x8: activations int16, weights int8, uint8 in and float32 out.

    faces: calibration, uint8 (N, height, width). For accelerators that have these kernels: on a processor
    none of them is a fast one.
    """
    import_keras()
    import tensorflow as tf

    shape = input_shape(model)

    def representative_dataset() -> Iterator[list[NDArray[np.uint8]]]:
        for face in faces:
            yield [face.reshape(shape)]

    with quiet_stderr():
        made = converter(frozen(lambda face: model(face, training=False), shape, "uint8"))
        made.optimizations = [tf.lite.Optimize.DEFAULT]
        made.representative_dataset = representative_dataset
        ops = tf.lite.OpsSet
        made.target_spec.supported_ops = [
            ops.EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8,
            ops.TFLITE_BUILTINS,
        ]
        return converted(made)
