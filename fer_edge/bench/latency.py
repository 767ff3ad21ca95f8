"""Latency of all rows, measured in several fresh processes.

Each process loads every row anew and times them in turn. What differs from process to process (where
memory lies, which core it runs on, what the machine does in those seconds) is then within what is measured,
and `intervals.of_median` can tell how far a second benchmark would lie from this one.
"""

from __future__ import annotations

import itertools
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fer_edge.bench import apart, timing
from fer_edge.bench.watch import Watch

if TYPE_CHECKING:
    from fer_edge.model.classifier import Classifier

PROCESSES = 10
"""Which share the runs; fewer where there are fewer runs than that."""
FACES = 16
"""Drawn faces that the latency is measured on, in turn."""
_TIMEOUT_S = 3600


@dataclass(frozen=True)
class Row:
    """A model that `classifier.check` has passed, with a number of threads. card: for one without its own."""

    path: Path
    threads: int
    card: Path | None


def shares(runs: int) -> list[int]:
    """How many of the runs (from 1) each process takes, as alike as they can be."""
    count = min(PROCESSES, runs)
    return [runs // count + (index < runs % count) for index in range(count)]


class Latencies:
    """Timings of `count` subjects, process by process.

    start(runs, order): starts a process that times each subject so many times, in turns drawn by `order`,
    and gives what `measured` gave there. timings: for each subject, what each process has measured so far.
    watch: over the processes' time.
    """

    def __init__(self, count: int, start: Callable[[int, int], dict[str, Any]], seed: int = 0) -> None:
        self._start, self._seed = start, seed
        self.timings: list[list[timing.Timings]] = [[] for _ in range(count)]
        self.watch = Watch()

    def add(self, runs: Sequence[int], step: Callable[[int], object] = lambda done: None) -> None:
        """Starts a process for each entry of `runs`, one after the other; each times so many inferences.

        Every process warms up by itself, with an order of its own. step: called with 1 after each process.
        Raises what `start` raises.
        """
        for count in runs:
            with self.watch:
                answer = self._start(count, self._seed + len(self.timings[0]))
            for taken, values in zip(self.timings, answer["timings"], strict=True):
                taken.append(timing.Timings(**values))
            step(1)


def of_rows(rows: Sequence[Row], warmup: int, seed: int = 0) -> Latencies:
    """Of models in LiteRT, each by `Classifier.predict_one`. `add` raises ModelError if a process ends."""
    named = json.dumps([[str(row.path), row.threads, str(row.card or "")] for row in rows])

    def start(runs: int, order: int) -> dict[str, Any]:
        arguments = (named, str(warmup), str(runs), str(order))
        return apart.run("latency", arguments, "a timing process", timeout_s=_TIMEOUT_S)

    return Latencies(len(rows), start, seed)


def measured(subjects: Sequence[Callable[[], object]], warmup: int, runs: int, order: int) -> dict[str, Any]:
    """In a timing process: what it answers."""
    return {"timings": [vars(taken) for taken in timing.interleaved(subjects, warmup, runs, order)]}


def main() -> None:
    """The child's side: arguments ROWS (JSON) WARMUP RUNS SEED."""
    rows, (warmup, runs, seed) = json.loads(sys.argv[1]), map(int, sys.argv[2:5])
    apart.answer(lambda: _measure_here(rows, warmup, runs, seed))


def _measure_here(rows: list[tuple[str, int, str]], warmup: int, runs: int, seed: int) -> dict[str, Any]:
    from fer_edge.model.classifier import Classifier

    loaded: dict[int, Callable[[], object]] = {}
    for index in np.random.default_rng(seed).permutation(len(rows)):  # no row has the same place in memory
        path, threads, card = rows[index]
        classifier = Classifier(Path(path), threads, Path(card) if card else None, checked=True)
        loaded[int(index)] = _subject(classifier, seed)
    return measured([loaded[index] for index in range(len(rows))], warmup, runs, seed)


def _subject(classifier: Classifier, seed: int) -> Callable[[], object]:
    from fer_edge import data
    from fer_edge.vision import crop as preprocess

    drawn, _ = data.drawn_faces(FACES, seed)
    faces = itertools.cycle([preprocess.resize_face(face, classifier.input_size) for face in drawn])
    return lambda: classifier.predict_one(next(faces))
