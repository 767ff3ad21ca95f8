"""One benchmark from its models to the value of `bench --json`."""

from __future__ import annotations

import collections
import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, machine
from fer_edge.bench import latency, report
from fer_edge.errors import ModelError, UsageError
from fer_edge.evaluation import Predictor, Selection, metrics, probabilities_of
from fer_edge.model import file
from fer_edge.model.classifier import Classifier, check
from fer_edge.spec import Format, split_name

SCHEMA = 1

Progress = Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], object]]]
"""What is done and in how many steps, to a context whose value is called with the number of steps done."""


@dataclass(frozen=True)
class Config:
    """threads: of the interpreter, a row each. runs (from 1): inferences of each row, shared by
    `latency.PROCESSES` processes, each of which warms up (`warmup`, from 0) by itself. patience_s: how long
    processes that were disturbed are repeated at most.
    """

    threads: tuple[int, ...] = (1,)
    warmup: int = 20
    runs: int = 1000
    card: Path | None = None
    seed: int = 0
    patience_s: float = latency.PATIENCE_S


Scores = dict[str, Any]
"""accuracy, macro_f1, agreement (of the named class with NAME_float32's): fractions 0..1, None where not
measured; each with its 95 % interval [low, high] as NAME_interval: Wilson's, of macro-F1 by bootstrap."""

_SCORES = ("accuracy", "macro_f1", "agreement")
UNKNOWN: Scores = {key: None for name in _SCORES for key in (name, f"{name}_interval")}


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
    cards = {path: None if file.card_in(path.read_bytes(), str(path)) else config.card for path in models}
    rows = [latency.Row(path, n, cards[path]) for path in models for n in config.threads]
    loads = []
    with progress("load time and memory", len(rows)) as step:
        for row in rows:
            loads.append(latency.loaded(row))
            step(1)
    groups = {n: [row for row in rows if row.threads == n] for n in config.threads}
    latencies = {n: latency.of_rows(own, config.warmup, config.seed) for n, own in groups.items()}
    shares = latency.shares(config.runs)
    half = -(-len(shares) // 2)
    _time(latencies, shares[:half], progress)
    classifiers = {path: Classifier(path, 1, cards[path], checked=True) for path in models}
    scores = accuracies(classifiers, selection, progress)
    # what drifts within minutes is then between the processes, too
    _time(latencies, shares[half:], progress)
    timed: dict[latency.Row, dict[str, Any]] = {}
    for n, group in groups.items():
        latencies[n].repeat(config.patience_s)
        timed.update(zip(group, latencies[n].summaries(), strict=True))
    names = _names([row.path for row in rows])
    results = [
        {
            "model": name,
            "format": split_name(row.path.stem)[1],
            "bytes": row.path.stat().st_size,
            "threads": row.threads,
            **{key: load[key] for key in ("load_ms", "first_ms")},
            **timed[row],
            **{key: load[key] for key in ("peak_rss_mib", "rss_mib")},
            **scores[row.path],
            "card_accuracy": classifiers[row.path].card.measured.get("accuracy"),
            "macs": classifiers[row.path].card.macs or None,
        }
        for name, row, load in zip(names, rows, loads, strict=True)
    ]
    return {
        "schema": SCHEMA,
        "machine": {**described, "others_share": latencies[config.threads[0]].watch.others_share()},
        "config": {
            "warmup": config.warmup,
            "runs": config.runs,
            "processes": len(shares),
            "data": _described(selection),
        },
        "reference": {str(n): own.described() for n, own in latencies.items()},
        "advice": report.advice(results),
        "results": results,
    }


def _time(latencies: Mapping[int, latency.Latencies], shares: Sequence[int], progress: Progress) -> None:
    with progress("latency", len(shares) * len(latencies)) as step:
        for runs in shares:
            for own in latencies.values():
                own.add(runs)
                step(1)


def accuracies(
    classifiers: Mapping[Path, Classifier], selection: Selection | None, progress: Progress
) -> dict[Path, Scores]:
    """Scores of each file on the selection, in the same code that was timed.

    The float32 file of a family is taken from among them, else from beside the file; where there is
    none, agreement is None. A model of other expressions gets no scores, and a warning says why.
    """
    if selection is None:
        return dict.fromkeys(classifiers, UNKNOWN)
    part = selection.dataset
    references = {path: _float32(path, classifiers) for path in classifiers}
    needed = {
        **classifiers,
        **{path: Classifier(path) for path in references.values() if path and path not in classifiers},
    }
    probabilities: dict[Path, NDArray[np.float32]] = {}
    reasons: dict[tuple[str, ...], str] = {}
    with progress("accuracy", len(needed) * len(part)) as step:
        for path, classifier in needed.items():
            model = Predictor(path.stem, classifier.labels, classifier.input_size, classifier.predict)
            try:
                probabilities[path] = probabilities_of(model, part.images, labels=part.label_names, step=step)
            except ModelError as error:
                reasons.setdefault(classifier.labels, str(error))
    for reason in reasons.values():  # one for a family, not one a file
        console.warn(reason)
    scores = dict.fromkeys(classifiers, UNKNOWN)
    for path in classifiers:
        if path in probabilities:
            reference = probabilities.get(references[path] or path.parent)
            scores[path] = _scores(part.labels, probabilities[path], reference)
    return scores


def _scores(
    labels: NDArray[np.int64], p: NDArray[np.float32], reference: NDArray[np.float32] | None
) -> Scores:
    cm = metrics.confusion_matrix(labels, p.argmax(axis=1), p.shape[1])
    n = len(labels)
    agreement = None if reference is None else metrics.agreement(p, reference)
    alike = None if agreement is None else list(metrics.wilson_interval(round(agreement * n), n))
    return {
        "accuracy": metrics.accuracy(cm),
        "accuracy_interval": list(metrics.wilson_interval(int(cm.trace()), n)),
        "macro_f1": float(metrics.f1(cm).mean()),
        "macro_f1_interval": list(metrics.macro_f1_interval(cm)),
        "agreement": agreement,
        "agreement_interval": alike,
    }


def _float32(path: Path, benched: Mapping[Path, Classifier]) -> Path | None:
    """The file that `path` is compared with."""
    family, known = split_name(path.stem)
    if known is None:
        return None
    beside = path.with_name(f"{family}_{Format.FLOAT32}.tflite")
    if beside in benched or beside.is_file():
        return beside
    return next((other for other in benched if other.name == beside.name), None)


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
