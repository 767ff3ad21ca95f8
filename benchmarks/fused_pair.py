"""Is one 13x13 convolution a gain over the paper's first two of 7x7?

    python benchmarks/fused_pair.py fer2013.csv

There is no activation between them, so that they are one linear map, but for the border: the second sees
zeros beyond the first one's output, the fused one what the first would have given there. Prints, as JSON,
what this does to `tuned` on PublicTest, in float32, and how long the pair, the fused one, and the fused one
on blocks of 2x2 pixels (four channels at each place, as int8 kernels want) take: the least of many
runs in turn, one thread. The border is not mended: what that costs would come on top.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import machine
from fer_edge.conversion import calibration, export, integer, recipes, source
from fer_edge.data import load
from fer_edge.model import interpreter, shipped
from fer_edge.spec import Format

RUNS = 500


def fused(first: tuple[Any, Any], second: tuple[Any, Any]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias of one convolution for two, each (kernel (h, w, in, out), bias (out,))."""
    (inner, inner_bias), (outer, outer_bias) = first, second
    side = inner.shape[0] + outer.shape[0] - 1
    kernel = np.zeros((side, side, inner.shape[2], outer.shape[3]))
    for row in range(outer.shape[0]):
        for column in range(outer.shape[1]):
            part = np.einsum("abim,mo->abio", inner.astype(np.float64), outer[row, column])
            kernel[row : row + inner.shape[0], column : column + inner.shape[1]] += part
    return kernel.astype(np.float32), (outer_bias + outer.sum((0, 1)).T @ inner_bias).astype(np.float32)


def folded(convolution: Any, norm: Any) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Kernel and bias of a convolution with the batch normalisation that follows it."""
    gamma, beta, mean, variance = (np.asarray(value) for value in norm.get_weights())
    kernel, bias = (np.asarray(value) for value in convolution.get_weights())
    factor = gamma / np.sqrt(variance + norm.epsilon)
    return kernel * factor, (bias - mean) * factor + beta


def border(images: NDArray[np.uint8]) -> dict[str, float]:
    """Agreement with `tuned` and mean difference of a probability when its first pair is fused."""
    import tensorflow as tf

    model = source.load(shipped.models_folder() / "tuned.keras")
    layers = model.layers
    at = [n for n, layer in enumerate(layers) if type(layer).__name__ == "Conv2D"][:2]
    kernel, bias = fused(*(folded(layers[n], layers[n + 1]) for n in at))
    keras = source.import_keras()
    rest = keras.Model(layers[at[1] + 1].output, model.outputs[0])
    same, difference = 0, 0.0
    for start in range(0, len(images), 250):
        faces = images[start : start + 250, ..., None].astype(np.float32)
        wanted = np.asarray(model(faces, training=False))
        value = tf.nn.conv2d(faces / 127.5 - 1, kernel, 1, "SAME") + bias
        got = np.asarray(rest(value, training=False))
        same += int((got.argmax(axis=1) == wanted.argmax(axis=1)).sum())
        difference += float(np.abs(got - wanted).mean(axis=1).sum())
    return {"agreement": same / len(images), "mean_abs_diff": difference / len(images)}


def network(kind: str) -> Any:
    """The pair or what stands for it, random weights, up to the pooling that follows, and a small end."""
    keras = source.import_keras()
    from keras import layers

    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    if kind == "7x7 and 7x7":
        x = layers.Conv2D(16, 7, padding="same")(layers.Conv2D(16, 7, padding="same")(x))
    elif kind == "13x13":
        x = layers.Conv2D(16, 13, padding="same")(x)
    else:
        x = layers.Conv2D(64, 7, padding="same")(blocks(True)(x))
        x = blocks(False)(x)
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(layers.ReLU()(x)))
    return keras.Model(inputs, layers.Softmax()(layers.Dense(7)(x)))


def blocks(together: bool) -> Any:
    """A layer that puts blocks of 2x2 pixels into channels, or back."""
    import tensorflow as tf

    move = tf.nn.space_to_depth if together else tf.nn.depth_to_space
    return source.import_keras().layers.Lambda(lambda x: move(x, 2))


def latencies(faces: NDArray[np.uint8]) -> dict[str, dict[str, float]]:
    """Format -> what stands for the pair -> milliseconds."""
    recipe = recipes.read(shipped.recipe("convert", "default")).override(refine=False, equalise=0.0)
    loaded = {}
    for kind in ("7x7 and 7x7", "13x13", "13x13 on blocks"):
        model = network(kind)
        made = {
            Format.FLOAT32: export.to_float(model, Format.FLOAT32),
            Format.INT8: integer.to_integer(model, Format.INT8, faces, recipe),
        }
        for format_, flatbuffer in made.items():
            runner = interpreter.load(flatbuffer, 1, kind)
            runner.set_tensor(runner.get_input_details()[0]["index"], faces[:1, ..., None])
            loaded[format_, kind] = runner
    least = dict.fromkeys(loaded, float("inf"))
    for _ in range(RUNS):
        for key, runner in loaded.items():
            start = time.perf_counter()
            runner.invoke()
            least[key] = min(least[key], (time.perf_counter() - start) * 1e3)
    found: dict[str, dict[str, float]] = {}
    for (format_, kind), milliseconds in least.items():
        found.setdefault(format_.value, {})[kind] = round(milliseconds, 4)
    return found


if __name__ == "__main__":
    dataset = load(sys.argv[1])
    chosen = calibration.choose(dataset, 70, 0)
    result = {
        "machine": machine.describe(),
        "border_not_mended": border(np.asarray(dataset.part("PublicTest").images)),
        "least_ms": latencies(chosen.faces),
    }
    print(json.dumps(result, indent=2))
