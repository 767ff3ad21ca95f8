"""OpenCV's Haar cascades: frontal, tilted and turned faces. A known face is first searched where it was, at a
size for which the cascade takes a third of a millisecond."""

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError
from fer_edge.vision.crop import cut, to_gray
from fer_edge.vision.frames import SEARCH_EVERY, Box, Detection, Picture, common_area, is_new, square_box
from fer_edge.vision.opencv import cv2

FRONTAL, PROFILE = "haarcascade_frontalface_default.xml", "haarcascade_profileface.xml"
WINDOW_PX = 24  # the cascade's own window: no smaller face can be found
STILL_MAX_PX = 1000  # longer side of a picture's careful search, unless its smallest faces need more
BORDER = 0.1  # of the shorter side: how much a searched frame grows, for faces cut off by its border
TILT_DEG = 27.0  # the cascade tolerates 15 to either side
CARRIED_FRAMES, ALIKE = 12, 0.6  # how long, and at which correlation, a face may be kept by its looks
# Scale factor and votes. Few votes in a stream: each face is checked again, and then needs NEW_VOTES.
STREAM_SCAN, STILL_SCAN = (1.4, 1), (1.1, 5)
NEW_VOTES, TILTED_VOTES, KNOWN_VOTES = 5, 10, 3  # tilted and with 5 a cat's flank is a face


class Effort(NamedTuple):
    """A search around a box. side_px: size to which the box is shrunk. margin: of the box, searched on each
    side. scale_factor: from one size to the next. sizes: smallest and largest, relative to the box."""

    side_px: int
    margin: float
    scale_factor: float
    sizes: tuple[float, float]


# The cascade's own sizes within QUICK's are 35 to 47 px, with 40 in the middle: boxes do not creep.
QUICK = Effort(40, 0.15, 1.1, (0.85, 1.2))
WIDE = Effort(48, 0.3, 1.1, (0.75, 1.35))
CAREFUL = Effort(72, 0.3, 1.05, (0.75, 1.35))


def load_cascade(name: str = FRONTAL, opencv: Any = cv2) -> cv2.CascadeClassifier:
    """Raises FerEdgeError if this OpenCV has no Haar cascades (5.0 has none)."""
    path = Path(getattr(getattr(opencv, "data", None), "haarcascades", "")) / name
    if not hasattr(opencv, "CascadeClassifier") or not path.is_file():
        what = f"OpenCV {opencv.__version__} has no CascadeClassifier or came without {name}"
        raise FerEdgeError(f"{what}: pip install 'opencv-python>=4.10,<5'")
    return cast(cv2.CascadeClassifier, opencv.CascadeClassifier(str(path)))


class _Followed(NamedTuple):
    """A face of the last frame. look: uint8, its picture when it was found; carried: frames since then."""

    face: Detection
    look: Picture
    carried: int = 0


class HaarDetector:
    """A known face is searched as it was, then tilted, then in profile; then it is kept while the frame still
    looks like it, for at most CARRIED_FRAMES.

    min_size_px: smallest face, by default 1/7.5 of a stream's shorter side and 1/12 of a picture's.
    """

    margin = 0.0  # see spec.CropPolicy: FER-2013 pictures are as wide as Haar's boxes

    def __init__(self, min_size_px: int | None = None) -> None:
        self._frontal = load_cascade()
        self._min_size_px = min_size_px
        self._followed: dict[Box, _Followed] = {}
        self._frames = 0

    @functools.cached_property
    def _profile(self) -> cv2.CascadeClassifier:
        """Loaded when a face turns: 1 MiB."""
        return load_cascade(PROFILE)

    def detect_still(self, frame_bgr: Picture) -> list[Detection]:
        """Scans the picture, turned if there is no face; a second look rejects false tilted faces."""
        gray = to_gray(frame_bgr)
        smallest_px = self._min_size_px or min(gray.shape) / 12
        side = max(gray.shape)  # 32,767 pixels are the most that OpenCV can warp
        scale = min(1.0, 32_000 / side, max(STILL_MAX_PX / side, WINDOW_PX / smallest_px))
        found = [Detection(box) for box in self._scan(gray, scale, smallest_px, STILL_SCAN)]
        tilted: dict[Box, _Followed] = {}
        for roll_deg in () if found else (TILT_DEG, -TILT_DEG):
            boxes = self._scan(gray, scale, smallest_px, STILL_SCAN, roll_deg=roll_deg)
            self._add_new(tilted, gray, boxes, roll_deg)
        return found + [one.face for one in tilted.values()]

    def detect(self, frame_bgr: Picture) -> list[Detection]:
        """Searches around the last boxes; the rest of the frame if one is missing, and every 12 frames."""
        gray = to_gray(frame_bgr)
        found: dict[Box, _Followed] = {}
        height, width = gray.shape
        for last in self._followed.values():
            if not common_area(last.face.box_xywh, (0, 0, width, height)):
                continue  # the frames have become smaller
            _add(found, self._again(gray, last))
        if len(found) < max(len(self._followed), 1) or self._frames % SEARCH_EVERY == 0:
            # While no face is known, every other frame is searched for a tilted one.
            roll_deg = 0.0 if found else (0.0, TILT_DEG, 0.0, -TILT_DEG)[self._frames % 4]
            smallest_px = self._min_size_px or min(gray.shape) / 7.5
            scale = min(1.0, WINDOW_PX / smallest_px)
            boxes = self._scan(gray, scale, smallest_px, STREAM_SCAN, found, roll_deg)
            self._add_new(found, gray, boxes, roll_deg)
        self._followed = found
        self._frames += 1
        return [one.face for one in found.values() if one.face.box_xywh[2] >= (self._min_size_px or 0)]

    def _add_new(self, found: dict[Box, _Followed], gray: Picture, boxes: list[Box], roll_deg: float) -> None:
        """The boxes that a second, closer look confirms, which rejects most false detections."""
        for box in boxes:
            if is_new(box, found):
                _add(found, self._near(gray, box, WIDE, TILTED_VOTES if roll_deg else NEW_VOTES, roll_deg))

    def _again(self, gray: Picture, last: _Followed) -> _Followed | None:
        """The same face in this frame, by the cheapest search that finds it."""
        box, roll_deg = last.face.box_xywh, last.face.roll_deg
        looks = [(QUICK, roll_deg, 0), (WIDE, roll_deg, 0)]
        looks += [(CAREFUL, angle, 0) for angle in (roll_deg, 0.0, TILT_DEG, -TILT_DEG)]
        for effort, angle, side in dict.fromkeys([*looks, (CAREFUL, 0.0, 1), (CAREFUL, 0.0, -1)]):
            if now := self._near(gray, box, effort, KNOWN_VOTES, angle, side):
                return now
        around, scale = square_box(box, WIDE.margin), min(1.0, last.look.shape[1] / box[2])
        region = _resized(cut(gray, around), scale)
        if last.carried >= CARRIED_FRAMES or np.any(np.less(region.shape, last.look.shape)):
            return None
        _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(region, last.look, cv2.TM_CCOEFF_NORMED))
        if likeness < ALIKE:
            return None
        moved = _box((x, y, *last.look.shape[::-1]), scale, *around[:2])
        return _Followed(last.face._replace(box_xywh=moved, turn=1.0), last.look, last.carried + 1)

    def _scan(
        self,
        gray: Picture,
        scale: float,
        smallest_px: float,
        effort: tuple[float, int],
        known: Iterable[Box] = (),
        roll_deg: float = 0.0,
    ) -> list[Box]:
        """Faces of the whole frame and a border around it, shrunk. effort: scale factor and votes. known:
        covered, since the cascade takes longest there."""
        height, width = gray.shape
        edge = round(min(height, width) * BORDER)
        reduced = _resized(cut(gray, (-edge, -edge, width + 2 * edge, height + 2 * edge)), scale)
        for x, y, w, h in known:
            left, top, right, bottom = (max(round((n + edge) * scale), 0) for n in (x, y, x + w, y + h))
            reduced[top:bottom, left:right] = 128
        turned, back = _turned(reduced, roll_deg)
        side = round(max(smallest_px * scale, 20))
        boxes = self._frontal.detectMultiScale(turned, *effort, minSize=(side, side))
        return [_box(_led_back(box, back), scale, -edge, -edge) for box in boxes]

    def _near(
        self, gray: Picture, last: Box, effort: Effort, votes: int, roll_deg: float = 0.0, side: int = 0
    ) -> _Followed | None:
        """The best face in the region around `last`, of about its size and tilt; None if there is none.
        side: 1 and -1 for the two profiles."""
        around, scale = square_box(last, effort.margin), min(1.0, effort.side_px / last[2])
        upright = _resized(cut(gray, around), scale)
        region, back = _turned(upright, roll_deg, mirrored=side < 0)
        least, most = (round(last[2] * scale * size) for size in effort.sizes)
        cascade = self._profile if side else self._frontal
        boxes, found_votes = cascade.detectMultiScale2(
            region, effort.scale_factor, votes, minSize=(least, least), maxSize=(most, most)
        )
        if not len(boxes):
            return None
        best = _led_back(boxes[int(np.argmax(found_votes))], back)
        face = Detection(_box(best, scale, *around[:2]), roll_deg=roll_deg, turn=0.8 * abs(side))
        return _Followed(face, cut(upright, _box(best, 1.0, 0, 0)).copy())  # not to hold the whole frame


def _add(found: dict[Box, _Followed], one: _Followed | None) -> None:
    if one and is_new(one.face.box_xywh, found):
        found[one.face.box_xywh] = one


def _turned(picture: Picture, roll_deg: float, mirrored: bool = False) -> tuple[Picture, NDArray[Any]]:
    """The picture rotated about its centre, or mirrored, and the matrix (2, 3) that reverses it."""
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), roll_deg, 1.0)
    if mirrored:
        matrix = np.array([[-1.0, 0, width - 1], [0, 1, 0]])
    if mirrored or roll_deg:
        size = width, height
        picture = cast(Picture, cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE))
    return picture, cv2.invertAffineTransform(matrix)


def _led_back(box: Sequence[float], matrix: NDArray[Any]) -> Sequence[float]:
    """The box with its centre moved by the matrix."""
    x, y, w, h = box
    x, y = matrix @ (x + w / 2, y + h / 2, 1.0) - (w / 2, h / 2)
    return x, y, w, h


def _resized(gray: Picture, scale: float) -> Picture:
    """Shrunk, by halves if possible: a tenth of the time of one area average."""
    height, width = (round(side * scale) for side in gray.shape)
    if min(width, height) < 1:  # a strip so thin that nothing of it would be left
        return gray[:1, :1]
    while gray.shape[0] >= 2 * height and gray.shape[1] >= 2 * width:
        h, w = gray.shape[0] // 2, gray.shape[1] // 2
        gray = cast(Picture, cv2.resize(gray[: 2 * h, : 2 * w], (w, h), interpolation=cv2.INTER_AREA))
    return gray if gray.shape == (height, width) else cast(Picture, cv2.resize(gray, (width, height)))


def _box(box: Sequence[float], scale: float, left: float, top: float) -> Box:
    x, y, w, h = (float(value) / scale for value in box)
    return int(x + left), int(y + top), int(w), int(h)
