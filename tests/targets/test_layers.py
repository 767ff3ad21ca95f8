"""Costs worked out by hand from shapes."""

import numpy as np
import pytest
from tiny_models import Builder, Spec

from fer_edge.model import graph, shipped
from fer_edge.targets import layers

F32 = Spec("float32")


def part_of(build, ends):
    return graph.read(build.file(*ends))[0]


def test_convolutions_and_the_peak_of_a_residual_block():
    """x -> conv -> conv -> add(x): x is held until the end, so three tensors live at the second conv."""
    build = Builder()
    x = build.tensor("x", (1, 6, 4, 8), F32)
    full = build.tensor("w", (8, 3, 3, 8), F32, np.zeros((8, 3, 3, 8), np.float32))
    deep = build.tensor("d", (1, 5, 5, 8), F32, np.zeros((1, 5, 5, 8), np.float32))
    a, b, y = (build.tensor(name, (1, 6, 4, 8), F32) for name in "aby")
    build.operator("CONV_2D", [x, full, -1], [a])
    build.operator("DEPTHWISE_CONV_2D", [a, deep, -1], [b])
    build.operator("ADD", [x, b], [y])
    part = part_of(build, ([x], [y]))
    first, second, last = layers.layers(part)
    assert (first.macs, second.macs, last.macs) == (6 * 4 * 8 * 3 * 3 * 8, 6 * 4 * 5 * 5 * 8, 0)
    assert (first.parameters, first.weight_bytes) == (576, 2304)
    assert layers.peak(part) == layers.Peak(3 * 6 * 4 * 8 * 4, 1)


def test_matrices():
    build = Builder()
    x = build.tensor("x", (1, 4, 10), Spec("int8", 1.0))
    w = build.tensor("w", (3, 10), Spec("int8", 1.0), np.zeros((3, 10), np.int8))
    y = build.tensor("y", (1, 4, 3), Spec("int8", 1.0))
    build.operator("FULLY_CONNECTED", [x, w, -1], [y])
    (layer,) = layers.layers(part_of(build, ([x], [y])))
    assert (layer.macs, layer.scale, layer.inputs) == (4 * 10 * 3, 1.0, ("int8", "int8"))


def test_the_papers_network_has_the_macs_that_its_card_says():
    path = shipped.models_folder() / "tuned_float32.tflite"
    if not path.is_file():
        pytest.skip("tuned_float32 does not ship with this installation")
    part = graph.read(path.read_bytes())[0]
    # convolutions of 7, 7, 5, 5, 3, 3, 3, 3, 3, 3 at sides 48, 48, 24, 24, 12, 12, 6, 6, 3, 3
    kernels = (7, 7, 5, 5, 3, 3, 3, 3, 3, 3)
    sides = (48, 48, 24, 24, 12, 12, 6, 6, 3, 3)
    channels = (1, 16, 16, 32, 32, 64, 64, 128, 128, 256, 7)
    wanted = sum(
        k * k * s * s * i * o for k, s, i, o in zip(kernels, sides, channels[:-1], channels[1:], strict=True)
    )
    assert sum(layer.macs for layer in layers.layers(part)) == wanted
    assert layers.peak(part).bytes == 2 * 48 * 48 * 16 * 4
