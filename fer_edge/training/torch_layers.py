"""Keras' layers computed by PyTorch's own kernels, for training on the `torch` backend of Keras.

Keras composes batch normalisation of a dozen elementwise operations there, and copies maps from one order of
memory to another round each convolution and pooling. The weights are those of
Keras' layers of the same names; a model that is saved is rebuilt with these.
"""

from __future__ import annotations

from typing import Any

import keras
import torch
from torch.nn import functional


def _channels_first(maps: torch.Tensor) -> torch.Tensor:
    """(N, H, W, C) seen as PyTorch's (N, C, H, W); nothing is moved in memory."""
    return maps.permute(0, 3, 1, 2)


def _channels_last(maps: torch.Tensor) -> torch.Tensor:
    return maps.permute(0, 2, 3, 1)


def _same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Pixels before and after, as TensorFlow's 'same': the odd one after."""
    total = max((-(-side // stride) - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2


class Conv2D(keras.layers.Conv2D):  # type: ignore[misc]
    """keras.layers.Conv2D over (N, H, W, C), for padding 'same' or 'valid', without dilation."""

    def call(self, inputs: Any) -> Any:
        maps, bias = _channels_first(inputs), self.bias.value if self.use_bias else None
        padding = (0, 0)
        if self.padding == "same":
            sides = zip(maps.shape[2:], self.kernel_size, self.strides, strict=True)
            rows, columns = (_same_padding(*side) for side in sides)
            padding = rows[0], columns[0]
            if rows[0] != rows[1] or columns[0] != columns[1]:
                maps, padding = functional.pad(maps, (*columns, *rows)), (0, 0)
        kernel = self.kernel.value.permute(3, 2, 0, 1).contiguous(memory_format=torch.channels_last)
        outputs = functional.conv2d(maps, kernel, bias, self.strides, padding, groups=self.groups)
        return self.activation(_channels_last(outputs))


class MaxPooling2D(keras.layers.MaxPooling2D):  # type: ignore[misc]
    """keras.layers.MaxPooling2D over (N, H, W, C) for padding 'valid'."""

    def call(self, inputs: Any) -> Any:
        return _channels_last(functional.max_pool2d(_channels_first(inputs), self.pool_size, self.strides))


class BatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """keras.layers.BatchNormalization over the last axis of (N, H, W, C).

    One difference: the moving variance takes the unbiased estimate of a batch, N*H*W / (N*H*W - 1) of
    Keras' own, as PyTorch does.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=False, mask=mask)
        outputs = functional.batch_norm(
            _channels_first(inputs),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value.to(torch.float32),
            self.beta.value.to(torch.float32),
            training=True,
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )
        return _channels_last(outputs)
