"""Where the time of one face goes: crop, input, inference, output."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.model import interpreter
from fer_edge.model.classifier import Classifier
from fer_edge.vision.crop import crop_face

PARTS = ("crop", "input", "inference", "output")
FRAME_HW = (480, 640)
BOX_XYWH = (240, 120, 180, 180)
"""The face in the frame that is cropped: of a size as before a laptop's camera."""
_BLOCK = 10
_SETTLE = 2


class TimedInterpreter:
    """An interpreter that notes when `invoke` began and ended, in ns; all else is the interpreter's own."""

    def __init__(self, model: bytes, num_threads: int, name: str) -> None:
        self._own = interpreter.load(model, num_threads, name)
        self.began = self.ended = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._own, name)

    def invoke(self) -> None:
        self.began = time.perf_counter_ns()
        self._own.invoke()
        self.ended = time.perf_counter_ns()


class Subject:
    """One row of the benchmark: a classifier with its interpreter timed."""

    def __init__(self, model: Path, num_threads: int, card: Path | None) -> None:
        self._timed: list[TimedInterpreter] = []
        self._classifier = Classifier(model, num_threads, card, checked=True, load=self._load)
        self._gray = np.random.default_rng(0).integers(0, 256, FRAME_HW, np.uint8)

    def _load(self, model: bytes, num_threads: int, name: str) -> TimedInterpreter:
        self._timed.append(TimedInterpreter(model, num_threads, name))
        return self._timed[-1]

    def once(self) -> tuple[int, int, int, int]:
        """Nanoseconds of each of PARTS for one face."""
        start = time.perf_counter_ns()
        face = crop_face(self._gray, BOX_XYWH, self._classifier.input_size)
        cropped = time.perf_counter_ns()
        self._classifier.predict_one(face)
        end = time.perf_counter_ns()
        timed = self._timed[-1]
        return cropped - start, timed.began - cropped, timed.ended - timed.began, end - timed.ended


def measure(
    subjects: Sequence[Subject], runs: int, seed: int, step: Callable[[int], object] = lambda done: None
) -> list[dict[str, float]]:
    """Median milliseconds of each of PARTS, by subject, which take turns in blocks of ten.

    crop: a square of 180 px cut from a gray frame and shrunk to the model's input. input: into the
    interpreter's tensor. inference: `invoke`. output: dequantised, as probabilities.
    """
    taken: list[list[tuple[int, int, int, int]]] = [[] for _ in subjects]
    order = np.random.default_rng(seed)
    for first in range(0, runs, _BLOCK):
        for index in order.permutation(len(subjects)):
            for _ in range(_SETTLE):
                subjects[index].once()
            taken[index] += [subjects[index].once() for _ in range(min(_BLOCK, runs - first))]
            step(1)
    medians = [np.median(np.array(rows, np.float64), axis=0) / 1e6 for rows in taken]
    return [dict(zip(PARTS, map(float, row), strict=True)) for row in medians]
