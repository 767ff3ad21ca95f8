"""Tables of an evaluation, beside the paper's figures, and its confusion matrix as a picture."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files, paper
from fer_edge.errors import MissingExtraError
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS
from fer_edge.tables import Table, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def show_evaluation(result: dict[str, Any]) -> None:
    """Prints a metrics.json value: classes, matrix, accuracy with its interval.

    Beside FER-2013 under its own labels the paper's figures too.
    """
    cm = np.array(result["confusion_matrix"])
    n, right = result["data"]["n"], int(np.trace(cm))
    low, high = metrics.wilson_interval(right, n)
    tables = [class_table(result), confusion_table(cm, list(result["per_class"]))]
    if result["data"]["protocol"] != "holdout" and tuple(result["per_class"]) == LABELS:
        tables.append(comparison_table(result))
    for table in tables:
        table.show()
        console.say("")
    console.say(
        f"accuracy {percent(result['accuracy'], 2)} % ({right} of {n}; 95 % interval {percent(low)} to "
        f"{percent(high)}), macro F1 {percent(result['macro_f1'], 2)} %"
    )
    if result["accuracy_without_duplicates"] is not None:
        unseen = percent(result["accuracy_without_duplicates"], 2)
        console.say(f"accuracy without pictures that are also in Training {unseen} %")


def class_table(result: dict[str, Any]) -> Table:
    """Precision, recall, F1 and support per class with their macro averages, from a metrics.json value."""
    title = f"{result['model']}, {result['data']['split']} ({result['data']['n']} pictures)"
    table = Table(title, ("class", "precision %", "recall %", "F1 %", "support"))
    for label, row in result["per_class"].items():
        table.add(label, *(percent(row[name]) for name in ("precision", "recall", "f1")), row["support"])
    macro = [percent(result[f"macro_{name}"]) for name in ("precision", "recall", "f1")]
    table.add("macro average", *macro, result["data"]["n"])
    return table


def comparison_table(result: dict[str, Any]) -> Table:
    """Our figures beside what the paper's Table 10 comes to and what its text states."""
    ours, theirs = np.array(result["confusion_matrix"]), paper.table_10_pictures()
    table = Table(
        "beside the paper (its test set is PublicTest)", ("%", "here", "the paper's Table 10", "its text")
    )
    stated = zip(*paper.TEST_SCORES, strict=True)
    said = [" or ".join(f"{100 * one:.0f}" for one in figures) for figures in stated]
    rows: tuple[tuple[str, Callable[[metrics.Matrix], float], str], ...] = (
        ("accuracy", metrics.accuracy, said[0]),
        ("macro precision, equation (3)", lambda cm: float(metrics.precision(cm).mean()), said[1]),
        ("macro recall, equation (4)", lambda cm: float(metrics.recall(cm).mean()), said[2]),
        (
            "one class against the rest, equation (2)",
            lambda cm: float(metrics.one_vs_rest_accuracy(cm).mean()),
            "",
        ),
    )
    for name, score, text in rows:
        table.add(name, percent(score(ours)), percent(score(theirs)), text)
    for label, *recalls in zip(LABELS, metrics.recall(ours), metrics.recall(theirs), strict=True):
        table.add(f"recall of {label}", *map(percent, recalls), "")
    return table


def confusion_table(cm: NDArray[np.integer], labels: Sequence[str]) -> Table:
    """Counts, rows true and columns predicted, with each class's recall; fits 80 columns for 7 classes."""
    table = Table("confusion matrix (rows true, columns predicted)", ("", *labels, "recall %"))
    for label, row, recall in zip(labels, cm, metrics.recall(np.asarray(cm, np.int64)), strict=True):
        table.add(label, *row, percent(recall))
    return table


def draw_evaluation(result: dict[str, Any], path: Path) -> None:
    """Draws a metrics.json value's confusion matrix as counts and as shares of each true class into `path`.

    The suffix chooses the format. Raises MissingExtraError without matplotlib, OutputError where the
    file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train", "drawing a confusion matrix") from error
    cm, labels = np.array(result["confusion_matrix"]), list(result["per_class"])
    share = cm / np.maximum(cm.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    figure.suptitle(
        f"{result['model']}, {result['data']['split']}: accuracy {percent(result['accuracy'], 2)} %"
    )
    left, right = figure.subplots(1, 2)
    _draw_matrix(left, share, cm, labels, "pictures")
    _draw_matrix(right, share, (100 * share).round().astype(int), labels, "% of the true class")
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=120)


def _draw_matrix(
    axes: Axes, share: NDArray[np.floating], figures: NDArray[np.integer], labels: Sequence[str], title: str
) -> None:
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    for (i, j), figure in np.ndenumerate(figures):
        colour = "white" if share[i, j] > 0.55 else "black"
        axes.text(j, i, str(figure), ha="center", va="center", color=colour)
