"""Batch normalisation by PyTorch's own fused kernel, for training on the `torch` backend of Keras.

Keras composes it of a dozen elementwise operations there, which a CPU spends much of an epoch on. The
weights are those of keras.layers.BatchNormalization; a model that is saved is rebuilt with that layer.
"""

from __future__ import annotations

from typing import Any

import keras
import torch


class FusedBatchNormalization(keras.layers.BatchNormalization):  # type: ignore[misc]
    """keras.layers.BatchNormalization over the last axis; inputs (N, H, W, C).

    One difference: the moving variance takes the unbiased estimate of a batch, N*H*W / (N*H*W - 1) of
    Keras' own, as PyTorch does.
    """

    def call(self, inputs: Any, training: bool | None = None, mask: Any = None) -> Any:
        if not training:
            return super().call(inputs, training=False, mask=mask)
        outputs = torch.nn.functional.batch_norm(
            inputs.movedim(-1, 1),
            self.moving_mean.value,
            self.moving_variance.value,
            self.gamma.value.to(torch.float32),
            self.beta.value.to(torch.float32),
            training=True,
            momentum=1 - self.momentum,
            eps=self.epsilon,
        )
        return outputs.movedim(1, -1)
