"""A plain line for each picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.vision.frames import FrameResult


def picture_line(result: FrameResult) -> str:
    """`FILE: happy 0.98`, the faces after one another, or `FILE: no face`."""
    faces = ", ".join(f"{face.label or 'uncertain'} {face.confidence:.2f}" for face in result.faces)
    return f"{result.frame.source}: {faces or 'no face'}"


class PrintedLines:
    """Prints what each picture shows."""

    wants_picture = False

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """One line."""
        console.say(picture_line(result))

    def close(self) -> None:
        """Nothing is held."""
