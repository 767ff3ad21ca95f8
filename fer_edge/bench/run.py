"""One benchmark from its models to the value of `bench --json`."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import machine
from fer_edge.bench import accuracy, child, extras, latency, timing
from fer_edge.bench.accuracy import Progress
from fer_edge.errors import UsageError
from fer_edge.evaluation.scores import Selection
from fer_edge.model import modelfile
from fer_edge.model.classifier import Classifier, check

SCHEMA = 1


@dataclass(frozen=True)
class Config:
    """threads: of the interpreter, a row each. runs (from 1): inferences of each row, shared by
    `latency.PROCESSES` processes, each of which warms up (`warmup`, from 0) by itself.

    limits: also the core's limit, each row's floor and projections. profile: also every operator's time.
    """

    threads: tuple[int, ...] = (1,)
    warmup: int = 20
    runs: int = 500
    card: Path | None = None
    seed: int = 0
    limits: bool = False
    profile: bool = False


def parse_threads(text: str) -> tuple[int, ...]:
    """`1,2` as (1, 2), each once. Raises UsageError for anything but positive whole numbers."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--threads {text!r}: whole numbers from 1 are needed, such as 1,2")
    return tuple(dict.fromkeys(int(part) for part in parts))


@contextlib.contextmanager
def silent(_what: str, _steps: int) -> Iterator[Callable[[int], object]]:
    """Progress that nobody sees."""
    yield lambda done: None


def run(
    models: Sequence[Path], config: Config, selection: Selection | None = None, progress: Progress = silent
) -> dict[str, Any]:
    """Benchmarks `.tflite` files; returns the value of `bench --json` (DESIGN), in plain Python types.

    Latency is that of `Classifier.predict_one`: a face of gray levels in, probabilities out.
    selection: faces to measure accuracy and agreement on; None leaves those null. Raises ModelError for
    a file that does not load, UsageError if there are no models.
    """
    if not models:
        raise UsageError("no model to measure: none ships with this installation, name a .tflite file")
    described = machine.describe()  # before we load the machine ourselves
    models = list(dict.fromkeys(models))
    for path in models:
        check(path)
    # a card that was given is for those files that say nothing of themselves
    cards = {path: None if modelfile.read_card(path) else config.card for path in models}
    rows = [latency.Row(path, n, cards[path]) for path in models for n in config.threads]
    loads = []
    with progress("load time and memory", len(rows)) as step:
        for row in rows:
            loads.append(child.measure(row.path, row.threads, row.card))
            step(1)
    latencies = latency.of_rows(rows, config.warmup, config.seed)
    shares = latency.shares(config.runs)
    half = -(-len(shares) // 2)
    with progress("latency", half) as step:
        latencies.add(shares[:half], step)
    classifiers = [Classifier(row.path, row.threads, row.card, checked=True) for row in rows]
    scores = accuracy.measure(
        dict(zip((row.path for row in rows), classifiers, strict=True)), selection, progress
    )
    more = extras.measure(
        [extras.Subject(r.path, r.threads, r.card, c) for r, c in zip(rows, classifiers, strict=True)],
        extras.Wanted(config.warmup, config.runs, config.seed, config.limits, config.profile),
        progress,
    )
    # what drifts within minutes is then between the processes, too
    with progress("latency, second half", len(shares) - half) as step:
        latencies.add(shares[half:], step)
    others = latencies.watch.others_share()
    names = _names([row.path for row in rows])
    results = [
        {
            **_row(name, row.path, row.threads),
            **{key: load[key] for key in ("load_ms", "first_ms")},
            **timing.summary(timed),
            "disturbed": timing.disturbed(timed, others),
            "peak_rss_mib": load["peak_rss_mib"],
            "rss_mib": load["rss_mib"],
            **scores[row.path],
            **own,
        }
        for name, row, load, timed, own in zip(names, rows, loads, latencies.timings, more.rows, strict=True)
    ]
    return {
        "schema": SCHEMA,
        "machine": {**described, "others_share": others},
        "config": {
            "warmup": config.warmup,
            "runs": config.runs,
            "processes": len(shares),
            "data": _described(selection),
        },
        "limits": more.limits,
        "energy": more.energy,
        "results": results,
    }


def _row(name: str, path: Path, threads: int) -> dict[str, Any]:
    return {
        "model": name,
        "format": accuracy.split_name(path.stem)[1],
        "bytes": path.stat().st_size,
        "threads": threads,
    }


def _names(paths: Sequence[Path]) -> list[str]:
    """A file's stem, or its whole path where two files share one."""
    stems = collections.Counter(path.stem for path in set(paths))
    return [path.stem if stems[path.stem] == 1 else str(path) for path in paths]


def _described(selection: Selection | None) -> dict[str, Any] | None:
    if selection is None:
        return None
    return {
        "path": selection.dataset.path,
        "sha256": selection.dataset.sha256,
        "protocol": selection.protocol,
        "split": selection.split,
        "n": len(selection.dataset),
        "sample_seed": selection.sample_seed,
    }
