"""Integer files: weights and activations int8, ranges from calibration pictures.

int8: uint8 gray in, float32 probabilities out; the last `float_layers` layers with weights, all that
follows them and a mean right before them stay in float. Their logits would have a step of 0.15 otherwise,
and one picture in twenty would tie (97 % agreement). full_integer: int8 in and out, nothing in float.

The steps, each in its own module: gray levels taken in exactly (`entry`), linear layers at the end folded
(`tail`), channels of like sizes (`equalising`), ranges (`ranges`), TensorFlow's quantiser, weights and
biases that make up for errors (`rounding`), and where asked for quantisation-aware training (`tuning`).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion import entry, equalising, export, ranges, rounding, tail, tuning
from fer_edge.conversion.network import Network
from fer_edge.conversion.recipes import Recipe
from fer_edge.errors import ModelError
from fer_edge.quiet import quiet_stderr
from fer_edge.spec import Format

_MEANS = {"MEAN", "AVERAGE_POOL_2D", "RESHAPE"}
"""Before the float end, these stay in float too: the mean of int8 values is finer than int8."""


@dataclass(frozen=True)
class Made:
    """What came out, and the float network with ranges that it was made from."""

    flatbuffer: bytes
    calibrated: bytes


def to_integer(model: Any, format_: Format, faces: NDArray[np.uint8], recipe: Recipe) -> bytes:
    """The flatbuffer as int8 or full_integer.

    faces: calibration, uint8 (N, height, width), 0 and 255 among the levels. The same weights, faces and
    recipe give the same bytes. Raises ModelError if `float_layers` is more than there are.
    """
    return made(model, format_, faces, recipe).flatbuffer


def made(
    model: Any,
    format_: Format,
    faces: NDArray[np.uint8],
    recipe: Recipe,
    training: tuning.Lesson | None = None,
) -> Made:
    """As `to_integer`, with what it was made from.

    training: for quantisation-aware training; None for none.
    """
    with quiet_stderr():
        function = network(model, format_, faces, recipe)
        calibrated = _noted(function, export.input_shape(model), faces)
        calibrated = equalising.equalise(calibrated, faces, recipe.equalise)
        calibrated = ranges.measured(calibrated, faces, recipe.narrow_ranges)
        flatbuffer = quantised(calibrated, format_, recipe.float_layers)
        if recipe.refine:
            flatbuffer = rounding.refine(flatbuffer, calibrated, faces[::2])
    if training is not None:
        keep = recipe.sparsity > 0
        plan = tuning.Tuning(recipe.qat_steps, recipe.qat_batch, recipe.qat_rate, keep)
        twin = tuning.tune(flatbuffer, calibrated, plan, training)
        with quiet_stderr():
            calibrated = twin.ranged()
            flatbuffer = twin.settled(quantised(calibrated, format_, recipe.float_layers))
    return Made(flatbuffer, calibrated)


def network(model: Any, format_: Format, faces: NDArray[np.uint8], recipe: Recipe) -> Callable[[Any], Any]:
    """`model` as a function of gray levels, float32 (1, height, width, 1), that int8 takes well."""
    folded = tail.find(model) if recipe.fold_tail else None
    if folded is None:
        return entry.centred(model)
    if format_ is Format.FULL_INTEGER:
        folded = folded.with_floor(faces, recipe.logit_floor_percentile)
    return dataclasses.replace(folded, trunk=entry.centred(folded.trunk)).probabilities


def quantised(calibrated: bytes, format_: Format, float_layers: int, **verify: bool) -> bytes:
    """TensorFlow's quantiser on a float network with ranges. verify: its arguments for debugging."""
    import tensorflow as tf

    # The quantiser of TFLiteConverter, called by itself: only so does it take nodes to leave in float.
    from tensorflow.lite.python.convert import mlir_quantize

    whole = format_ is Format.FULL_INTEGER
    return bytes(
        mlir_quantize(
            calibrated,
            input_data_type=tf.int8 if whole else tf.uint8,
            output_data_type=tf.int8 if whole else tf.float32,
            denylisted_nodes=[] if whole else last_nodes(calibrated, float_layers),
            **verify,
        )
    )


def _noted(function: Callable[[Any], Any], shape: tuple[int, ...], faces: NDArray[np.uint8]) -> bytes:
    """The float flatbuffer with a range noted at each tensor, of one face: `ranges` measures them."""
    import tensorflow as tf

    def representative_dataset() -> Iterator[list[NDArray[np.float32]]]:
        yield [faces[0].astype(np.float32).reshape(shape)]

    made = export.converter(export.frozen(function, shape, "float32"))
    made.optimizations = [tf.lite.Optimize.DEFAULT]
    made.representative_dataset = representative_dataset
    made._experimental_calibrate_only = True
    return export.converted(made)


def last_nodes(flatbuffer: bytes, layers: int) -> list[str]:
    """Names of the tensors that the last `layers` layers with weights, and all after them, give."""
    if layers == 0:
        return []
    net = Network(flatbuffer)
    starts = net.layers()
    if layers > len(starts):
        raise ModelError(f"float_layers is {layers}, but the model has {len(starts)} layers with weights")
    start = starts[-layers]
    while start > 0 and net.operators[start - 1].name in _MEANS:
        start -= 1
    return [net.tensors[n].name for op in net.operators[start:] for n in op.outputs]
