"""Latency of models side by side, and whether the machine was quiet while it was measured.

Fresh processes load every model anew and time them in turn: what differs from process to process (where
memory lies, which core it runs on, what the machine does in those seconds) is then within what is measured.
Beside the models each process times a fixed piece of work, the reference. The shortest that the reference
ever took is what the machine can do; a process in which it took longer was disturbed, and is repeated.
"""

from __future__ import annotations

import gc
import itertools
import json
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import child, machine
from fer_edge.bench import watch

PROCESSES = 10
"""Which share the runs; fewer where there are fewer runs than that."""
BLOCK = 25
"""Timed inferences of one model in a row, before the next model's turn."""
SETTLE = 5
"""Untimed ones before each block, which bring the model's weights back into the caches."""
REFERENCE_SIDE = 256
"""Rows and columns of the reference's matrices: 17 M multiply-accumulates, as many as a small network's."""
REFERENCE_BLOCK = 5
REFERENCE_LIMIT = 1.05
"""A process whose reference takes longer than this many times the best was disturbed."""
MOST_REPEATS = 3
"""Processes that are started besides, for each that is wanted, until so many were quiet."""
PATIENCE_S = 20.0
FACES = 16
"""Drawn faces that the latency is measured on, in turn."""

_TIMEOUT_S = 3600
_SETTLED_AFTER = 20  # inferences, after which the interpreter holds all that it will
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


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
    """Timings of the same subjects, process by process.

    start(runs, order): starts a process that times each subject so many times, in turns drawn by `order`,
    and gives what `timed` gave there. processes: what they gave, with `busy`: others were seen at work
    meanwhile, or it waited for a core. watch: over the processes' time.
    """

    def __init__(self, start: Callable[[int, int], dict[str, Any]], seed: int = 0) -> None:
        self._start, self._seed = start, seed
        self._runs: list[int] = []
        self.processes: list[dict[str, Any]] = []
        self.watch = watch.Watch()

    def add(self, runs: int, again: bool = False) -> None:
        """Starts one more process, with an order of its own. again: in the place of one that was disturbed.

        Raises what `start` raises.
        """
        self._runs += [] if again else [runs]
        own = watch.Watch()
        with self.watch, own:
            answer = self._start(runs, self._seed + len(self.processes))
        self.processes.append({**answer, "busy": answer["waited"] or own.others_at_work()})

    def repeat(self, patience_s: float = PATIENCE_S) -> None:
        """Starts more processes until as many were quiet as were added, or the patience is at its end."""
        until = time.monotonic() + patience_s
        for count in MOST_REPEATS * self._runs:
            if len(self.quiet()) >= len(self._runs) or time.monotonic() >= until:
                return
            self.add(count, again=True)

    @property
    def reference_ms(self) -> float:
        """The shortest median of a block of references: what the machine can do when it is left alone."""
        return float(min(min(one["reference_ms"]) for one in self.processes))

    def quiet(self) -> list[dict[str, Any]]:
        """The processes in which nothing disturbed, as far as can be told."""
        limit = REFERENCE_LIMIT * self.reference_ms
        return [one for one in self.processes if not one["busy"] and _own_reference_ms(one) <= limit]

    def summaries(self) -> list[dict[str, Any]]:
        """Of each subject: see `summary`, with `disturbed`.

        Of the quiet processes; where fewer than half as many were quiet as were added, of the least
        disturbed, and `disturbed` is true.
        """
        quiet = self.quiet()
        disturbed = 2 * len(quiet) < len(self._runs)
        if disturbed:
            quiet = sorted(self.processes, key=_own_reference_ms)[: len(self._runs)]
        times, cpu_ms = ([one[name] for one in quiet] for name in ("wall_ms", "cpu_ms"))
        subjects = zip(zip(*times, strict=True), zip(*cpu_ms, strict=True), strict=True)
        return [{**summary(*own), "disturbed": disturbed} for own in subjects]

    def described(self) -> dict[str, Any]:
        """What is told of the processes in `bench --json`, times in ms."""
        each = [_own_reference_ms(one) for one in self.processes]
        counts = {"processes": len(self.processes), "quiet": len(self.quiet())}
        return {"best_ms": self.reference_ms, "process_ms": each, **counts}


def _own_reference_ms(process: dict[str, Any]) -> float:
    return float(statistics.median(process["reference_ms"]))


def of_rows(rows: Sequence[Row], warmup: int, seed: int = 0) -> Latencies:
    """Of models in LiteRT, each by `Classifier.predict_one`. `add` raises ModelError if a process ends.

    The rows should have the same number of threads: LiteRT's workers wait awake for some time, and slow down
    whoever comes next.
    """
    named = json.dumps([[str(row.path), row.threads, str(row.card or "")] for row in rows])
    given: dict[str, Any] = {"timeout_s": _TIMEOUT_S, "environment": _ONE_THREAD}

    def start(runs: int, order: int) -> dict[str, Any]:
        return dict(child.run(time_here, named, warmup, runs, order, what="a timing process", **given))

    return Latencies(start, seed)


def summary(processes: Sequence[Sequence[float]], cpu_ms: Sequence[float]) -> dict[str, Any]:
    """`latency_ms`, `process_p50_ms` (of each process), `cpu_ms` (mean, all threads), `fps` (1000 / p50).

    processes: milliseconds of each inference, process by process. `p50_low`, `p50_high`: the lowest and the
    highest median of a process.
    """
    wall = np.concatenate([np.array(values) for values in processes])
    medians = [float(np.median(values)) for values in processes]
    p50, p90, p99 = (float(value) for value in np.percentile(wall, (50, 90, 99)))
    ends = {"min": float(wall.min()), "p50": p50, "p50_low": min(medians), "p50_high": max(medians)}
    return {
        "latency_ms": {**ends, "p90": p90, "p99": p99, "mean": float(wall.mean())},
        "process_p50_ms": medians,
        "cpu_ms": float(np.mean(cpu_ms)),
        "fps": 1000 / p50,
    }


def timed(subjects: Sequence[Callable[[], object]], warmup: int, runs: int, order: int) -> dict[str, Any]:
    """In a timing process: each subject `runs` times after `warmup` untimed calls, in blocks that take turns.

    The order of the turns is drawn anew in each round; behind every block the reference has its own. Gives,
    in ms, `wall_ms` of each inference and mean `cpu_ms` by subject, the median `reference_ms` of each of its
    blocks, and whether the thread `waited` for a core.
    """
    wall_ms: list[list[float]] = [[] for _ in subjects]
    cpu_ms, reference_ms = [0.0 for _ in subjects], []
    a, b = np.random.default_rng(0).random((2, REFERENCE_SIDE, REFERENCE_SIDE), np.float32)
    out, random = np.empty_like(a), np.random.default_rng(order)
    for subject in subjects:
        for _ in range(warmup):
            subject()
    gc.disable()
    try:
        with watch.Watch() as meanwhile:
            for first in range(0, runs, BLOCK):
                for index in random.permutation(len(subjects)):
                    count = min(BLOCK, runs - first)
                    began = time.process_time()
                    wall_ms[index] += _block(subjects[index], count)
                    cpu_ms[index] += 1e3 * (time.process_time() - began) * count / (SETTLE + count)
                    block = _block(lambda: np.matmul(a, b, out=out), REFERENCE_BLOCK)
                    reference_ms.append(statistics.median(block))
    finally:
        gc.enable()
    mean = [total / runs for total in cpu_ms]
    return {"wall_ms": wall_ms, "cpu_ms": mean, "reference_ms": reference_ms, "waited": meanwhile.waited()}


def _block(subject: Callable[[], object], count: int) -> list[float]:
    """Milliseconds of each of `count` calls."""
    for _ in range(SETTLE):
        subject()
    times = []
    for _ in range(count):
        began = time.perf_counter_ns()
        subject()
        times.append((time.perf_counter_ns() - began) / 1e6)
    return times


def loaded(row: Row) -> dict[str, Any]:
    """`load_ms`, `first_ms` (floats), `peak_rss_mib`, `rss_mib` (float or None), in a process of its own.

    load_ms: from the file's path to a classifier that is ready, the interpreter library already
    imported and the file already checked. Memory is of that whole process: Python, numpy, the interpreter
    library and the model, without OpenCV. Raises ModelError if the model does not load or run.
    """
    return dict(child.run(load_here, str(row.path), row.threads, str(row.card or ""), what=str(row.path)))


def load_here(model: str, num_threads: int, card: str) -> dict[str, Any]:
    """The process of `loaded`."""
    from fer_edge.model.classifier import Classifier, find_interpreter

    find_interpreter()  # imports the library, whose own time is no model's
    clock = [time.perf_counter()]
    classifier = Classifier(Path(model), num_threads, Path(card) if card else None, checked=True)
    clock.append(time.perf_counter())
    face = np.full(classifier.input_size, 128, np.uint8)
    for _ in range(_SETTLED_AFTER):
        classifier.predict_one(face)
        clock.append(time.perf_counter())
    load, first = (1e3 * (ended - began) for began, ended in itertools.pairwise(clock[:3]))
    memory = {"peak_rss_mib": machine.peak_rss_mib(), "rss_mib": machine.rss_mib()}
    return {"load_ms": load, "first_ms": first, **memory}


def time_here(named: str, warmup: int, runs: int, seed: int) -> dict[str, Any]:
    """A timing process. named: JSON of [path, threads, card] for each row."""
    from fer_edge import data
    from fer_edge.model.classifier import Classifier
    from fer_edge.vision.crop import resize_face

    rows, drawn = json.loads(named), data.drawn_faces(FACES, seed)[0]
    ready: dict[int, Callable[[], object]] = {}
    for index in np.random.default_rng(seed).permutation(len(rows)):  # no row has the same place in memory
        path, threads, card = rows[index]
        classifier = Classifier(Path(path), threads, Path(card) if card else None, checked=True)
        faces = itertools.cycle([resize_face(face, classifier.input_size) for face in drawn])
        ready[int(index)] = lambda one=classifier, faces=faces: one.predict_one(next(faces))  # type: ignore[misc]
    return timed([ready[index] for index in range(len(rows))], warmup, runs, seed)
