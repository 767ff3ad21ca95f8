"""Residual features for small integers: an activation after each convolution, an average at the end.

He et al. 2016, basic blocks. Each convolution is followed by batch normalisation and ReLU, so that every
tensor that int8 must hold has a one-sided, bounded spread; the mean over the last map is what makes the
logits insensitive to single quantised values.
"""

from __future__ import annotations

from typing import Any

from keras import layers

WIDTHS = {
    "edge": (32, 64, 80),
    "nano": (16, 32, 32),
    "large": (48, 96, 120),
    "wide": (64, 128, 256),
    "whole": (16, 32, 64, 84),
    "deep": (24, 64, 128, 256),
}
"""Channels at 24, 12 and 6 pixels, of four at 48 too; most work at 24 and 12. nano is for microcontrollers;
large, wide and deep are teachers; whole is edge that first looks at all 48 pixels."""

BARE_AT_48_PX = ("whole",)  # no block there


def convolution(
    x: Any, channels: int, made_of: Any, *, side: int = 3, stride: int = 1, relu: bool = True
) -> Any:
    """Convolution without bias, batch normalisation and, unless told, ReLU."""
    x = made_of.Conv2D(channels, side, strides=stride, padding="same", use_bias=False)(x)
    x = made_of.BatchNormalization()(x)
    return layers.ReLU()(x) if relu else x


def block(x: Any, made_of: Any) -> Any:
    """A basic block: two convolutions added to their input, which has as many channels."""
    channels = x.shape[-1]
    y = convolution(x, channels, made_of)
    y = convolution(y, channels, made_of, relu=False)
    return layers.ReLU()(layers.Add()([x, y]))


def features(x: Any, widths: tuple[int, ...], made_of: Any, first_block: bool = True) -> Any:
    """Features (N, widths[-1]) of normalised faces (N, 48, 48, 1).

    Of three widths, the first convolution, 5x5, halves the size: at 48 pixels a channel costs four times
    what it does at 24 and brings the least. Of four, it is 3x3 and keeps it. Max pooling halves it before
    each further width, and a block follows each; first_block: the first width too.
    """
    side, stride = (5, 2) if len(widths) == 3 else (3, 1)
    x = convolution(x, widths[0], made_of, side=side, stride=stride)
    if first_block:
        x = block(x, made_of)
    for channels in widths[1:]:
        x = made_of.MaxPooling2D(2)(x)
        x = block(convolution(x, channels, made_of), made_of)
    return layers.GlobalAveragePooling2D(name="features")(x)
