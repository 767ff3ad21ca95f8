"""One frame: find the faces, crop, classify, track, smooth. No threads, no input or output.

A box continues the track that it overlaps most (the rule of SORT, Bewley et al. 2016, without the
motion model). A track's probabilities are averaged over time with a half-life in seconds, so the
result does not depend on the frame rate; its label changes only when another is clearly ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from fer_edge.loop.summary import StageTimes
from fer_edge.spec import CropPolicy
from fer_edge.vision.crop import crop_face, to_bgr, to_gray
from fer_edge.vision.faces import Detector
from fer_edge.vision.frames import Box, Face, Frame, clip_box, overlap

MIN_OVERLAP = 0.2  # intersection over union below which two boxes are not the same face
MAX_GAP_S = 1.0  # a face not seen for so long is a new one
LEAD = 0.1  # probability by which another expression must be ahead to become the label


class FaceClassifier(Protocol):
    """What the loop needs of a classifier; `classifier.Classifier` is one, tests have others."""

    @property
    def labels(self) -> tuple[str, ...]: ...

    @property
    def input_size(self) -> tuple[int, int]: ...

    def predict(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """float32 (N, labels) probabilities of uint8 (N, height, width) gray faces."""


@dataclass
class Track:
    """One face over time. smoothed: float64 (labels,); class_id: index of the label that is held."""

    id: int
    box_xywh: Box
    smoothed: NDArray[np.float64]
    class_id: int
    seen_s: float


def smooth(
    before: NDArray[np.float64], now: NDArray[np.float32], elapsed_s: float, half_life_s: float
) -> NDArray[np.float64]:
    """Exponential average: after `half_life_s` the past weighs one half. 0 turns smoothing off."""
    past = 0.5 ** (elapsed_s / half_life_s) if half_life_s > 0 else 0.0
    return past * before + (1 - past) * now


def held_label(smoothed: NDArray[np.float64], held: int) -> int:
    """Index of the label: the one held until another leads it by LEAD."""
    best = int(smoothed.argmax())
    return best if smoothed[best] > smoothed[held] + LEAD else held


@dataclass
class Tracker:
    """Gives boxes their tracks, numbered from 1 in order of appearance."""

    half_life_s: float = 0.3
    _tracks: list[Track] = field(default_factory=list)
    _next_id: int = 1

    def update(self, boxes: list[Box], probabilities: NDArray[np.float32], time_s: float) -> list[Track]:
        """The tracks of `boxes`, in their order; probabilities float32 (len(boxes), labels)."""
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= MAX_GAP_S]
        matched = self._match(boxes)
        return [
            self._continue(matched[i], box, probabilities[i], time_s)
            if i in matched
            else self._start(box, probabilities[i], time_s)
            for i, box in enumerate(boxes)
        ]

    def _match(self, boxes: list[Box]) -> dict[int, Track]:
        """Box index to track: the pairs of largest overlap first."""
        pairs = [
            (overlap(track.box_xywh, box), i, track) for track in self._tracks for i, box in enumerate(boxes)
        ]
        matched: dict[int, Track] = {}
        taken: set[int] = set()
        for value, i, track in sorted(pairs, key=lambda pair: -pair[0]):
            if value >= MIN_OVERLAP and i not in matched and track.id not in taken:
                matched[i] = track
                taken.add(track.id)
        return matched

    def _continue(self, track: Track, box: Box, now: NDArray[np.float32], time_s: float) -> Track:
        track.smoothed = smooth(track.smoothed, now, time_s - track.seen_s, self.half_life_s)
        track.box_xywh, track.seen_s = box, time_s
        if self.half_life_s > 0:
            track.class_id = held_label(track.smoothed, track.class_id)
        else:
            track.class_id = int(now.argmax())
        return track

    def _start(self, box: Box, now: NDArray[np.float32], time_s: float) -> Track:
        track = Track(self._next_id, box, now.astype(np.float64), int(now.argmax()), time_s)
        self._next_id += 1
        self._tracks.append(track)
        return track


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
        pairs = [(face, clip_box(face.box_xywh, width, height)) for face in found]
        pairs = [(face, clipped) for face, clipped in pairs if clipped[2] > 0 and clipped[3] > 0]
        if self._still:
            self._tracker = Tracker(self._half_life_s)
        if not pairs:
            return ()
        boxes = [clipped for _, clipped in pairs]
        with self.stages.measure("crop"):
            # The crop takes the whole box, so that a face cut by the border keeps its proportions.
            crops = self._crop(gray, [face.box_xywh for face, _ in pairs])
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
