"""Crops the square gray picture that a model sees from a frame: in the loop, calibration and evaluation."""

from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import SourceError
from fer_edge.spec import CropPolicy
from fer_edge.vision.frames import Box, Picture, square_box
from fer_edge.vision.opencv import cv2

LEVELLED_FROM_DEG = 20.0  # of a head's tilt; upright loses nothing, 25 degrees gain 4 points, 40 gain 12
READABLE = 0.5  # `quality` below which a face has no label


def to_8_bit(frame: NDArray[Any]) -> Picture:
    """uint8 of the same shape; 16-bit levels become 0..255, from the fewest bits that hold the highest one:
    8, 10, 12, 14 or 16, since cameras of 10 to 14 bits leave the upper ones at 0.

    Raises SourceError for another dtype, whose range is unknown.
    """
    if frame.dtype == np.uint8:
        return cast(Picture, frame)
    if frame.dtype == np.uint16:
        colours = frame[:, :, :3] if frame.ndim == 3 else frame  # alpha is no level
        bits = next(bits for bits in (8, 10, 12, 14, 16) if colours.max(initial=0) < 1 << bits)
        return cast(Picture, cv2.convertScaleAbs(frame, alpha=255 / ((1 << bits) - 1)))
    raise SourceError(f"a picture of {frame.dtype} values: only 8 and 16 bits a channel can be read")


def to_bgr(frame: NDArray[Any]) -> Picture:
    """uint8 (H, W, 3) from (H, W) or (H, W, 1, 3 or 4) of 8 or 16 bits; alpha is dropped.

    Raises SourceError for other shapes and dtypes.
    """
    return _converted(frame, {1: cv2.COLOR_GRAY2BGR, 3: None, 4: cv2.COLOR_BGRA2BGR})


def to_gray(frame: NDArray[Any]) -> Picture:
    """uint8 (H, W) gray levels from (H, W) or (H, W, 1, 3 or 4) in OpenCV's BGR order, 8 or 16 bits.

    Raises SourceError for other shapes and dtypes.
    """
    gray = _converted(frame, {1: None, 3: cv2.COLOR_BGR2GRAY, 4: cv2.COLOR_BGRA2GRAY})
    return gray if gray.ndim == 2 else gray[:, :, 0]


def _converted(frame: NDArray[Any], codes: dict[int, int | None]) -> Picture:
    """codes: OpenCV's conversion by number of channels, None for none."""
    frame = to_8_bit(frame)
    channels = 1 if frame.ndim == 2 else frame.shape[2] if frame.ndim == 3 else 0
    if channels not in codes:
        raise SourceError(f"a picture of shape {frame.shape}: only 1, 3 and 4 channels can be read")
    code = codes[channels]
    return frame if code is None else cast(Picture, cv2.cvtColor(frame, code))


def resize_face(face: Picture, size_hw: tuple[int, int]) -> Picture:
    """uint8 of `size_hw`: area average to shrink, linear to enlarge."""
    if face.shape == size_hw:
        return face
    shrinks = face.shape[0] >= size_hw[0] and face.shape[1] >= size_hw[1]
    filter_ = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cast(Picture, cv2.resize(face, size_hw[::-1], interpolation=filter_))


def resize_faces(faces: Picture, size_hw: tuple[int, int]) -> Picture:
    """Each of uint8 (N, height, width) as `resize_face` does it: uint8 (N, *size_hw)."""
    return faces if faces.shape[1:] == size_hw else np.stack([resize_face(face, size_hw) for face in faces])


def cut(picture: Picture, box_xywh: Box) -> Picture:
    """The box's pixels, uint8 (h, w) or (h, w, 3); outside the picture, border pixels are repeated. Empty if
    the box is entirely outside."""
    x, y, w, h = box_xywh
    height, width = picture.shape[:2]
    inside = picture[max(y, 0) : max(y + h, 0), max(x, 0) : max(x + w, 0)]
    if inside.shape[:2] == (h, w) or not inside.size:
        return inside
    edges = (max(-y, 0), max(y + h - height, 0), max(-x, 0), max(x + w - width, 0))
    return cast(Picture, cv2.copyMakeBorder(inside, *edges, cv2.BORDER_REPLICATE))


def crop_face(
    picture: Picture,
    box_xywh: Box,
    size_hw: tuple[int, int] = (48, 48),
    policy: CropPolicy = CropPolicy(),  # noqa: B008 (frozen)
    roll_deg: float = 0.0,
) -> Picture:
    """uint8 gray face of `size_hw` from a box in a picture of gray levels (H, W) or BGR (H, W, 3); levelled
    from LEVELLED_FROM_DEG of tilt on.

    Outside the picture, border pixels are repeated, so that a face at the border keeps its proportions.
    Raises ValueError if the box is empty or entirely outside.
    """
    tilted, margin = abs(roll_deg) >= LEVELLED_FROM_DEG, policy.margin
    if tilted:  # cropped half as wide again, so that it fills the square once it is level
        margin += 0.25 * (1 + 2 * margin)
    face = cut(picture, square_box(box_xywh, margin))
    if not face.size:
        raise ValueError(f"box {box_xywh} has no pixel in a picture of {picture.shape[1]}x{picture.shape[0]}")
    face = to_gray(face)
    if tilted:
        middle, edge = (len(face) - 1) / 2, len(face) // 6
        matrix = cv2.getRotationMatrix2D((middle, middle), roll_deg, 1.0)
        level = cv2.warpAffine(face, matrix, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
        face = cast(Picture, level[edge : len(face) - edge, edge : len(face) - edge])
    return resize_face(face, size_hw)


def quality(face: Picture, side_px: float, turn: float = 0.0) -> float:
    """How well an expression can be read, 0..1; below READABLE it is a guess.

    face: uint8, as the model sees it. side_px: of its square in the frame. turn: see `Detection`. The worst
    counts. 0.5 means: a Laplacian's deviation of 0.085 of the picture's own (48 px), a side of 13 px;
    accuracy on PublicTest is then 50 %, instead of 67 %.
    """
    face = resize_face(face, (48, 48))
    wide = cv2.copyMakeBorder(face, 1, 1, 1, 1, cv2.BORDER_REFLECT_101).astype(np.int16)
    # OpenCV's own Laplacian would load 1.4 MiB of code for this.
    edges = wide[:-2, 1:-1] + wide[2:, 1:-1] + wide[1:-1, :-2] + wide[1:-1, 2:] - 4 * wide[1:-1, 1:-1]
    deviations = [float(cv2.meanStdDev(one)[1][0, 0]) for one in (edges, face)]
    sharpness = deviations[0] / max(deviations[1], 8.0)
    return max(0.0, min(1.0, sharpness / 0.17, side_px / 26, 1 - turn / 1.5))
