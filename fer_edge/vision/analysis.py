"""One frame: find the faces, crop, classify, track, smooth. No threads, no input or output.

A box continues the track that it overlaps most (the rule of SORT, Bewley et al. 2016, without the
motion model). A track's probabilities are averaged over time with a half-life in seconds, so the
result does not depend on the frame rate; its label changes only when another is clearly ahead.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge.spec import CropPolicy
from fer_edge.vision.crop import READABLE, crop_face, quality, to_bgr
from fer_edge.vision.frames import Box, Detector, Face, Frame, clip_box, common_area, overlap

if TYPE_CHECKING:
    from fer_edge.model.classifier import Classifier

MIN_OVERLAP = 0.2  # intersection over union below which two boxes are not the same face
MAX_GAP_S, MAX_GAP_FRAMES = 1.0, 3.5  # a face away for so long and so many frames, uneven ones, is a new one
LEAD = 0.1  # how far ahead, in probability, another expression must be to become the label
KEPT = 4096  # latest times of a stage, for its percentiles


class StageTimes:
    """Durations by stage: the count of all, mean and percentiles of the latest KEPT."""

    def __init__(self) -> None:
        self._times_ms: defaultdict[str, NDArray[np.float64]] = defaultdict(lambda: np.zeros(KEPT))
        self._counts: Counter[str] = Counter()

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measures the block, whether it succeeds or not."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        self._times_ms[name][self._counts[name] % KEPT] = 1000 * seconds
        self._counts[name] += 1

    def table(self) -> dict[str, dict[str, float]]:
        """Stage to n, mean_ms, p50_ms, p95_ms; in the order in which they first ended."""
        rows = {}
        for name, count in self._counts.items():
            ms = np.sort(self._times_ms[name][:count])
            # np.percentile would load numpy.ma: 2 MiB on a device, for two numbers.
            p50, p95 = np.interp((0.5 * (len(ms) - 1), 0.95 * (len(ms) - 1)), np.arange(len(ms)), ms)
            told = {"mean_ms": ms.mean(), "p50_ms": p50, "p95_ms": p95}
            rows[name] = {"n": count} | {key: round(float(value), 3) for key, value in told.items()}
        return rows


@dataclass(eq=False)
class Track:
    """One face over time. smoothed: float64 (labels,); class_id: index of the current label;
    read_s: when it was last seen well enough to be read."""

    id: int
    box_xywh: Box
    smoothed: NDArray[np.float64]
    class_id: int
    seen_s: float
    read_s: float = -math.inf


@dataclass
class Tracker:
    """Assigns boxes to tracks, numbered from 1 in order of appearance."""

    half_life_s: float = 0.3
    gap_s: float = MAX_GAP_S
    _tracks: list[Track] = field(default_factory=list)
    _next_id: int = 1

    def update(
        self, boxes: list[Box], probabilities: NDArray[np.float32], time_s: float, readable: Sequence[bool]
    ) -> list[Track]:
        """The tracks of `boxes`, in their order; probabilities float32 (len(boxes), labels). readable: which
        of them count towards the label."""
        self._tracks = [track for track in self._tracks if time_s - track.seen_s <= self.gap_s]
        tracks: dict[int, Track] = {}  # by box; pairs with the largest overlap first
        pairs = [(overlap(one.box_xywh, box), i, one) for one in self._tracks for i, box in enumerate(boxes)]
        for value, i, track in sorted(pairs, key=lambda pair: -pair[0]):
            if value >= MIN_OVERLAP and i not in tracks and track not in tracks.values():
                tracks[i] = track
        for i, (box, own) in enumerate(zip(boxes, probabilities, strict=True)):
            if i not in tracks:
                tracks[i] = Track(self._next_id, box, own.astype(np.float64), int(own.argmax()), time_s)
                self._tracks.append(tracks[i])
                self._next_id += 1
            tracks[i].box_xywh, tracks[i].seen_s = box, time_s
            if readable[i]:
                self._read(tracks[i], own, time_s)
        return [tracks[i] for i in range(len(boxes))]

    def _read(self, track: Track, now: NDArray[np.float32], time_s: float) -> None:
        """After one half-life the past weighs one half; another label must lead the current one by LEAD."""
        since_s = time_s - track.read_s  # infinite for a new one
        past = 0.5 ** (since_s / self.half_life_s) if since_s < math.inf and self.half_life_s > 0 else 0.0
        track.smoothed = past * track.smoothed + (1 - past) * now
        best = int(track.smoothed.argmax())
        if not past or track.smoothed[best] > track.smoothed[track.class_id] + LEAD:
            track.class_id = best
        track.read_s = time_s


@dataclass(eq=False)
class Analyser:
    """Detector, classifier and tracker in sequence.

    min_confidence: smoothed probability below which the label is None. min_quality: `crop.quality` below
    which it is None too, and the face does not count in the smoothing. still: frames are unrelated pictures.
    The detector's own margin is added to that of the model's crop.
    """

    detector: Detector
    classifier: Classifier
    _: KW_ONLY
    half_life_s: float = 0.3
    min_confidence: float = 0.0
    min_quality: float = READABLE
    still: bool = False

    def __post_init__(self) -> None:
        self.labels = tuple(self.classifier.labels)
        self.stages = StageTimes()
        self._policy = CropPolicy(self.classifier.card.crop.margin + self.detector.margin)
        self._tracker = Tracker(self.half_life_s)
        self._seen_s: tuple[float, ...] = ()  # the times of the last three frames

    def analyse(self, frame: Frame) -> tuple[Face, ...]:
        """The faces of the next frame. Raises SourceError for a frame of unknown layout."""
        self._seen_s = (*self._seen_s[-2:], frame.time_s)
        pace_s = min(np.diff(self._seen_s), default=0.0)  # of two, since one may be a camera's that came back
        self._tracker.gap_s = max(MAX_GAP_S, MAX_GAP_FRAMES * float(pace_s))
        frame_bgr = to_bgr(frame.bgr)
        find = self.detector.detect_still if self.still else self.detector.detect
        whole = 0, 0, frame_bgr.shape[1], frame_bgr.shape[0]
        with self.stages.measure("detect"):
            found = [one for one in find(frame_bgr) if common_area(one.box_xywh, whole)]
        if not found:
            return ()
        with self.stages.measure("crop"):
            # The crop uses the whole box, so that a face cut off by the border keeps its proportions.
            how = self.classifier.input_size, self._policy
            crops = np.stack([crop_face(frame_bgr, one.box_xywh, *how, one.roll_deg) for one in found])
            pairs = zip(crops, found, strict=True)
            qualities = [quality(crop, max(one.box_xywh[2:]), one.turn) for crop, one in pairs]
        with self.stages.measure("classify"):
            probabilities = self.classifier.predict(crops)
        readable = [value >= self.min_quality for value in qualities]
        tracker = Tracker() if self.still else self._tracker
        boxes = [clip_box(one.box_xywh, *whole[2:]) for one in found]
        tracks = tracker.update(boxes, probabilities, frame.time_s, readable)
        faces = []
        for one, track, own, value in zip(found, tracks, probabilities, qualities, strict=True):
            confidence, smoothed = float(track.smoothed[track.class_id]), track.smoothed.copy()
            sure = value >= self.min_quality and confidence >= self.min_confidence
            label = self.labels[track.class_id] if sure else None
            faces.append(
                Face(track.box_xywh, track.id, label, confidence, own.copy(), smoothed, value, one.keypoints)
            )
        return tuple(faces)
