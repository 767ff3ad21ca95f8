"""Draws faces with seven expressions, to try the whole chain without data."""

from collections import namedtuple

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError
from fer_edge.spec import INPUT_SHAPE, LABELS
from fer_edge.vision.frames import Picture
from fer_edge.vision.opencv import cv2

DEFAULT_COUNT = 4200  # pictures: two thirds Training, a sixth each PublicTest and PrivateTest


def drawn_faces(n: int, seed: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """Draws n faces: images uint8 (n, 48, 48), labels int64 (n,), each class n/7 times (one more or less).

    The same n and seed give the same pictures (with the same NumPy and OpenCV). Shapes, pose, light and
    noise vary, and so does the strength of an expression, so that similar ones nearly meet.
    """
    random = np.random.default_rng(seed)
    labels = random.permutation(np.arange(n, dtype=np.int64) % len(LABELS))
    images = np.empty((n, *INPUT_SHAPE[:2]), np.uint8)
    for row in console.each("drawing faces", range(n)):
        images[row] = draw_face(LABELS[labels[row]], random)
    return images, labels


def dataset(name: str, seed: int) -> Dataset:
    """`drawn`, or `drawn:N` with N pictures, as a data set with all three splits, classes even in each.

    Raises DataError unless N is a number of at least 42.
    """
    text = name.partition(":")[2] or str(DEFAULT_COUNT)
    if not text.isdecimal() or not 42 <= int(text[:9]) <= 100_000:
        raise DataError(f"{name}: give 'drawn' or 'drawn:N', N from 42 to 100000 pictures")
    n = int(text)
    images, labels = drawn_faces(n, seed)
    split = np.zeros(n, np.int64)
    for rows in (np.flatnonzero(labels == label) for label in range(len(LABELS))):
        sixth = len(rows) // 6
        split[rows[: 2 * sixth]] = np.repeat((1, 2), sixth)
    ids = range(1, n + 1)
    return Dataset.of_rows(zip(ids, labels.tolist(), split.tolist(), images, strict=True), name, "official")


_SIDE = INPUT_SHAPE[0]
_CANVAS = 4 * _SIDE  # then averaged down
_Point = tuple[float, float]  # in half face widths from the centre

_Expression = namedtuple(
    "_Expression", "brow_raise brow_slant eye_open mouth_curve mouth_open mouth_width nose_wrinkle"
)
"""Lengths in half face widths. Positive: brow raised, brow's inner end higher, mouth's corners up."""

# spec.LABELS' order; values from the action units commonly named for each expression
_EXPRESSIONS = {
    "angry": _Expression(-0.08, -0.15, 0.09, -0.05, 0.02, 0.30, 0.2),
    "disgust": _Expression(-0.05, -0.06, 0.07, -0.10, 0.10, 0.28, 1.0),
    "fear": _Expression(0.09, 0.10, 0.19, -0.07, 0.13, 0.34, 0.0),
    "happy": _Expression(0.02, 0.00, 0.09, 0.17, 0.09, 0.42, 0.0),
    "sad": _Expression(0.02, 0.14, 0.08, -0.14, 0.01, 0.30, 0.0),
    "surprise": _Expression(0.14, -0.01, 0.20, 0.00, 0.25, 0.20, 0.0),
    "neutral": _Expression(0.00, 0.00, 0.12, 0.00, 0.02, 0.32, 0.0),
}
_SPREAD = _Expression(0.025, 0.030, 0.022, 0.035, 0.020, 0.030, 0.2)


def draw_face(label: str, random: np.random.Generator) -> Picture:
    """One face, uint8 (48, 48), with the expression `label` of spec.LABELS."""
    rest = np.array(_EXPRESSIONS["neutral"])
    mean = rest + random.uniform(0.75, 1.15) * (np.array(_EXPRESSIONS[label]) - rest)
    values = mean + random.normal(size=len(mean)) * np.array(_SPREAD)
    canvas = np.full((_CANVAS, _CANVAS), random.integers(20, 236), np.uint8)
    skin = int(random.integers(95, 226))
    hair = int(np.clip(skin - random.integers(35, 120), 5, 255))
    long_hair = random.random() < 0.4
    _ellipse(canvas, (0, -0.12), (1.05, 1.3 if long_hair else 1.2), hair)
    for side in (-1, 1):  # ears
        _ellipse(canvas, (side * 0.94, 0.0), (0.12, 0.2), skin - 15)
    # The head: centred, 0.75 of the canvas wide.
    _ellipse(canvas, (0, 0.05), (random.uniform(0.86, 0.96), random.uniform(1.12, 1.24)), skin)
    _features(canvas, _Expression(*values), skin, random)
    return _seen(canvas, random)


def _features(canvas: Picture, face: _Expression, skin: int, random: np.random.Generator) -> None:
    """Eyes, brows, nose, mouth."""
    dark, eye_y, eye_x = max(skin - int(random.integers(60, 95)), 5), -0.15, random.uniform(0.36, 0.44)
    thick = int(random.integers(5, 10))
    wide, gaze = random.uniform(0.16, 0.20), random.uniform(-0.05, 0.05)
    opened = max(face.eye_open, 0.03)
    iris = min(0.09, opened)
    brow_y = eye_y - 0.27 - face.brow_raise
    inner, outer = brow_y - face.brow_slant / 2, brow_y + face.brow_slant / 2
    for side in (-1, 1):
        _ellipse(canvas, (side * eye_x, eye_y), (wide, opened), min(skin + 45, 250))
        _ellipse(canvas, (side * eye_x + gaze, eye_y), (iris, iris), max(dark - 30, 0))
        brow = [(side * (eye_x - 0.2), inner), (side * eye_x, brow_y - 0.03), (side * (eye_x + 0.2), outer)]
        _line(canvas, brow, dark, thick)
    nose = random.uniform(0.2, 0.28)
    _line(canvas, [(0.0, -0.05), (0.06, nose), (-0.05, nose)], skin - 30, 4)
    for side in (-1, 1) if face.nose_wrinkle > 0.5 else ():
        _line(canvas, [(side * 0.13, 0.0), (side * 0.2, 0.24), (side * 0.36, 0.4)], skin - 45, 4)
    x, gap = np.linspace(-1, 1, 15), max(face.mouth_open, 0)
    arch, across = 1 - x**2, x * max(face.mouth_width, 0.12)
    line = 0.62 + face.mouth_curve / 2 + face.mouth_curve * (arch - 1)
    lips = np.c_[across, line - gap * 0.5 * arch], np.c_[across, line + (gap + 0.02) * arch][::-1]
    mouth = [_points(np.concatenate(lips))]
    cv2.fillPoly(canvas, mouth, max(dark - 25, 0), cv2.LINE_AA)
    cv2.polylines(canvas, mouth, True, dark, 5, cv2.LINE_AA)


def _seen(drawing: Picture, random: np.random.Generator) -> Picture:
    """Turned, shifted, scaled, lit from a side, averaged down, blurred and noisy."""
    turn, zoom = random.uniform(-14, 14), random.uniform(0.88, 1.12)
    pose = cv2.getRotationMatrix2D((_CANVAS / 2, _CANVAS / 2), turn, zoom)
    pose[:, 2] = pose[:, 2] + random.uniform(-10, 10, 2)
    drawing = drawing if random.random() < 0.5 else drawing[:, ::-1].copy()
    turned = cv2.warpAffine(drawing, pose, (_CANVAS, _CANVAS), borderMode=cv2.BORDER_REPLICATE)
    small = cv2.resize(turned, (_SIDE, _SIDE), interpolation=cv2.INTER_AREA).astype(np.float32)
    ramp = np.linspace(-1, 1, _SIDE, dtype=np.float32)
    light = 1 + random.uniform(-0.25, 0.25) * ramp[None] + random.uniform(-0.2, 0.2) * ramp[:, None]
    lit = small * light * random.uniform(0.6, 1.2) + random.uniform(-15, 15)
    blurred = cv2.GaussianBlur(lit, (0, 0), random.uniform(0.3, 0.9))
    noisy = blurred + random.normal(0, random.uniform(1, 9), blurred.shape)
    return np.asarray(np.clip(np.rint(noisy), 0, 255), np.uint8)


def _points(xy: NDArray[np.float64]) -> NDArray[np.int32]:
    """From half face widths round the centre to canvas pixels."""
    return np.rint(_CANVAS / 2 + np.asarray(xy) * _CANVAS * 0.375).astype(np.int32)


def _line(canvas: Picture, xy: list[_Point], gray: int, thick: int) -> None:
    cv2.polylines(canvas, [_points(np.array(xy))], False, max(gray, 0), thick, cv2.LINE_AA)


def _ellipse(canvas: Picture, centre: _Point, radii: _Point, gray: int) -> None:
    at = [int(value) for value in _points(np.array(centre))]
    axes = [round(radius * _CANVAS * 0.375) for radius in radii]
    cv2.ellipse(canvas, at, axes, 0, 0, 360, gray, -1, cv2.LINE_AA)
