"""One frame: find the faces, crop, classify, track, smooth. No threads, no input or output."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.loop.stages import StageTimes
from fer_edge.spec import CropPolicy
from fer_edge.vision.boxes import Box, clip_box
from fer_edge.vision.crop import crop_face, to_bgr, to_gray
from fer_edge.vision.detector import Detector
from fer_edge.vision.tracker import Tracker


class FaceClassifier(Protocol):
    """What the loop needs of a classifier; `classifier.Classifier` is one, tests have others."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def input_size(self) -> tuple[int, int]: ...

    def predict(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (N, labels) probabilities of uint8 (N, height, width) gray faces."""


class Frame(NamedTuple):
    """What a source gives. bgr: uint8 (H, W, 3). time_s: in its source; a live source's frames are
    stamped as they arrive (`sources.newest`). source: what `--jsonl` names."""

    bgr: NDArray[np.uint8]
    time_s: float
    source: str


@dataclass(frozen=True)
class Face:
    """One face in one frame.

    box_xywh: pixels, inside the frame. label: the smoothed one, None while uncertain. confidence: its
    smoothed probability. probabilities: float32 (labels,), this frame's own. smoothed: float64 (labels,).
    """

    box_xywh: Box
    track: int
    label: str | None
    confidence: float
    probabilities: NDArray[np.float32]
    smoothed: NDArray[np.float64]


@dataclass(frozen=True)
class FrameResult:
    """A frame and what was found in it. index: from 0 in each source. analysed: False if it was
    passed over (`--every`)."""

    frame: Frame
    index: int
    faces: tuple[Face, ...]
    analysed: bool = True


class Analyser:
    """Detector, classifier and tracker in a row.

    min_confidence: smoothed probability below which the label is None. policy: the model's crop; the
    detector's own margin is added. still: each frame stands alone (pictures).
    """

    def __init__(
        self,
        detector: Detector,
        classifier: FaceClassifier,
        *,
        policy: CropPolicy = CropPolicy(),  # noqa: B008 (frozen)
        half_life_s: float = 0.3,
        min_confidence: float = 0.0,
        still: bool = False,
    ) -> None:
        self.labels = tuple(classifier.labels)
        self.stages = StageTimes(("detect", "crop", "classify"))
        self._detector = detector
        self._classifier = classifier
        self._policy = CropPolicy(policy.margin + detector.margin)
        self._half_life_s = half_life_s
        self._min_confidence = min_confidence
        self._still = still
        self._tracker = Tracker(half_life_s)
        self._gray: NDArray[np.uint8] | None = None
        self._batch = np.empty((1, *classifier.input_size), np.uint8)

    def analyse(self, frame: Frame) -> tuple[Face, ...]:
        """The faces of the next frame. Raises SourceError for a frame of unknown layout."""
        gray = self._to_gray(frame.bgr)
        find = self._detector.detect_still if self._still else self._detector.detect
        with self.stages.measure("detect"):
            found = find(to_bgr(frame.bgr), gray)
        height, width = gray.shape
        pairs = [(box, clip_box(box, width, height)) for box in found]
        pairs = [(box, clipped) for box, clipped in pairs if clipped[2] > 0 and clipped[3] > 0]
        if self._still:
            self._tracker = Tracker(self._half_life_s)
        if not pairs:
            return ()
        boxes = [clipped for _, clipped in pairs]
        with self.stages.measure("crop"):
            # The crop takes the whole box, so that a face cut by the border keeps its proportions.
            crops = self._crop(gray, [box for box, _ in pairs])
        with self.stages.measure("classify"):
            probabilities = self._classifier.predict(crops)
        return self._faces(boxes, probabilities, frame.time_s)

    def _to_gray(self, frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if frame.ndim == 2 or frame.shape[2] == 1:
            return to_gray(frame)
        self._gray = to_gray(frame, self._gray)
        return self._gray

    def _crop(self, gray: NDArray[np.uint8], boxes: list[Box]) -> NDArray[np.uint8]:
        if len(self._batch) < len(boxes):
            self._batch = np.empty((len(boxes), *self._classifier.input_size), np.uint8)
        for row, box in zip(self._batch, boxes, strict=False):
            row[:] = crop_face(gray, box, self._classifier.input_size, self._policy)
        return self._batch[: len(boxes)]

    def _faces(self, boxes: list[Box], probabilities: NDArray[np.float32], time_s: float) -> tuple[Face, ...]:
        faces = []
        for box, track, own in zip(
            boxes, self._tracker.update(boxes, probabilities, time_s), probabilities, strict=True
        ):
            confidence = float(track.smoothed[track.class_id])
            label = self.labels[track.class_id] if confidence >= self._min_confidence else None
            faces.append(Face(box, track.id, label, confidence, own.copy(), track.smoothed.copy()))
        return tuple(faces)
