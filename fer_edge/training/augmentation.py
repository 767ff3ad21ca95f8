"""Random changes of training pictures: uint8 in, uint8 out, one OpenCV warp a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_edge.opencv import cv2
from fer_edge.training.recipes import Augmentation


def affine(
    side: int, turn_deg: float, shift: tuple[float, float], zoom: float, flip: bool
) -> NDArray[np.float64]:
    """The 2x3 matrix, source to destination, about the centre ((side - 1) / 2) of a square picture.

    turn_deg: counter-clockwise as seen. shift: pixels right and down. zoom above 1 enlarges. The flip
    comes first.
    """
    centre = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D((centre, centre), turn_deg, zoom).astype(np.float64)
    matrix[:, 2] += shift
    if flip:
        matrix = matrix @ np.array([[-1.0, 0.0, side - 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return matrix


def _erase(face: NDArray[np.uint8], largest: int, rng: np.random.Generator) -> None:
    side = face.shape[0]
    height, width = rng.integers(largest // 2, largest + 1, 2)
    top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
    face[top : top + height, left : left + width] = rng.integers(0, 256, (height, width))


def augment(faces: NDArray[np.uint8], how: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Changes each of `faces`, uint8 (N, S, S), at random within `how`; gives a new array.

    What a warp uncovers takes the value of the nearest border pixel.
    """
    count, side = faces.shape[:2]
    turn = rng.uniform(-how.rotation_deg, how.rotation_deg, (count,))
    shift = rng.uniform(-how.shift_px, how.shift_px, (count, 2))
    zoom = rng.uniform(how.zoom_min, how.zoom_max, (count,))
    flip = how.flip & (rng.random((count,)) < 0.5)
    gain = rng.uniform(1 - how.contrast, 1 + how.contrast, (count,))
    offset = rng.uniform(-how.brightness, how.brightness, (count,))
    erase = rng.random((count,)) < how.erase_probability
    out = np.empty_like(faces)
    levels = np.arange(256, dtype=np.float64)
    for i, face in enumerate(faces):
        matrix = affine(side, turn[i], (shift[i, 0], shift[i, 1]), zoom[i], bool(flip[i]))
        cv2.warpAffine(
            face, matrix, (side, side), dst=out[i], flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
        )
        if how.contrast or how.brightness:
            table = np.clip((levels - 127.5) * gain[i] + 127.5 + offset[i], 0, 255).round().astype(np.uint8)
            cv2.LUT(out[i], table, dst=out[i])
        if erase[i]:
            _erase(out[i], how.erase_px, rng)
    return out
