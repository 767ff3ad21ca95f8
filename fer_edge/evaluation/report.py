"""Tables of an evaluation, with the paper's figures, and a picture of the confusion matrix."""

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files, paper
from fer_edge.console import Table, percent
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS


def show_evaluation(result: dict[str, Any]) -> None:
    """Prints a metrics.json value: classes, matrix, accuracy with its interval.

    With FER-2013's own labels, the paper's figures too.
    """
    cm, per_class = np.array(result["confusion_matrix"]), result["per_class"]
    n, right = result["data"]["n"], int(np.trace(cm))
    low, high = metrics.wilson_interval(right, n)
    title = f"{result['model']}, {result['data']['split']} ({n} pictures)"
    classes = Table(title, ("class", "precision %", "recall %", "F1 %", "support"))
    title = "confusion matrix (rows true, columns predicted)"
    matrix = Table(title, ("", *per_class, "recall %"), optional=("recall %",))
    scores = ("precision", "recall", "f1")
    for (label, row), counts in zip(per_class.items(), cm, strict=True):
        classes.add(label, *(percent(row[name]) for name in scores), row["support"])
        matrix.add(label, *counts, percent(row["recall"]))
    classes.add("macro average", *(percent(result[f"macro_{name}"]) for name in scores), n)
    tables = [classes, matrix]
    if result["data"]["protocol"] != "holdout" and tuple(per_class) == LABELS:
        tables.append(comparison_table(cm))
    for table in tables:
        table.show()
        console.say("")
    console.say(
        f"accuracy {percent(result['accuracy'], 2)} % ({right} of {n}; 95 % interval {percent(low)} to "
        f"{percent(high)}), macro F1 {percent(result['macro_f1'], 2)} %"
    )
    if (unseen := result["accuracy_without_duplicates"]) is not None:
        console.say(f"accuracy without pictures that are also in Training {percent(unseen, 2)} %")


def comparison_table(cm: NDArray[np.int64]) -> Table:
    """Our figures beside those of the paper's Table 10 and of its text."""
    title = "compared with the paper (its test set is PublicTest)"
    table = Table(title, ("%", "here", "the paper's Table 10", "its text"))
    theirs = _as_the_paper_scores(paper.table_10_pictures())
    stated = [f"{100 * a:.0f} or {100 * b:.0f}" for a, b in zip(*paper.TEST_SCORES, strict=True)]
    texts = dict(zip(theirs, stated, strict=False))
    for name, score in _as_the_paper_scores(cm).items():
        table.add(name, percent(score), percent(theirs[name]), texts.get(name, ""))
    return table


def _as_the_paper_scores(cm: NDArray[Any]) -> dict[str, float]:
    """The three from its text come first.

    Equation (2) counts true negatives: a class of 55 in 3,589 that is never predicted still scores 0.98. A
    wrong picture is wrong for two classes, and right for all others.
    """
    scores = metrics.scores(cm, LABELS)
    return {
        "accuracy": scores["accuracy"],
        "macro precision, equation (3)": scores["macro_precision"],
        "macro recall, equation (4)": scores["macro_recall"],
        "one class against the rest, equation (2)": 1 - 2 * (1 - scores["accuracy"]) / len(LABELS),
        **{f"recall of {label}": own["recall"] for label, own in scores["per_class"].items()},
    }


def robustness_table(result: dict[str, Any], model: str, split: str) -> Table:
    """The value of `evaluation.robustness`: accuracy with its 95 % interval, points lost, macro-F1."""
    table = Table(
        f"robustness of {model}, {result['n']} pictures of {split}, seed {result['seed']}",
        ("condition", "accuracy %", "95 % interval", "against clean", "macro-F1 %"),
    )
    clean = result["conditions"]["clean"]["accuracy"]
    for name, row in result["conditions"].items():
        lost = "" if name == "clean" else f"{100 * (row['accuracy'] - clean):+.1f}"
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        table.add(name, percent(row["accuracy"]), interval, lost, percent(row["macro_f1"]))
    return table


def draw_evaluation(result: dict[str, Any], path: Path) -> None:
    """Writes a picture of a metrics.json value's confusion matrix: counts, and shares of each true class.

    The suffix chooses the format. Raises OutputError where the file cannot be written.
    """
    from matplotlib.figure import Figure

    cm, labels = np.array(result["confusion_matrix"]), list(result["per_class"])
    shares = cm / np.maximum(cm.sum(axis=1, keepdims=True), 1)
    figure = Figure(figsize=(7.2, 6.8), layout="constrained")
    axes = figure.add_subplot(xlabel="predicted", ylabel="true")
    title = f"{result['model']}, {result['data']['split']}: accuracy {percent(result['accuracy'], 2)} %"
    axes.set_title(title, parse_math=False, wrap=True)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(len(labels)), labels)
    for (row, column), share in np.ndenumerate(shares):
        cell, colour = f"{cm[row, column]}\n{percent(share, 0)} %", "white" if share > 0.55 else "black"
        axes.text(column, row, cell, ha="center", va="center", color=colour)
    files.write_figure(path, figure)
