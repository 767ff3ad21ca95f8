"""Frames, the faces in them, and boxes: x, y of the upper left corner, width and height, in pixels."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, Self

import numpy as np
from numpy.typing import NDArray

Picture = NDArray[np.uint8]  # gray (H, W) or blue, green, red (H, W, 3)
Box = tuple[int, int, int, int]  # x, y, width, height
SEARCH_EVERY = 12  # frames: how often a detector that follows faces searches the whole frame


class Frame(NamedTuple):
    """A frame from a source. bgr: uint8 (H, W, 3). time_s: in its source, or of arrival from a live one.
    source: its name in `--jsonl`."""

    bgr: Picture
    time_s: float
    source: str


class Detection(NamedTuple):
    """A face from a detector. box_xywh: pixels, may extend beyond the frame.

    keypoints: float32 (4 or 6, 2), x and y in pixels of right eye, left eye, nose, mouth (and ears, right
    and left), the face's own right and left; None if the detector has none. roll_deg: the head's tilt,
    clockwise in the picture. turn: 0 looks at the camera, 1 is a profile, or a face that was not detected in
    this frame but kept because it still looks the same.
    """

    box_xywh: Box
    keypoints: NDArray[np.float32] | None = None
    roll_deg: float = 0.0
    turn: float = 0.0

    @classmethod
    def from_keypoints(cls, corner: Any, size: Any, keypoints: Any) -> Self:
        """A face with the tilt of its eyes, and the turn given by the nose's position between them."""
        points = np.asarray(keypoints, np.float32)
        right_eye, left_eye, nose = points[:3].astype(float)
        across = left_eye - right_eye
        aside = float((nose - (right_eye + left_eye) / 2) @ across) / max(float(across @ across), 1e-6)
        roll_deg = math.degrees(math.atan2(across[1], across[0]))
        x, y, w, h = (round(float(value)) for value in (*corner, *size))
        return cls((x, y, w, h), points, roll_deg, min(2 * abs(aside), 1.0))


class Detector(Protocol):
    """Finds faces. `margin`: to add to its boxes on each side to make them as wide as a FER-2013 picture."""

    margin: float

    def detect(self, frame_bgr: Picture) -> list[Detection]:
        """Faces of the next frame of a stream, uint8 (H, W, 3)."""

    def detect_still(self, frame_bgr: Picture) -> list[Detection]:
        """Faces of a single picture: slower and more careful."""


@dataclass(frozen=True, eq=False)  # arrays have no truth value
class Face:
    """One face in one frame.

    box_xywh: pixels, inside the frame. label: the smoothed one, None while uncertain. confidence: its
    smoothed probability. probabilities: float32 (labels,), this frame's own. smoothed: float64 (labels,).
    quality: 0..1, how well the face can be read (`crop.quality`); if it is too low, label is None and the
    frame does not count in `smoothed`. keypoints: `Detection`'s.
    """

    box_xywh: Box
    track: int
    label: str | None
    confidence: float
    probabilities: NDArray[np.float32]
    smoothed: NDArray[np.float64]
    quality: float = 1.0
    keypoints: NDArray[np.float32] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Plain types for JSON, six decimals; without the probabilities, which need their labels."""
        return {
            "box_xywh": [int(side) for side in self.box_xywh],
            "track": self.track,
            "label": self.label,
            "confidence": round(self.confidence, 6),
            "quality": round(self.quality, 3),
        }


@dataclass(frozen=True)
class FrameResult:
    """A frame and its faces. index: from 0 in each source. analysed: False if skipped (`--every`)."""

    frame: Frame
    index: int
    faces: tuple[Face, ...]
    analysed: bool = True


def clip_box(box_xywh: Box, width: int, height: int) -> Box:
    """The part of the box inside a picture of that size; width or height 0 if there is none."""
    x, y, w, h = box_xywh
    left, top = min(max(x, 0), width), min(max(y, 0), height)
    return left, top, max(min(x + w, width) - left, 0), max(min(y + h, height) - top, 0)


def square_box(box_xywh: Box, margin: float) -> Box:
    """The square around the box's centre, as wide as its longer side plus `margin` of that on each side."""
    x, y, w, h = box_xywh
    side = max(w, h) * (1 + 2 * margin)
    return round(x + (w - side) / 2), round(y + (h - side) / 2), round(side), round(side)


def common_area(a: Box, b: Box) -> int:
    """Pixels that lie in both."""
    width, height = (min(a[n] + a[n + 2], b[n] + b[n + 2]) - max(a[n], b[n]) for n in (0, 1))
    return max(width, 0) * max(height, 0)


def overlap(a: Box, b: Box) -> float:
    """Intersection over union, 0..1."""
    common = common_area(a, b)
    return common / (a[2] * a[3] + b[2] * b[3] - common) if common else 0.0


def is_new(box: Box, others: Iterable[Box], most: float = 0.2) -> bool:
    """Whether the box overlaps none of the others by more than `most`."""
    return all(overlap(box, other) <= most for other in others)
