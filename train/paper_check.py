#!/usr/bin/env python3
"""Works out from FER-2013 what the paper's figures imply, and puts it into docs/paper.md.

Usage: python train/paper_check.py fer2013.csv [--table10 FILE] [--print]

--table10: the confusion matrix of the paper's Table 10 as CSV, 7 rows of 7 numbers, rows true, in the order
angry disgust fear happy sad surprise neutral, counts or shares of a row. It is not part of this project.
--print: to standard output, docs/paper.md stays as it is.
"""

import argparse
import math
from pathlib import Path

import numpy as np

from fer_edge import files, paper
from fer_edge.data import load, protocol_splits
from fer_edge.evaluation import metrics
from fer_edge.evaluation.report import PAPER_TABLE_10
from fer_edge.spec import LABELS

PAGE = Path(__file__).parents[1] / "docs" / "paper.md"


def scores_of_table_10(path: Path, counts: np.ndarray) -> dict[str, float]:
    """Accuracy, macro precision and macro recall of the matrix, each row scaled to its class's count."""
    table = np.loadtxt(path, delimiter=",").reshape(len(LABELS), len(LABELS))
    table = table / table.sum(axis=1, keepdims=True) * counts[:, None]
    recall = table.diagonal() / table.sum(axis=1)
    precision = table.diagonal() / np.maximum(table.sum(axis=0), 1e-9)
    accuracy = table.trace() / table.sum()
    return {"accuracy": accuracy, "macro_precision": precision.mean(), "macro_recall": recall.mean()}


def lowest_loss(accuracy: float) -> float:
    """The least mean cross-entropy in nats that an accuracy allows.

    A picture that is named wrongly gives its true class at most as much as another class: 1/2 at most.
    """
    return (1 - accuracy) * math.log(2)


def report(data: str, table_10: Path | None) -> str:
    protocol = protocol_splits(load(data), "paper")
    test, validation = protocol.report, protocol.validation
    counts = np.bincount(test.labels, minlength=len(LABELS))
    share = len(test) / len(validation)
    derived = scores_of_table_10(table_10, counts) if table_10 else PAPER_TABLE_10
    lines = [
        f"- Test set (PublicTest): {len(test):,} pictures, "
        + ", ".join(f"{label} {count}" for label, count in zip(LABELS, counts, strict=True))
        + f". They are {100 * share:.1f} % of the {len(validation):,} validation pictures.",
        f"- Its Table 10 with these counts: accuracy {100 * derived['accuracy']:.1f}, macro precision "
        f"{100 * derived['macro_precision']:.1f}, macro recall {100 * derived['macro_recall']:.1f} %. "
        "Stated are "
        + " and ".join("/".join(f"{100 * v:.0f}" for v in triple) for triple in paper.TEST_SCORES)
        + " (accuracy, precision, recall).",
        "- What each stated test accuracy leaves for PrivateTest, the other part of the validation set "
        "(accuracy there, %; the 95 % interval that chance gives it):",
        "",
        "| validation % | " + " | ".join(f"test {100 * a:.1f} %" for a in tests(derived)) + " |",
        "| --: | " + " | ".join(["--:"] * len(tests(derived))) + " |",
    ]
    other = len(validation) - len(test)
    for stated in paper.VALIDATION_ACCURACY:
        cells = []
        for accuracy in tests(derived):
            right = stated * len(validation) - accuracy * len(test)
            low, high = metrics.wilson_interval(round(right), other)
            cells.append(f"{100 * right / other:.1f} ({100 * low:.1f} to {100 * high:.1f})")
        lines.append(f"| {100 * stated:.2f} | " + " | ".join(cells) + " |")
    best = max(paper.ACCURACY.values())
    lines += [
        "",
        "- Least mean cross-entropy, in nats, that an accuracy allows: "
        + ", ".join(f"{lowest_loss(a):.3f} at {100 * a:.2f} %" for a in (*paper.VALIDATION_ACCURACY, best))
        + f". The stated losses are of the order of {paper.LOSS:g}.",
    ]
    return "\n".join(lines)


def tests(derived: dict[str, float]) -> list[float]:
    return [*(triple[0] for triple in paper.TEST_SCORES), derived["accuracy"]]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--table10", type=Path)
    parser.add_argument("--print", action="store_true")
    arguments = parser.parse_args()
    text = report(arguments.data, arguments.table10)
    if arguments.print:
        print(text)
    else:
        page = PAGE.read_text(encoding="utf-8")
        files.write_text(PAGE, files.put_between_markers(page, "paper_check", text))
