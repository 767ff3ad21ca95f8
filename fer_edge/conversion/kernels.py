"""TFLite's operators as TensorFlow's differentiable ones, over pictures of any number.

Each takes the operator's builtin options and its inputs as schema.fbs orders them. Imports TensorFlow.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

from fer_edge.conversion.network import RELU

_PADDING = {0: "SAME", 1: "VALID"}  # schema.fbs


def _activated(options: Any, value: Any) -> Any:
    return tf.nn.relu(value) if options.fusedActivationFunction == RELU else value


def _conv_2d(options: Any, value: Any, weights: Any, bias: Any) -> Any:
    kernel = tf.transpose(weights, (1, 2, 3, 0))
    strides = options.strideH, options.strideW
    return _activated(options, tf.nn.conv2d(value, kernel, strides, _PADDING[options.padding]) + bias)


def _fully_connected(options: Any, value: Any, weights: Any, bias: Any = None) -> Any:
    sums = tf.matmul(value, weights, transpose_b=True)
    return _activated(options, sums if bias is None else sums + bias)


def _max_pool_2d(options: Any, value: Any) -> Any:
    size, strides = (options.filterHeight, options.filterWidth), (options.strideH, options.strideW)
    return tf.nn.max_pool2d(value, size, strides, _PADDING[options.padding])


def _reduced(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda options, value, axes: function(
        value, np.atleast_1d(axes).tolist(), keepdims=bool(options.keepDims)
    )


def _reshape(options: Any, value: Any, shape: Any) -> Any:
    rest = np.asarray(shape)[1:].astype(int)
    known = -int(np.prod(rest)) if -1 in rest else 1
    rest = np.where(rest == -1, math.prod(value.shape[1:]) // known, rest)
    return tf.reshape(value, (-1, *rest))


KERNELS: dict[str, Callable[..., Any]] = {
    "ADD": lambda options, a, b: _activated(options, a + b),
    "CONV_2D": _conv_2d,
    "FULLY_CONNECTED": _fully_connected,
    "MAX_POOL_2D": _max_pool_2d,
    "MEAN": _reduced(tf.reduce_mean),
    "MUL": lambda options, a, b: _activated(options, a * b),
    "REDUCE_MAX": _reduced(tf.reduce_max),
    "RESHAPE": _reshape,
    "SOFTMAX": lambda options, value: tf.nn.softmax(value),
    "SUB": lambda options, a, b: _activated(options, a - b),
}
"""Name of operator -> what it computes."""
