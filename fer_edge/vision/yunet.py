"""Finding faces with YuNet, a small neural detector: also tilted ones and ones at the border.

OpenCV has the code (FaceDetectorYN) and not the weights: the user supplies
`face_detection_yunet_2023mar.onnx` from https://github.com/opencv/opencv_zoo.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.vision.boxes import Box
from fer_edge.vision.opencv import cv2

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
