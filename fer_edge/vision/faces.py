"""The detectors by name, and YuNet: OpenCV has its code, the user supplies the weights."""

from pathlib import Path

from fer_edge.errors import ModelError, UsageError
from fer_edge.vision import DETECTORS
from fer_edge.vision.blazeface import COMMAND, BlazeFaceDetector, find_blazeface
from fer_edge.vision.frames import Detection, Detector, Picture
from fer_edge.vision.opencv import cv2

YUNET_ADVICE = (
    "--detector yunet needs --detector-model FILE: face_detection_yunet_2023mar.onnx from "
    "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
)
# Longer side of what the network sees. Of two heads, tilted and 1/6 of a 480 px frame wide, 320 px finds
# both in 6 of 56 frames, 400 px in 54, 480 px in all; the time grows with the area.
YUNET_STREAM_PX, YUNET_STILL_PX = 400, 640
YUNET_SCORE = 0.7  # at 0.6 a close-up has three faces


def make_detector(
    name: str, model: Path | None = None, min_size_px: int | None = None, num_threads: int = 1
) -> Detector:
    """One of DETECTORS. model: the file of YuNet or BlazeFace; BlazeFace's is found if installed.

    min_size_px: smallest face to look for, in pixels of the frame.
    Raises UsageError for another name or without a model, ModelError for a file that is not such a model.
    """
    if name == "auto":
        path = model or find_blazeface()
        name = "haar" if path is None else "yunet" if path.suffix == ".onnx" else "blazeface"
    if name == "haar":
        if model:
            raise UsageError(f"{model}: Haar has no model file; choose --detector yunet or blazeface")
        from fer_edge.vision.haar import HaarDetector

        return HaarDetector(min_size_px)
    if name == "yunet":
        return YuNetDetector(model, min_size_px)
    if name == "blazeface":
        return BlazeFaceDetector(model, min_size_px, num_threads)
    raise UsageError(f"no detector '{name}': choose one of {', '.join(DETECTORS)}")


def describe_choice() -> str:
    """One line that says what `auto` means on this machine."""
    if found := find_blazeface():
        return f"detector: BlazeFace ({found.name})"
    return f"detector: Haar ({COMMAND} gives BlazeFace, which also finds turned and small faces)"


class YuNetDetector:
    """Raises UsageError without a model file, ModelError for one that OpenCV cannot load."""

    # The longer side of its box is 1.02 of a FER-2013 picture's width (quartiles 0.89 and 1.15), centred:
    # 1,137 of 1,200 Training pictures found, enlarged to 192 px and padded. So the square needs no margin.
    margin = 0.0

    def __init__(self, model: Path | None, min_size_px: int | None = None) -> None:
        if model is None:
            raise UsageError(YUNET_ADVICE)
        try:
            name = str(model).encode().decode()  # OpenCV crashes on a name that is not UTF-8
            self._network = cv2.FaceDetectorYN.create(name, "", (320, 320), YUNET_SCORE)
        except (cv2.error, UnicodeError) as error:
            what = f"is not there, or not a YuNet model that OpenCV {cv2.__version__} reads"
            raise ModelError(f"{model} {what}") from error
        self._model = model
        self._min_size_px = min_size_px or 1

    def detect_still(self, frame_bgr: Picture) -> list[Detection]:
        """Looks at the whole picture, its longer side reduced to 640 px."""
        return self.detect(frame_bgr, YUNET_STILL_PX)

    def detect(self, frame_bgr: Picture, max_px: int = YUNET_STREAM_PX) -> list[Detection]:
        """Looks at the whole frame, its longer side reduced to 400 px."""
        scale = min(1.0, max_px / max(frame_bgr.shape[:2]))
        if min(frame_bgr.shape[:2]) * scale < 1:
            return []  # a strip so thin that nothing of it would be left
        reduced = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        try:
            self._network.setInputSize((reduced.shape[1], reduced.shape[0]))
            faces = self._network.detect(reduced)[1]
        except cv2.error as error:
            raise ModelError(f"{self._model} is not a YuNet model: {error.err}") from error
        if faces is not None and not cv2.checkRange(faces, minVal=-1e5, maxVal=1e5)[0]:  # nan fails too
            raise ModelError(f"{self._model} is not a YuNet model: its faces are far outside the picture")
        rows = [] if faces is None else faces[:, :14].reshape(-1, 7, 2) / scale
        # Corner and size, then both eyes, nose, both corners of the mouth.
        found = [Detection.from_keypoints(row[0], row[1], [*row[2:5], (row[5] + row[6]) / 2]) for row in rows]
        return [one for one in found if min(one.box_xywh[2:]) >= self._min_size_px]
