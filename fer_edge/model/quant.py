"""A tensor's quantisation: real value = scale * (stored - zero_point)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True)
class Quantization:
    """Scale and zero point as the .tflite file states them for one tensor.

    scale: real units per step; 0 means that the tensor is not quantised.
    zero_point: the stored value that stands for real 0.
    dtype: numpy name of what is stored, such as `int8`.
    """

    scale: float
    zero_point: int
    dtype: str

    @property
    def quantized(self) -> bool:
        """Whether stored values differ in meaning from the real ones."""
        return self.scale != 0.0

    def quantize(self, real: ArrayLike) -> NDArray[Any]:
        """Real values of any shape -> stored values of `dtype`, same shape.

        Rounded to the nearest step (ties to even, as TFLite's converter does) and clipped to what
        `dtype` holds, so that nothing wraps round. An unquantised integer tensor has steps of 1.
        """
        values = np.asarray(real, np.float64)
        dtype = np.dtype(self.dtype)
        if dtype.kind == "f":
            return values.astype(dtype)
        if self.quantized:
            values = values / self.scale + self.zero_point
        limits = np.iinfo(dtype)
        return np.clip(np.rint(values), limits.min, limits.max).astype(dtype)

    def dequantize(self, stored: NDArray[Any]) -> NDArray[np.float32]:
        """Stored values of any shape -> real values, float32, same shape."""
        real = stored.astype(np.float32)
        if not self.quantized:
            return real
        # The subtraction is exact: 8 and 16 bit values fit float32.
        return (real - np.float32(self.zero_point)) * np.float32(self.scale)
