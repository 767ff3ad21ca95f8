"""The interface of everything that takes results."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.analysis import FrameResult


class Sink(Protocol):
    """wants_picture: whether `write` is to be given the annotated picture."""

    wants_picture: bool

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """One frame; `annotated` uint8 (H, W, 3) is valid during the call. Raises OutputError."""

    def close(self) -> None:
        """Finishes what was begun. Raises OutputError if the result is not whole."""
