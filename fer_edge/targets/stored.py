"""What an input tensor stores for gray levels, for targets that do not run Python."""

from __future__ import annotations

from typing import Any

from numpy.typing import NDArray

from fer_edge.model.classifier import stored_levels
from fer_edge.spec import TensorSpec


def levels(tensor: TensorSpec) -> NDArray[Any]:
    """The stored value, in the tensor's dtype, of each gray level 0..255: shape (256,)."""
    return stored_levels(tensor)


def channels_first(tensor: TensorSpec) -> bool:
    """Whether (1, channels, height, width) is the input's shape."""
    return len(tensor.shape) == 4 and tensor.shape[3] not in {1, 3}
