"""What real cameras do to a face, as fixed changes of pictures: uint8 in, uint8 out. Needs numpy and OpenCV.

Each strength is a constant, so that a table made today can be laid beside an older one.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from fer_edge.vision.opencv import cv2

Faces = NDArray[np.uint8]

TIGHT_PX = 5
SMALL_PX, SMALL_BORDER_PX = 38, 5
DARK = 0.4
GAMMA = 2.2
TURN_DEG = 15.0
BLUR_SIGMA_PX = 1.5
NOISE_SIGMA = 15.0
SIDE = 48
"""Side that the strengths in pixels are meant for."""


def tight(faces: Faces) -> Faces:
    """A crop tighter by 5 px on each side, enlarged again."""
    inner = faces[:, TIGHT_PX:-TIGHT_PX, TIGHT_PX:-TIGHT_PX]
    return np.stack([cv2.resize(face, (SIDE, SIDE)) for face in inner])


def small(faces: Faces) -> Faces:
    """The face at 80 % (38 px of 48), its border repeated around it: a crop that is too loose."""
    out, edge = [], SMALL_BORDER_PX
    for face in faces:
        inner = cv2.resize(face, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
        out.append(cv2.copyMakeBorder(inner, edge, edge, edge, edge, cv2.BORDER_REPLICATE))
    return np.stack(out)


def dark(faces: Faces) -> Faces:
    """Gray levels times 0.4, rounded down."""
    return (faces * DARK).astype(np.uint8)


def gamma(faces: Faces) -> Faces:
    """Gray levels of 0..1 to the power 2.2: the middle tones darker."""
    return (255 * (faces / 255.0) ** GAMMA).astype(np.uint8)


def turned(faces: Faces) -> Faces:
    """Turned by 15 degrees counter-clockwise about the centre, the border repeated."""
    centre = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, TURN_DEG, 1)
    return np.stack(
        [cv2.warpAffine(face, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE) for face in faces]
    )


def blurred(faces: Faces) -> Faces:
    """A Gaussian blur of sigma 1.5 px."""
    return np.stack([cv2.GaussianBlur(face, (0, 0), BLUR_SIGMA_PX) for face in faces])


def noisy(faces: Faces, rng: np.random.Generator) -> Faces:
    """Independent Gaussian noise of sigma 15 gray levels, rounded and cut to 0..255."""
    return np.clip(faces + rng.normal(0, NOISE_SIGMA, faces.shape), 0, 255).round().astype(np.uint8)


CONDITIONS: dict[str, Callable[[Faces, np.random.Generator], Faces]] = {
    "clean": lambda faces, rng: faces,
    "tight crop 5 px": lambda faces, rng: tight(faces),
    "face at 80 %": lambda faces, rng: small(faces),
    "dark x0.4": lambda faces, rng: dark(faces),
    "gamma 2.2": lambda faces, rng: gamma(faces),
    "rotated 15°": lambda faces, rng: turned(faces),
    "blur sigma 1.5": lambda faces, rng: blurred(faces),
    "noise sigma 15": noisy,
}
"""Name of a condition to its function of faces, uint8 (N, 48, 48); only noise draws from the generator."""
