"""Tables and pictures of an evaluation. rich and matplotlib are imported only where they draw."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files, paper
from fer_edge.errors import MissingExtraError
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS
from fer_edge.tables import new_table, percent, show

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.table import Table


def show_evaluation(result: dict[str, Any]) -> None:
    """Prints a metrics.json value: accuracy with its interval, classes, matrix.

    Beside FER-2013 under its own labels the paper's figures too.
    """
    cm = np.array(result["confusion_matrix"])
    n, right = result["data"]["n"], int(np.trace(cm))
    low, high = metrics.wilson_interval(right, n)
    show(class_table(result))
    console.say("")
    show(confusion_table(cm, list(result["per_class"])))
    console.say("")
    if result["data"]["protocol"] != "holdout" and tuple(result["per_class"]) == LABELS:
        show(comparison_table(result))
        console.say("")
    console.say(
        f"accuracy {percent(result['accuracy'], 2)} % ({right} of {n}; 95 % interval {percent(low)} to "
        f"{percent(high)}), macro F1 {percent(result['macro_f1'], 2)} %"
    )
    if result["accuracy_without_duplicates"] is not None:
        unseen = percent(result["accuracy_without_duplicates"], 2)
        console.say(f"accuracy without pictures that are also in Training {unseen} %")


def draw_evaluation(result: dict[str, Any], path: Path) -> None:
    """Draws the confusion matrix of a metrics.json value into `path`."""
    title = f"{result['model']}, {result['data']['split']}: accuracy {percent(result['accuracy'], 2)} %"
    confusion_picture(np.array(result["confusion_matrix"]), list(result["per_class"]), path, title)


def class_table(report: dict[str, Any]) -> Table:
    """Precision, recall, F1 and support per class with their macro averages, from a metrics.json value."""
    table = new_table(f"{report['model']}, {report['data']['split']} ({report['data']['n']} pictures)")
    table.add_column("class")
    for name in ("precision %", "recall %", "F1 %", "support"):
        table.add_column(name, justify="right")
    for label, row in report["per_class"].items():
        table.add_row(
            label, percent(row["precision"]), percent(row["recall"]), percent(row["f1"]), str(row["support"])
        )
    table.add_section()
    macro = [percent(report[f"macro_{name}"]) for name in ("precision", "recall", "f1")]
    table.add_row("macro average", *macro, str(report["data"]["n"]))
    return table


def comparison_table(report: dict[str, Any]) -> Table:
    """Our figures beside what the paper's Table 10 comes to and what its text states."""
    ours, theirs = np.array(report["confusion_matrix"]), paper.table_10_pictures()
    table = new_table("beside the paper (its test set is PublicTest)")
    for name in ("%", "here", "Table 10", "the paper's text"):
        table.add_column(name, justify="right" if table.columns else "left")
    stated = [
        " or ".join(f"{100 * one:.0f}" for one in pair) for pair in zip(*paper.TEST_SCORES, strict=True)
    ]
    rows = (
        ("accuracy", metrics.accuracy, stated[0]),
        ("macro precision, equation (3)", lambda cm: metrics.precision(cm).mean(), stated[1]),
        ("macro recall, equation (4)", lambda cm: metrics.recall(cm).mean(), stated[2]),
        ("one against the rest, equation (2)", lambda cm: metrics.one_vs_rest_accuracy(cm).mean(), ""),
    )
    for name, score, said in rows:
        table.add_row(name, percent(score(ours)), percent(score(theirs)), said)
    for i, label in enumerate(LABELS):
        recalls = (percent(float(metrics.recall(cm)[i])) for cm in (ours, theirs))
        table.add_row(f"recall of {label}", *recalls, "")
    return table


def confusion_table(cm: NDArray[np.integer], labels: Sequence[str]) -> Table:
    """Counts, rows true and columns predicted, with each class's recall; fits 80 columns for 7 classes."""
    table = new_table("confusion matrix (rows true, columns predicted)")
    table.add_column("")
    for label in labels:
        table.add_column(label, justify="right")
    table.add_column("recall %", justify="right")
    recall = metrics.recall(np.asarray(cm, np.int64))
    for i, label in enumerate(labels):
        cells = [f"[bold]{count}[/bold]" if i == j else str(count) for j, count in enumerate(cm[i])]
        table.add_row(label, *cells, percent(recall[i]))
    return table


def confusion_picture(cm: NDArray[np.integer], labels: Sequence[str], path: Path, title: str = "") -> None:
    """Draws the matrix as counts and as shares of each true class, side by side, into `path`.

    The suffix chooses the format. Raises MissingExtraError without matplotlib, OutputError where the
    file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train", "drawing a confusion matrix") from error
    cm = np.asarray(cm, np.int64)
    share = cm / np.maximum(cm.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(12, 5.6), layout="constrained")
    if title:
        figure.suptitle(title)
    left, right = figure.subplots(1, 2)
    _draw_matrix(left, share, [[str(count) for count in row] for row in cm], labels, "pictures")
    _draw_matrix(
        right, share, [[f"{100 * v:.0f}" for v in row] for row in share], labels, "% of the true class"
    )
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=120)


def _draw_matrix(
    axes: Axes, share: NDArray[np.floating], texts: list[list[str]], labels: Sequence[str], title: str
) -> None:
    axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    ticks = range(len(labels))
    axes.set_xticks(ticks, labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(ticks, labels)
    axes.set(xlabel="predicted", ylabel="true", title=title)
    for i in ticks:
        for j in ticks:
            colour = "white" if share[i, j] > 0.55 else "black"
            axes.text(j, i, texts[i][j], ha="center", va="center", color=colour)
