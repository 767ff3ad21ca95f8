"""One benchmark from its models to the value of `bench --json`."""

from __future__ import annotations

import collections
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, machine, tables
from fer_edge.bench import latency, report
from fer_edge.errors import ModelError, UsageError
from fer_edge.evaluation import Predictor, Selection, metrics, probabilities_of
from fer_edge.model import file
from fer_edge.model.classifier import Classifier, check
from fer_edge.spec import Format, split_name

SCORES = ("accuracy", "macro_f1", "agreement")


def parse_threads(text: str) -> tuple[int, ...]:
    """`1,2` as (1, 2), each once. Raises UsageError for anything but positive whole numbers."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"--threads {text!r}: whole numbers from 1 are needed, such as 1,2")
    return tuple(dict.fromkeys(int(part) for part in parts))


def run(
    models: Sequence[Path],
    selection: Selection | None = None,
    *,
    threads: Sequence[int] = (1,),
    warmup: int = 20,
    runs: int = 1000,
    card: Path | None = None,
    seed: int = 0,
    patience_s: float = latency.PATIENCE_S,
) -> dict[str, Any]:
    """Benchmarks `.tflite` files; returns the value of `bench --json` (DESIGN), in plain Python types.

    Latency is that of `Classifier.predict_one`: a face of gray levels in, probabilities out. selection: faces
    to measure accuracy and agreement on; None leaves those null. threads: of the interpreter, a row each.
    runs (from 1): inferences of each row, shared by `latency.PROCESSES` processes, each of which warms up
    (`warmup`, from 0). patience_s: how long disturbed ones are repeated at most. Raises ModelError for a
    file that does not load, UsageError if there are no models.
    """
    if not models:
        raise UsageError("no model to measure: none ships with this installation, name a .tflite file")
    described = machine.describe()  # before we load the machine ourselves
    models = list(dict.fromkeys(models))
    for path in tables.each("check", models):
        check(path)
    # a card that was given is for those files that say nothing of themselves
    cards = {path: None if file.card_in(path.read_bytes(), str(path)) else card for path in models}
    rows = [latency.Row(path, n, cards[path]) for path in models for n in threads]
    loads = {row: latency.loaded(row) for row in tables.each("load time and memory", rows)}
    groups = {n: [row for row in rows if row.threads == n] for n in threads}
    latencies = {n: latency.of_rows(group, warmup, seed) for n, group in groups.items()}
    shares = latency.shares(runs)
    turns = [(own, count) for count in shares for own in latencies.values()]
    half = -(-len(turns) // 2)
    for own, count in tables.each("latency", turns[:half]):
        own.add(count)
    classifiers = {path: Classifier(path, 1, cards[path], checked=True) for path in models}
    scores = accuracies(classifiers, selection)
    # what drifts within minutes is then between the processes, too
    for own, count in tables.each("latency", turns[half:]):
        own.add(count)
    timed: dict[latency.Row, dict[str, Any]] = {}
    for n, group in tables.each("what was disturbed, again", list(groups.items())):
        latencies[n].repeat(patience_s)
        timed.update(zip(group, latencies[n].summaries(), strict=True))
    stems = collections.Counter(path.stem for path in models)
    results = [
        {
            "model": row.path.stem if stems[row.path.stem] == 1 else str(row.path),
            "format": split_name(row.path.stem)[1],
            "bytes": row.path.stat().st_size,
            "threads": row.threads,
            **loads[row],
            **timed[row],
            **scores[row.path],
            "card_accuracy": classifiers[row.path].card.measured.get("accuracy"),
            "macs": classifiers[row.path].card.macs or None,
        }
        for row in rows
    ]
    data = None
    if selection is not None:
        whole = selection.dataset
        data = {"path": whole.path, "sha256": whole.sha256, "protocol": selection.protocol, "n": len(whole)}
        data |= {"split": selection.split, "sample_seed": selection.sample_seed}
    return {
        "schema": 1,
        "machine": {**described, "others_share": latencies[threads[0]].watch.others_share()},
        "config": {"warmup": warmup, "runs": runs, "processes": len(shares), "data": data},
        "reference": {str(n): own.described() for n, own in latencies.items()},
        "advice": report.advice(results),
        "results": results,
    }


def accuracies(
    classifiers: Mapping[Path, Classifier], selection: Selection | None
) -> dict[Path, dict[str, Any]]:
    """Of each file, SCORES as fractions 0..1, each with its 95 % interval [low, high] as NAME_interval.

    agreement: of the named class with the float32 file's of the same network, among them or beside the file.
    None is what was not measured: of a model of other expressions all, and a warning says why.
    """
    unknown = {key: None for name in SCORES for key in (name, f"{name}_interval")}
    if selection is None:
        return dict.fromkeys(classifiers, unknown)
    part = selection.dataset
    floats = {path: _float32(path, classifiers) for path in classifiers}
    absent = {path for path in floats.values() if path and path not in classifiers}
    needed = {**classifiers, **{path: Classifier(path) for path in absent}}
    said: dict[Path | None, NDArray[np.float32]] = {}
    reasons: dict[tuple[str, ...], str] = {}
    with tables.progress("accuracy", len(needed) * len(part)) as step:
        for path, one in needed.items():
            model = Predictor(path.stem, one.labels, one.input_size, one.predict)
            try:
                said[path] = probabilities_of(model, part.images, labels=part.label_names, step=step)
            except ModelError as error:
                reasons.setdefault(one.labels, str(error))  # one for a network, not one a file
    for reason in reasons.values():
        console.warn(reason)
    return {
        path: _scores(part.labels, said[path], said.get(floats[path])) if path in said else unknown
        for path in classifiers
    }


def _scores(
    labels: NDArray[np.int64], p: NDArray[np.float32], reference: NDArray[np.float32] | None
) -> dict[str, Any]:
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
    network, known = split_name(path.stem)
    beside = path.with_name(f"{network}_{Format.FLOAT32}.tflite")
    if known is None or beside in benched or beside.is_file():
        return beside if known else None
    return next((other for other in benched if other.name == beside.name), None)
