"""The interface of everything that takes results."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.vision.frames import FrameResult


class Sink(Protocol):
    """wants_picture: whether `write` is to be given the annotated picture.

    A sink may have a property `asleep`: true while nobody looks, when nothing need be drawn for it.
    """

    wants_picture: bool

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """One frame; `annotated` uint8 (H, W, 3) is valid during the call. Raises OutputError."""

    def close(self) -> None:
        """Finishes what was begun. Raises OutputError if the result is not whole."""


def is_awake(sink: Sink) -> bool:
    """Whether a sink that wants pictures wants one now."""
    return sink.wants_picture and not getattr(sink, "asleep", False)
