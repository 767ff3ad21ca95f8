"""An integer network as a differentiable function: what its kernels compute, up to a last rounding.

Values pass through the steps of their tensors: rounded and clipped, with the gradient of the clipping alone
(the straight-through estimator, Bengio et al. 2013, arXiv:1308.3432).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from fer_edge.conversion.network import Network
from fer_edge.conversion.ranges import KEEP_RANGE
from fer_edge.errors import ModelError


class Twin:
    """`quantised` as TensorFlow operations over pictures of any number; `calibrated` is its float network.

    only: tensors of the integer network, activations and weights, that are rounded; None for all.
    moves: for each integer convolution a pair of variables, added to the stored weights and to the bias, in
    steps of the weights and of the output. keep_zeros: weights of 0 do not move. Raises ModelError for an
    operator that it does not know.
    """

    def __init__(self, quantised: bytes, calibrated: bytes, keep_zeros: bool = False) -> None:
        import tensorflow as tf

        from fer_edge.conversion.kernels import KERNELS  # not at the top: it imports TensorFlow

        self.tf = tf
        self.kernels = KERNELS
        self.keep_zeros = keep_zeros
        self.net, self.real = Network(quantised), Network(calibrated)
        inserted = {"QUANTIZE", "DEQUANTIZE"}
        own = [n for n, op in enumerate(self.net.operators) if op.name not in inserted]
        names = [self.net.operators[n].name for n in own]
        if names != [op.name for op in self.real.operators]:
            raise ModelError("the quantiser changed the network's operators: fine-tuning does not apply")
        unknown = sorted(set(names) - set(KERNELS))
        if unknown:
            raise ModelError(f"fine-tuning does not know {', '.join(unknown)}: convert without --qat")
        self.pairs = list(enumerate(own))
        self.moves: dict[int, tuple[Any, Any]] = {}
        self.bounds: dict[int, Any] = {}
        self.only: set[int] | None = None
        for _, n in self.pairs:
            op = self.net.operators[n]
            if op.name == "CONV_2D" and self.net.is_integer(n):
                shape = self.net.tensors[op.inputs[1]].shape
                self.moves[n] = tf.Variable(tf.zeros(shape)), tf.Variable(tf.zeros(shape[:1]))
        self._find_bounds()

    def _find_bounds(self) -> None:
        """A factor for both ends of each hidden range; pooling shares that of its input."""
        layers = self.net.layers()
        for _, n in self.pairs:
            op = self.net.operators[n]
            (output,) = op.outputs
            if op.name in KEEP_RANGE:
                if op.inputs[0] in self.bounds:
                    self.bounds[output] = self.bounds[op.inputs[0]]
            elif layers[0] <= n < layers[-1] and len(self.net.steps(output)[0]):
                self.bounds[output] = self.tf.Variable([0.0, 0.0])

    def variables(self) -> list[Any]:
        """All moves: weights first, then biases, then ranges (logarithms of factors of both ends)."""
        bounds = list({id(v): v for v in self.bounds.values()}.values())
        return [w for w, _ in self.moves.values()] + [b for _, b in self.moves.values()] + bounds

    def teacher(self, faces: Any) -> Any:
        """Probabilities of the float network. faces: float32 (N, height, width, 1), gray levels."""
        return self._run(faces, integer=False)

    def __call__(self, faces: Any) -> Any:
        """Probabilities of the integer network with its moves."""
        return self._run(faces, integer=True)

    def before_the_end(self, faces: Any) -> Any:
        """The same without the last rounding, which would hide small probabilities from a logarithm."""
        return self._run(faces, integer=True, to_the_end=False)

    def ranged(self) -> bytes:
        """The calibrated flatbuffer with the ranges as they are now, to be quantised again."""
        for (_, n), op in zip(self.pairs, self.real.operators, strict=True):
            output = self.net.operators[n].outputs[0]
            if output in self.bounds:
                (scale,), (zero_point,) = self.net.steps(output)
                low, high = np.exp(self.bounds[output].numpy())
                self.real.set_range(
                    op.outputs[0], (-128 - zero_point) * scale * low, (127 - zero_point) * scale * high
                )
        return self.real.to_bytes()

    def settled(self, requantised: bytes) -> bytes:
        """What the quantiser made of `ranged`, with the weights and biases as they are now."""
        new = Network(requantised)
        for n in self.moves:
            taken, weights, bias = self.net.operators[n].inputs
            levels, bias_real = self._values(n)
            new.set_constant(weights, np.rint(levels.numpy()))
            unit = new.steps(taken)[0][0] * new.steps(weights)[0]
            new.set_constant(bias, np.rint(bias_real.numpy() / unit))
        return new.to_bytes()

    def _run(self, faces: Any, *, integer: bool, to_the_end: bool = True) -> Any:
        (first,) = self.real.shown.inputs
        values = {first: faces}
        for k, n in self.pairs:
            op = self.real.operators[k]
            given = [
                values[i] if i in values else self.real.constant(i) if i >= 0 else None for i in op.inputs
            ]
            if integer and n in self.moves and self._rounds(self.net.operators[n].inputs[1]):
                given[1:] = self._moved(n)
            result = self.kernels[op.name](self.real.options(k), *given)
            output = self.net.operators[n].outputs[0]
            is_stored = integer and (to_the_end or op.outputs[0] not in self.real.shown.outputs)
            values[op.outputs[0]] = self._stored(result, output) if is_stored else result
        return values[self.real.shown.outputs[0]]

    def _moved(self, n: int) -> list[Any]:
        levels, bias = self._values(n)
        weights = self.net.operators[n].inputs[1]
        scales = self.net.steps(weights)[0].astype(np.float32)
        return [self._rounded(levels) * scales[:, None, None, None], bias]

    def _values(self, n: int) -> tuple[Any, Any]:
        """Of a convolution: weights in steps, not rounded, and bias as a real value."""
        taken, weights, bias = self.net.operators[n].inputs
        weights_move, bias_move = self.moves[n]
        stored = self.net.constant(weights).astype(np.float32)
        if self.keep_zeros:
            weights_move = weights_move * (stored != 0)
        levels = self.tf.clip_by_value(stored + weights_move, -127.0, 127.0)
        unit = self.net.steps(taken)[0][0] * self.net.steps(weights)[0]
        step = np.float32(self.net.steps(self.net.operators[n].outputs[0])[0][0])
        return levels, (self.net.constant(bias) * unit).astype(np.float32) + bias_move * step

    def _stored(self, value: Any, tensor: int) -> Any:
        scales, zero_points = self.net.steps(tensor)
        if not len(scales) or not self._rounds(tensor):
            return value
        scale, zero_point = np.float32(scales[0]), np.float32(zero_points[0])
        if tensor in self.bounds:
            factors = self.tf.exp(self.bounds[tensor])
            low, high = (-128 - zero_point) * scale * factors[0], (127 - zero_point) * scale * factors[1]
            scale = (high - low) / 255
            zero_point = self._rounded(-128 - low / scale)
        levels = self.tf.clip_by_value(value / scale + zero_point, -128.0, 127.0)
        return (self._rounded(levels) - zero_point) * scale

    def _rounds(self, tensor: int) -> bool:
        return self.only is None or tensor in self.only

    def _rounded(self, value: Any) -> Any:
        return value + self.tf.stop_gradient(self.tf.round(value) - value)
