"""One benchmark from its models to the value of `bench --json`."""

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import child, console, machine
from fer_edge.bench import latency, report
from fer_edge.errors import ModelError, UsageError
from fer_edge.evaluation import Predictor, Selection, metrics, probabilities_of, result_of
from fer_edge.model import file
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format, split_name

UNKNOWN = dict.fromkeys(("accuracy", "accuracy_interval", "macro_f1", "agreement"))


def parse_threads(text: str) -> tuple[int, ...]:
    """`1,2` as (1, 2), without duplicates. Raises UsageError for anything but positive whole numbers."""
    numbers = [number.strip() for number in text.split(",")]
    if not all(number.isdecimal() and int(number) > 0 for number in numbers):
        raise UsageError(f"--threads {text!r}: give whole numbers from 1, such as 1,2")
    return tuple(dict.fromkeys(map(int, numbers)))


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
    to measure accuracy and agreement on; None leaves those null. threads: of the interpreter, one row each.
    runs (from 1): inferences per row, shared by `latency.PROCESSES` processes, each of which warms up
    (`warmup`, from 0). patience_s: longest time to repeat disturbed ones. Raises ModelError for a
    file that does not load, UsageError if there are no models.
    """
    if not models:
        raise UsageError("no model to measure: this installation includes none, give a .tflite file")
    described = machine.describe()  # before we load the machine ourselves
    models = list(dict.fromkeys(models))
    short = len({path.stem for path in models}) == len(models)
    classifiers: dict[Path, Classifier] = {}
    results: dict[latency.Row, dict[str, Any]] = {}
    for path in console.each("check, load time and memory", models):
        data = file.read_bytes(path)
        file.check(data, str(path))
        needed = None if len(models) > 1 and file.card_in(data, str(path)) else card  # for those without
        name = path.stem if short else str(path.with_suffix(""))
        own = {"model": name, "format": split_name(path.stem)[1], "bytes": len(data)}
        for n in threads:
            row = latency.Row(str(path), n, str(needed or ""))
            results[row] = {**own, "threads": n, **child.run(latency.load_here, *row, what=row.path)}
        classifiers[path] = Classifier(path, 1, needed, checked=True)
    scores = accuracies(classifiers, selection) if selection else dict.fromkeys(models, UNKNOWN)
    told = {}
    for n in threads:
        group = [row for row in results if row.threads == n]
        found, told[str(n)] = latency.of_rows(group, warmup, runs, seed=seed, patience_s=patience_s)
        for row, times in zip(group, found, strict=True):
            path = Path(row.path)
            results[row] |= times | scores[path]
            results[row]["card_accuracy"] = classifiers[path].card.measured.get("accuracy")
    config = {"warmup": warmup, "runs": runs, "processes": min(runs, latency.PROCESSES)}
    return {
        "schema": 1,
        "machine": described,
        "config": {**config, "data": selection and selection.about()},
        "reference": told,
        "advice": report.advice(list(results.values())),
        "results": list(results.values()),
    }


def accuracies(classifiers: dict[Path, Classifier], selection: Selection) -> dict[Path, dict[str, Any]]:
    """Of each file, the keys of UNKNOWN: fractions 0..1, with 95 % intervals [low, high].

    agreement: of the predicted class with that of the same network's float32 file, which is beside it.
    None if there is none; for a model of other expressions all are, and a warning says why.
    """
    part = selection.dataset
    refused: set[tuple[str, ...]] = set()

    @functools.cache
    def answers(path: Path) -> NDArray[np.float32] | None:
        try:
            classifier = classifiers.get(path) or Classifier(path)
        except ModelError as error:  # a float32 file beside, without a card
            console.warn(str(error))
            return None
        try:
            subject, what = Predictor.of(classifier), f"accuracy of {path.stem}"
            return probabilities_of(subject, part.images, part.label_names, what=what)
        except ModelError as error:
            if classifier.labels not in refused:  # once, not for each file of a network
                console.warn(str(error))
            refused.add(classifier.labels)
            return None

    found = dict.fromkeys(classifiers, UNKNOWN)
    for path in classifiers:
        if (p := answers(path)) is None:
            continue
        network, known = split_name(path.stem)
        beside = path.with_name(f"{network}_{Format.FLOAT32}.tflite")
        reference = answers(beside) if known and beside.is_file() else None
        result = result_of(p, selection, path.stem)
        right = int(np.trace(result["confusion_matrix"]))
        found[path] = {
            "accuracy": result["accuracy"],
            "accuracy_interval": list(metrics.wilson_interval(right, len(part))),
            "macro_f1": result["macro_f1"],
            "agreement": None if reference is None else metrics.agreement(p, reference),
        }
    return found
