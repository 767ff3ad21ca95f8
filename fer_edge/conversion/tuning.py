"""Quantisation-aware training of the integer network itself, taught by the float network.

No labels are learnt: the loss is how far the probabilities of the integer network are from those of the float
one (Kullback-Leibler), on Training pictures shifted and mirrored. Weights and biases move by some steps,
ranges by some percent.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import tables
from fer_edge.conversion.twin import Twin

_SHIFT_PX = 3


@dataclass(frozen=True)
class Tuning:
    """steps, of `batch` pictures each. rate: about how far a weight moves in the first step, in its int8
    steps, and the logarithm of a range; it falls to 0 along half a cosine. keep_zeros:
    weights that were pruned stay so."""

    steps: int = 200
    batch: int = 64
    rate: float = 0.005
    keep_zeros: bool = False


@dataclass(frozen=True)
class Lesson:
    """faces: uint8 (N, height, width), of Training. teacher: float32 gray levels (N, height, width, 1) ->
    probabilities; None for the network with ranges that the integer one was made from."""

    faces: NDArray[np.uint8]
    teacher: Callable[[Any], Any] | None = None
    seed: int = 0


def tune(
    quantised: bytes,
    calibrated: bytes,
    plan: Tuning,
    lesson: Lesson,
) -> Twin:
    """A twin of the quantised flatbuffer whose moves and ranges have been learnt: `ranged`, then `settled`.

    calibrated: the float flatbuffer that it was made from.
    Raises ModelError as `twin.Twin` does.
    """
    import tensorflow as tf

    tf.config.experimental.enable_op_determinism()  # sums in the same order: the same bytes again
    twin = Twin(quantised, calibrated, plan.keep_zeros)
    teach = lesson.teacher or twin.teacher
    optimiser = tf.keras.optimizers.Adam(plan.rate)
    optimiser.build(twin.variables())

    @tf.function  # type: ignore[untyped-decorator]
    def step(batch: Any, rate: Any) -> None:
        wanted = tf.stop_gradient(teach(batch))
        with tf.GradientTape() as tape:
            got = tf.math.log(twin.before_the_end(batch) + 1e-6)
            loss = tf.reduce_mean(tf.reduce_sum(wanted * (tf.math.log(wanted + 1e-6) - got), axis=1))
        gradients = tape.gradient(loss, twin.variables())
        optimiser.learning_rate.assign(rate)
        optimiser.apply_gradients(zip(gradients, twin.variables(), strict=True))

    rng = np.random.default_rng(lesson.seed)
    with tables.progress("quantisation-aware training", plan.steps) as done:
        for k in range(plan.steps):
            rate = plan.rate * 0.5 * (1 + np.cos(np.pi * k / plan.steps))
            step(tf.constant(changed(lesson.faces, plan.batch, rng)), tf.constant(rate, tf.float32))
            done(1)
    return twin


def changed(faces: NDArray[np.uint8], count: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """float32 (count, height, width, 1): pictures drawn from `faces`, half of them mirrored, shifted by up to
    3 pixels with their edges repeated."""
    chosen = faces[rng.integers(0, len(faces), count)]
    padded = np.pad(chosen, ((0, 0), (_SHIFT_PX, _SHIFT_PX), (_SHIFT_PX, _SHIFT_PX)), mode="edge")
    out = np.empty((*chosen.shape, 1), np.float32)
    height, width = faces.shape[1:]
    for k, picture in enumerate(padded):
        y, x = rng.integers(0, 2 * _SHIFT_PX + 1, 2)
        view = picture[y : y + height, x : x + width]
        out[k, ..., 0] = view[:, ::-1] if rng.random() < 0.5 else view
    return out
