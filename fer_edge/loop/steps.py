"""What is done with each frame, whichever way frames come: number, pace, analyse, draw, count."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge.loop.stages import StageTimes
from fer_edge.loop.summary import Summary
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.crop import to_bgr
from fer_edge.vision.frames import Face, Frame, FrameResult
from fer_edge.vision.overlay import Overlay

LEAST_STEP_S = 0.001  # between two frames whose source gives them the same time


@dataclass(frozen=True)
class Pace:
    """every: analyse one frame of so many. max_fps: take no more frames a second. max_frames: then end."""

    every: int = 1
    max_fps: float | None = None
    max_frames: int | None = None


class Steps:
    """The state that goes from one frame to the next. `faces` are the latest ones found.

    stop: set by whoever wants the run to end.
    """

    def __init__(self, analyser: Analyser, pace: Pace, stop: threading.Event) -> None:
        self.stages = StageTimes(("read", "draw", "write"))
        self.summary = Summary(analyser.labels, [self.stages, analyser.stages])
        self.stop = stop
        self.faces: tuple[Face, ...] = ()
        self._analyser = analyser
        self._pace = pace
        self._overlay = Overlay(analyser.labels)
        self._source: str | None = None
        self._index = -1
        self._time_s = 0.0
        self._next_s = 0.0

    def wants_more(self) -> bool:
        """Waits where the pace asks for it; False when the run should end."""
        enough = self._pace.max_frames is not None and self.summary.frames >= self._pace.max_frames
        if enough or self.stop.is_set():
            return False
        if self._pace.max_fps is not None:
            now_s = time.monotonic()
            if self.stop.wait(max(0.0, self._next_s - now_s)):
                return False
            self._next_s = max(self._next_s, now_s) + 1 / self._pace.max_fps
        return True

    def analysed(self, frame: Frame) -> FrameResult:
        """The frame with its number, a time above the last one's, and its faces."""
        if frame.source != self._source:
            self._source, self._index = frame.source, -1
        self._index += 1
        if self._index:
            frame = frame._replace(time_s=max(frame.time_s, self._time_s + LEAST_STEP_S))
        self._time_s = frame.time_s
        if self._index % self._pace.every:
            return FrameResult(frame, self._index, (), analysed=False)
        self.faces = self._analyser.analyse(frame)
        return FrameResult(frame, self._index, self.faces)

    def draw(self, frame: Frame, *, in_place: bool = False) -> NDArray[np.uint8]:
        """uint8 (H, W, 3): the frame with the latest faces drawn on it; valid until the next call.

        in_place: on the frame's own picture, without a copy.
        """
        with self.stages.measure("draw"):
            return self._overlay.draw(to_bgr(frame.bgr), self.faces, in_place=in_place)
