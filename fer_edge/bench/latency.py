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
    from fer_edge.classifier import Classifier

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
    """Timings of some rows, process by process.

    timings: for each row, what each process has measured so far. watch: over the processes' time.
    """

    def __init__(self, rows: Sequence[Row], warmup: int, seed: int = 0) -> None:
        self._rows, self._warmup, self._seed = rows, warmup, seed
        self.timings: list[list[timing.Timings]] = [[] for _ in rows]
        self.watch = Watch()

    def add(self, runs: Sequence[int], step: Callable[[int], object] = lambda done: None) -> None:
        """Starts a process for each entry of `runs`, one after the other; each times so many inferences.

        Every process warms up by itself, with an order of its own. step: called with 1 after each process.
        Raises ModelError if a process ends.
        """
        for count in runs:
            order = self._seed + len(self.timings[0])
            rows = [[str(row.path), row.threads, str(row.card or "")] for row in self._rows]
            arguments = (json.dumps(rows), str(self._warmup), str(count), str(order))
            with self.watch:
                answer = apart.run("latency", arguments, "a timing process", timeout_s=_TIMEOUT_S)
            for taken, values in zip(self.timings, answer["timings"], strict=True):
                taken.append(timing.Timings(**values))
            step(1)


def main() -> None:
    """The child's side: arguments ROWS (JSON) WARMUP RUNS SEED."""
    rows, (warmup, runs, seed) = json.loads(sys.argv[1]), map(int, sys.argv[2:5])
    apart.answer(lambda: _measure_here(rows, warmup, runs, seed))


def _measure_here(rows: list[tuple[str, int, str]], warmup: int, runs: int, seed: int) -> dict[str, Any]:
    from fer_edge.classifier import Classifier

    loaded: dict[int, Callable[[], object]] = {}
    for index in np.random.default_rng(seed).permutation(len(rows)):  # no row has the same place in memory
        path, threads, card = rows[index]
        classifier = Classifier(Path(path), threads, Path(card) if card else None, checked=True)
        loaded[int(index)] = _subject(classifier, seed)
    subjects = [loaded[index] for index in range(len(rows))]
    taken = timing.interleaved(subjects, warmup, runs, seed)
    return {"timings": [vars(one) for one in taken]}


def _subject(classifier: Classifier, seed: int) -> Callable[[], object]:
    from fer_edge import data, preprocess

    drawn, _ = data.drawn_faces(FACES, seed)
    faces = itertools.cycle([preprocess.resize_face(face, classifier.input_size) for face in drawn])
    return lambda: classifier.predict_one(next(faces))
