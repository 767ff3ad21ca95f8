"""Which face is which from frame to frame, and a label that does not flicker.

A box continues the track that it overlaps most (the rule of SORT, Bewley et al. 2016, without the
motion model). A track's probabilities are averaged over time with a half-life in seconds, so the
result does not depend on the frame rate; its label changes only when another is clearly ahead.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fer_edge.vision.boxes import Box, overlap

MIN_OVERLAP = 0.2  # intersection over union below which two boxes are not the same face
MAX_GAP_S = 1.0  # a face not seen for so long is a new one
LEAD = 0.1  # probability by which another expression must be ahead to become the label


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
