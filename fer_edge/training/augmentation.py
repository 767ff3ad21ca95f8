"""Random augmentation of training pictures: uint8 in, uint8 out, one OpenCV warp per picture."""

import numpy as np
from numpy.typing import NDArray

from fer_edge.training.recipes import Augmentation
from fer_edge.vision.opencv import cv2

CHANGES = ("rotation", "shift along x", "shift along y", "zoom", "flip")  # Figure 6 of the paper, (a) to (e)


def warped(
    face: NDArray[np.uint8], turn_deg: float, shift: tuple[float, float], zoom: float, flip: bool
) -> NDArray[np.uint8]:
    """A square picture flipped, zoomed and turned about its centre, then shifted.

    turn_deg: counter-clockwise as seen. shift: pixels right and down. zoom above 1 enlarges. Uncovered pixels
    repeat the nearest border pixel.
    """
    last = len(face) - 1.0
    matrix = cv2.getRotationMatrix2D((last / 2, last / 2), turn_deg, zoom).astype(np.float64)
    matrix[:, 2] += shift
    if flip:
        matrix = matrix @ np.array([[-1.0, 0.0, last], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    changed = cv2.warpAffine(face, matrix, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(changed, np.uint8)


def _levels(how: Augmentation, rng: np.random.Generator, count: int) -> NDArray[np.uint8]:
    """A table of gray levels per picture, uint8 (count, 256): contrast, brightness, darkness, gamma."""
    gain = rng.uniform(1 - how.contrast, 1 + how.contrast, (count, 1))
    offset = rng.uniform(-how.brightness, how.brightness, (count, 1))
    levels = (np.arange(256, dtype=np.float64) - 127.5) * gain + 127.5 + offset
    if how.dark_probability:
        darker = rng.random(count) < how.dark_probability
        levels *= np.where(darker, rng.uniform(how.dark_min, 1, count), 1)[:, None]
    if how.gamma_probability:
        span = np.log(how.gamma_max)
        bent = rng.random(count) < how.gamma_probability
        power = np.where(bent, np.exp(rng.uniform(-span, span, count)), 1)
        levels = 255 * (levels.clip(0, 255) / 255) ** power[:, None]
    return levels.clip(0, 255).round().astype(np.uint8)


def _optics(faces: NDArray[np.uint8], how: Augmentation, rng: np.random.Generator) -> None:
    """Blurs some of `faces`, then adds noise to some, in place, in the order of lens and sensor."""
    count = len(faces)
    if how.blur_probability:
        sigmas = rng.uniform(0.1, max(0.1, how.blur_sigma), count)
        for i in np.flatnonzero(rng.random(count) < how.blur_probability):
            cv2.GaussianBlur(faces[i], (0, 0), sigmas[i], dst=faces[i])
    if how.noise_probability:
        chosen = np.flatnonzero(rng.random(count) < how.noise_probability)
        sigmas = rng.uniform(0, how.noise_sigma, len(chosen))[:, None, None]
        noise = rng.standard_normal((len(chosen), *faces.shape[1:])) * sigmas
        faces[chosen] = (faces[chosen] + noise).clip(0, 255).round().astype(np.uint8)


def augment(faces: NDArray[np.uint8], how: Augmentation, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Augments each of `faces`, uint8 (N, S, S), at random within `how`; returns a new array."""
    count, side = faces.shape[:2]
    turn = rng.uniform(-how.rotation_deg, how.rotation_deg, (count,))
    shift = rng.uniform(-how.shift_px, how.shift_px, (count, 2))
    zoom = rng.uniform(how.zoom_min, how.zoom_max, (count,))
    flip = how.flip & (rng.random((count,)) < 0.5)
    if how.one_change:
        change = np.array(CHANGES)[rng.integers(0, len(CHANGES), count)]
        turn[change != "rotation"] = 0
        shift[change != "shift along x", 0] = 0
        shift[change != "shift along y", 1] = 0
        zoom[change != "zoom"] = 1
        flip = how.flip & (change == "flip")
    tables = _levels(how, rng, count)
    erase = rng.random((count,)) < how.erase_probability
    out = np.empty_like(faces)
    for i, face in enumerate(faces):
        changed = warped(face, turn[i], (shift[i, 0], shift[i, 1]), zoom[i], bool(flip[i]))
        cv2.LUT(changed, tables[i], dst=out[i])
    _optics(out, how, rng)
    for chosen in np.flatnonzero(erase):
        height, width = rng.integers(how.erase_px // 2, how.erase_px + 1, 2)
        top, left = rng.integers(0, side - height + 1), rng.integers(0, side - width + 1)
        out[chosen, top : top + height, left : left + width] = rng.integers(0, 256, (height, width))
    return out
