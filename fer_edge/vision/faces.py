"""Finding faces with OpenCV's Haar cascade, fast enough for a small device.

Scanning a whole frame at full size takes 36 to 90 ms; almost all of it looks where no face is. In a
stream a face is first searched round its last box, in a region shrunk until the face is as small as
the cascade allows. The whole frame, reduced, is scanned when a face is missing and now and then for
new ones. Every box comes from the frame itself: none is carried over.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.vision.frames import Box, is_new
from fer_edge.vision.opencv import cv2

CASCADE = "haarcascade_frontalface_default.xml"
WINDOW_PX = 24  # the cascade's own window: no smaller face can be found
STILL_MAX_PX = 1000  # longer side of a picture's careful search
WHOLE_EVERY = 24  # frames between two scans of the whole frame
REGION_SIDE = 1.6  # side of the region searched, in sides of the last box
QUICK, CAREFUL = (48, 1.1), (72, 1.05)  # px that the last box is shrunk to, scale factor

DETECTORS = ("haar", "yunet")


class Detector(Protocol):
    """Finds faces. `margin`: what its boxes need on each side to be as wide as a FER-2013 picture."""

    margin: float

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Box]:
        """Boxes of the next frame of a stream; frame uint8 (H, W, 3) and the same in gray (H, W)."""

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Box]:
        """Boxes of a picture that stands alone: slower and more careful."""


def load_cascade(opencv: Any = cv2) -> cv2.CascadeClassifier:
    """Raises FerEdgeError where this OpenCV has no Haar cascades (5.0 has none)."""
    advice = "pip install 'opencv-python>=4.10,<5'"
    if not hasattr(opencv, "CascadeClassifier"):
        raise FerEdgeError(f"OpenCV {opencv.__version__} has no CascadeClassifier: {advice}")
    path = Path(getattr(getattr(opencv, "data", None), "haarcascades", "")) / CASCADE
    if not path.is_file():
        raise FerEdgeError(f"OpenCV {opencv.__version__} came without {CASCADE}: {advice}")
    cascade = opencv.CascadeClassifier(str(path))
    if cascade.empty():
        raise FerEdgeError(f"OpenCV cannot read {path}: {advice}")
    return cast(cv2.CascadeClassifier, cascade)


def make_detector(name: str, model: Path | None = None, min_size_px: int | None = None) -> Detector:
    """`haar`, or `yunet` with the user's model file. Raises UsageError for another name."""
    if name == "haar":
        return HaarDetector(min_size_px)
    if name == "yunet":
        return YuNetDetector(model, min_size_px)
    raise UsageError(f"no detector '{name}': choose one of {', '.join(DETECTORS)}")


class HaarDetector:
    """The Haar cascade for frontal faces.

    min_size_px: smallest face in pixels of the frame; by default 1/7.5 of a stream's shorter side and
    1/12 of a picture's.
    """

    margin = 0.0  # see spec.CropPolicy: FER-2013 pictures are as wide as Haar's boxes

    def __init__(self, min_size_px: int | None = None) -> None:
        self._cascade = load_cascade()
        self._min_size_px = min_size_px
        self._last: list[Box] = []
        self._frames = 0

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Box]:
        """One scan of the whole picture at 1.1 and 5 neighbours."""
        smallest = self._min_size_px or min(gray.shape) / 12
        scale = min(1.0, STILL_MAX_PX / max(gray.shape))
        return self._scan(gray, scale, max(smallest * scale, 20), 1.1)

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Box]:
        """Searches round the last boxes; scans the frame if one is missing, and every 24 frames."""
        found: list[Box] = []
        missing = not self._last
        for last in self._last:
            box = self._near(gray, last, QUICK, 3) or self._near(gray, last, CAREFUL, 3)
            missing |= box is None
            if box and is_new(box, found):
                found.append(box)
        if missing or self._frames % WHOLE_EVERY == 0:
            found += self._newcomers(gray, found)
        self._last = found
        self._frames += 1
        return list(found)

    def _newcomers(self, gray: NDArray[np.uint8], known: list[Box]) -> list[Box]:
        smallest = self._min_size_px or min(gray.shape) / 7.5
        scale = min(1.0, WINDOW_PX / smallest)
        new: list[Box] = []
        for candidate in self._scan(gray, scale, max(smallest * scale, WINDOW_PX), 1.2):
            # A second, closer look keeps out most of what is no face.
            box = self._near(gray, candidate, QUICK, 5) if is_new(candidate, known) else None
            if box and is_new(box, known + new):
                new.append(box)
        return new

    def _scan(
        self, gray: NDArray[np.uint8], scale: float, min_side_px: float, scale_factor: float
    ) -> list[Box]:
        reduced = _resized(gray, scale)
        side = round(min_side_px)
        boxes = self._cascade.detectMultiScale(reduced, scale_factor, 5, minSize=(side, side))
        return [_box(box, scale, 0, 0) for box in boxes]

    def _near(
        self, gray: NDArray[np.uint8], last: Box, effort: tuple[int, float], neighbours: int
    ) -> Box | None:
        """The best box in the region round `last`, of about its size; None if there is none."""
        x, y, w, h = last
        grow = w * (REGION_SIDE - 1) / 2
        left, top = max(0, int(x - grow)), max(0, int(y - grow))
        region = gray[top : int(y + h + grow), left : int(x + w + grow)]
        side_px, scale_factor = effort
        scale = min(1.0, side_px / w)
        smallest, largest = round(w * scale * 0.75), round(w * scale * 1.35)
        boxes, votes = self._cascade.detectMultiScale2(
            _resized(region, scale),
            scale_factor,
            neighbours,
            minSize=(smallest, smallest),
            maxSize=(largest, largest),
        )
        return _box(boxes[int(np.argmax(votes))], scale, left, top) if len(boxes) else None


def _resized(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1.0:
        return gray
    if min(gray.shape) * scale < 1:  # a strip so thin that nothing of it would be left
        return gray[:1, :1]
    return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _box(box: Sequence[int], scale: float, left: int, top: int) -> Box:
    x, y, w, h = (int(value / scale) for value in box)
    return x + left, y + top, w, h


# Longer side of what the network sees. Of two heads, tilted and 1/6 of a 480 px frame wide, 320 px finds
# both in 6 of 56 frames, 400 px in 54, 480 px in all; the time grows with the area.
STREAM_MAX_PX, STILL_MAX_PX = 400, 640
SCORE = 0.7  # at 0.6 a close-up has three faces


class YuNetDetector:
    """Raises UsageError without a model file, ModelError for one that OpenCV cannot load."""

    # The longer side of its box is 1.02 of a FER-2013 picture's width (quartiles 0.89 and 1.15), centred:
    # 1,137 of 1,200 Training pictures found, enlarged to 192 px and padded. So the square needs no margin.
    margin = 0.0

    def __init__(self, model: Path | None, min_size_px: int | None = None) -> None:
        if model is None:
            raise UsageError(
                "--detector yunet needs --detector-model FILE: face_detection_yunet_2023mar.onnx from "
                "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
            )
        if not hasattr(cv2, "FaceDetectorYN"):
            raise FerEdgeError(f"OpenCV {cv2.__version__} has no FaceDetectorYN: use --detector haar")
        if not model.is_file():
            raise ModelError(f"no file {model}")
        try:
            self._network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), SCORE)
        except cv2.error as error:
            raise ModelError(f"{model} is not a YuNet model that OpenCV {cv2.__version__} reads") from error
        self._model = model
        self._min_size_px = min_size_px or 0
        self._size: tuple[int, int] | None = None

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Box]:
        """Looks at the whole frame, its longer side reduced to 400 px."""
        return self._detect(frame_bgr, STREAM_MAX_PX)

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Box]:
        """Looks at the whole picture, its longer side reduced to 640 px."""
        return self._detect(frame_bgr, STILL_MAX_PX)

    def _detect(self, frame_bgr: NDArray[np.uint8], max_px: int) -> list[Box]:
        scale = min(1.0, max_px / max(frame_bgr.shape[:2]))
        if min(frame_bgr.shape[:2]) * scale < 1:
            return []  # a strip so thin that nothing of it would be left
        reduced = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        size = (reduced.shape[1], reduced.shape[0])
        try:
            if size != self._size:
                self._network.setInputSize(size)
                self._size = size
            faces = self._network.detect(reduced)[1]
        except cv2.error as error:
            raise ModelError(f"{self._model} is not a YuNet model: {error.err}") from error
        rows = [] if faces is None else faces[:, :4] / scale
        boxes = [(round(float(x)), round(float(y)), round(float(w)), round(float(h))) for x, y, w, h in rows]
        return [box for box in boxes if min(box[2:]) >= max(self._min_size_px, 1)]
