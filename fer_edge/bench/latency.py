"""Latency of models side by side, and whether the machine was quiet while it was measured.

Fresh processes load every model again and time them in turn, so that the measurement includes what differs
between processes (memory layout, core, what the machine does meanwhile). Each process also times a fixed
piece of work, the reference. Its shortest time shows what the machine can do; a process in which it took
longer was disturbed, and is repeated.
"""

import functools
import gc
import itertools
import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fer_edge import child, console, machine

PROCESSES = 10  # which share the runs; fewer if there are fewer runs
BLOCK = 25  # timed inferences of one model in a row, before the next model's turn
SETTLE = 5  # untimed ones before them, which bring the model's weights back into the caches
REFERENCE_SIDE = 256  # of the reference's matrices: 17 M multiply-accumulates, as many as a small network's
REFERENCE_BLOCK = 5  # products in a row
REFERENCE_LIMIT = 1.05  # a process whose reference takes longer than this many times the best was disturbed
MOST_REPEATS = 3  # additional processes per wanted one, at most, until enough were quiet
PATIENCE_S = 20.0
FACES = 16  # drawn ones, in turn
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)
Start = Callable[[int, int], dict[str, Any]]
Measured = tuple[list[dict[str, Any]], dict[str, Any]]


class Row(NamedTuple):
    """A file that `file.check` has passed, with a number of threads; card: path, empty if one is inside."""

    path: str
    threads: int
    card: str = ""


def of_rows(rows: Sequence[Row], warmup: int, runs: int, **how: Any) -> Measured:
    """`measured`, which gets `how`, for models in LiteRT, each with `Classifier.predict_one`.

    rows: with the same number of threads, since LiteRT's workers spin for a while and slow down the next
    model. Raises ModelError if a process ends.
    """
    settings: dict[str, Any] = {"what": "a timing process", "timeout_s": 3600, "environment": _ONE_THREAD}
    start = functools.partial(child.run, time_here, json.dumps(rows), warmup, **settings)
    return measured(start, runs, **how)


def measured(
    start: Start, runs: int, *, processes: int = PROCESSES, seed: int = 0, patience_s: float = PATIENCE_S
) -> Measured:
    """Times the same subjects in fresh processes: the `summary` of each, and of the processes `best_ms`, the
    shortest median of a block of references, `process_ms`, each one's, and how many they and the quiet were.

    start(runs, order): starts a process that times each subject this often, in turns drawn with `order`, and
    returns the result of `timed` there. runs: per subject, shared by the processes. seed: of the orders.
    Disturbed processes are repeated for at most `patience_s`, until enough were quiet. If fewer than half
    were, the summaries are of the least disturbed, and `disturbed` is true.
    """
    count = min(processes, runs)
    shares = [runs // count + (index < runs % count) for index in range(count)]
    done: list[dict[str, Any]] = []
    quiet: list[dict[str, Any]] = []
    best_ms = until = math.inf
    repeated = MOST_REPEATS * shares
    for share in itertools.chain(
        console.each("latency", shares), console.each("repeating disturbed runs", repeated)
    ):  # nothing else holds the bars, so an error closes them
        if len(done) == count:
            until = time.monotonic() + patience_s
        if len(quiet) >= count or time.monotonic() >= until:
            break
        with machine.Watch() as meanwhile:
            answer = start(share, seed + len(done))
        own_ms = statistics.median(answer["reference_ms"])
        done.append({**answer, "busy": meanwhile.disturbed, "own_ms": own_ms})
        best_ms = min(best_ms, *answer["reference_ms"])
        quiet = [one for one in done if not one["busy"] and one["own_ms"] <= REFERENCE_LIMIT * best_ms]
    told = {"best_ms": best_ms, "process_ms": [one["own_ms"] for one in done]}
    told |= {"processes": len(done), "quiet": len(quiet)}
    disturbed = 2 * len(quiet) < count
    kept = sorted(done, key=lambda one: one["own_ms"])[:count] if disturbed else quiet
    times, cpu_ms = (zip(*(one[name] for one in kept), strict=True) for name in ("wall_ms", "cpu_ms"))
    return [{**summary(*own), "disturbed": disturbed} for own in zip(times, cpu_ms, strict=True)], told


def summary(processes: Sequence[Sequence[float]], cpu_ms: Sequence[float]) -> dict[str, Any]:
    """`latency_ms`, `cpu_ms` (mean, all threads), `fps` (1000 / p50).

    processes: milliseconds of each inference, process by process. `p50_low`, `p50_high`: the lowest and the
    highest median of a process.
    """
    wall = np.concatenate([np.array(values) for values in processes])
    medians = [float(np.median(values)) for values in processes]
    p50, p90, p99 = (float(value) for value in np.percentile(wall, (50, 90, 99)))
    ends = {"min": float(wall.min()), "p50": p50, "p50_low": min(medians), "p50_high": max(medians)}
    latency_ms = {**ends, "p90": p90, "p99": p99, "mean": float(wall.mean())}
    return {"latency_ms": latency_ms, "cpu_ms": statistics.fmean(cpu_ms), "fps": 1000 / p50}


def time_here(named: str, warmup: int, runs: int, seed: int) -> dict[str, Any]:
    """The timing process. named: JSON of the rows."""
    from fer_edge import data
    from fer_edge.model.classifier import Classifier
    from fer_edge.vision.crop import resize_face

    rows, drawn = json.loads(named), data.drawn_faces(FACES, seed)[0]

    def loaded(path: str, threads: int, card: str) -> Callable[[], object]:
        classifier = Classifier(Path(path), threads, Path(card) if card else None, checked=True)
        faces = itertools.cycle([resize_face(face, classifier.input_size) for face in drawn])
        return lambda: classifier.predict_one(next(faces))

    ready: dict[int, Callable[[], object]] = {}
    for index in np.random.default_rng(seed).permutation(len(rows)):  # no row has the same place in memory
        ready[int(index)] = loaded(*rows[index])
    return timed([ready[index] for index in range(len(rows))], warmup, runs, seed)


def timed(subjects: Sequence[Callable[[], object]], warmup: int, runs: int, order: int) -> dict[str, Any]:
    """Times the subjects in turn: `warmup` untimed calls of each, then `runs` of each in blocks of BLOCK, the
    subjects in a new order, drawn with `order`, in each round; after each block, the reference.

    Returns, in ms: of each subject `wall_ms` of each call and mean `cpu_ms`; of each block `reference_ms`.
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
        for first in range(0, runs, BLOCK):
            for index in random.permutation(len(subjects)):
                count = min(BLOCK, runs - first)
                began = time.process_time()
                wall_ms[index] += _block(subjects[index], count)
                cpu_ms[index] += 1e3 * (time.process_time() - began) * count / (SETTLE + count) / runs
                block = _block(lambda: np.matmul(a, b, out=out), REFERENCE_BLOCK)
                reference_ms.append(statistics.median(block))
    finally:
        gc.enable()
    return {"wall_ms": wall_ms, "cpu_ms": cpu_ms, "reference_ms": reference_ms}


def _block(subject: Callable[[], object], count: int, settle: int = SETTLE) -> list[float]:
    """Milliseconds of each of `count` calls, after `settle` untimed ones."""
    for _ in range(settle):
        subject()
    times = []
    for _ in range(count):
        began = time.perf_counter_ns()
        subject()
        times.append((time.perf_counter_ns() - began) / 1e6)
    return times


def load_here(model: str, num_threads: int, card: str) -> dict[str, Any]:
    """The loading process, which gets a Row: `load_ms`, `first_ms` (floats), `peak_rss_mib` (float or None).

    load_ms: from the file's path to a ready classifier, with the interpreter library imported and the file
    checked before. Memory is of the whole process: Python, numpy, that library and the model, no OpenCV.
    """
    from fer_edge.model.classifier import Classifier, find_interpreter

    find_interpreter()  # imports the library, which is not part of a model's time
    began = time.perf_counter()
    classifier = Classifier(Path(model), num_threads, Path(card) if card else None, checked=True)
    load_ms = 1e3 * (time.perf_counter() - began)
    face = np.full(classifier.input_size, 128, np.uint8)
    # After 20 inferences the interpreter's memory no longer grows.
    first_ms, *_ = _block(lambda: classifier.predict_one(face), 20, settle=0)
    return {"load_ms": load_ms, "first_ms": first_ms, "peak_rss_mib": machine.peak_rss_mib()}
