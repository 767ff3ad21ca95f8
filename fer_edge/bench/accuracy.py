"""Accuracy, macro-F1 and agreement with float32 of the models that are benchmarked."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.errors import ModelError
from fer_edge.evaluation import metrics
from fer_edge.evaluation.predictors import Predictor
from fer_edge.evaluation.scores import Selection, probabilities_of
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format

Progress = Callable[[str, int], contextlib.AbstractContextManager[Callable[[int], object]]]
"""What is done and in how many steps, to a context whose value is called with the number of steps done."""


class Scores(TypedDict):
    """Fractions 0..1; None where not measured. agreement: of the named class with NAME_float32's.

    Intervals are [low, high] at 95 %: Wilson's, of macro-F1 by bootstrap.
    """

    accuracy: float | None
    accuracy_interval: list[float] | None
    macro_f1: float | None
    macro_f1_interval: list[float] | None
    agreement: float | None
    agreement_interval: list[float] | None


UNKNOWN = Scores(
    accuracy=None,
    accuracy_interval=None,
    macro_f1=None,
    macro_f1_interval=None,
    agreement=None,
    agreement_interval=None,
)


def measure(
    classifiers: Mapping[Path, Classifier], selection: Selection | None, progress: Progress
) -> dict[Path, Scores]:
    """Scores of each file on the selection, through the classifiers that were timed.

    The float32 file of a family is taken from among them, else from beside the file; where there is
    none, agreement is None. A model of other expressions gets no scores, and a warning says why.
    """
    if selection is None:
        return dict.fromkeys(classifiers, UNKNOWN)
    part = selection.dataset
    references = {path: _reference(path, classifiers) for path in classifiers}
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
    n, right = len(labels), int(cm.trace())
    agreement = None if reference is None else metrics.agreement(p, reference)
    return Scores(
        accuracy=metrics.accuracy(cm),
        accuracy_interval=list(metrics.wilson_interval(right, n)),
        macro_f1=float(metrics.f1(cm).mean()),
        macro_f1_interval=list(metrics.macro_f1_interval(cm)),
        agreement=agreement,
        agreement_interval=None
        if agreement is None
        else list(metrics.wilson_interval(round(agreement * n), n)),
    )


def split_name(stem: str) -> tuple[str, str | None]:
    """`tuned_int8` as its family and format: ("tuned", "int8"); a name without one of ours has None."""
    for known in Format:
        if stem.endswith(f"_{known}"):
            return stem.removesuffix(f"_{known}"), str(known)
    return stem, None


def _reference(path: Path, benched: Mapping[Path, Classifier]) -> Path | None:
    family, known = split_name(path.stem)
    if known is None:
        return None
    wanted = f"{family}_{Format.FLOAT32}.tflite"
    beside = path.with_name(wanted)
    if beside in benched or beside.is_file():
        return beside
    return next((other for other in benched if other.name == wanted), None)
