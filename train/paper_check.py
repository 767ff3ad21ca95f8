#!/usr/bin/env python3
"""Works out what the paper's figures imply, and puts it into docs/paper.md.

Usage: python train/paper_check.py [--print]     (--print: to standard output, docs/paper.md stays as it is)
"""

import math
import sys
from pathlib import Path

import numpy as np

from fer_edge import files, paper
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS

PAGE = Path(__file__).parents[1] / "docs" / "paper.md"
PUBLIC_TEST = sum(paper.PUBLIC_TEST.values())
PRIVATE_TEST = 3_589
AT_06 = paper.RESULTS["dropout"][0.6]
LOSS_FACTOR = 4
"""Table 7 to 9's losses are about so many times the cross-entropy that such accuracies have."""


def lowest_loss(accuracy: float) -> float:
    """The least mean cross-entropy in nats that an accuracy allows.

    A picture that is named wrongly gives its true class at most as much as another class: 1/2 at most.
    """
    return (1 - accuracy) * math.log(2)


def training_accuracy(loss: float) -> tuple[float, float]:
    """What Tables 7 to 9 have at a training loss: the straight line through all rows but dropout 0.6's.

    Gives it in percent, with the largest distance of a row from the line.
    """
    rows = [row for table in paper.RESULTS.values() for row in table.values() if row != AT_06]
    losses, accuracies = np.array([(row.loss, row.accuracy) for row in rows]).T
    line = np.polyfit(losses, accuracies, 1)
    return float(np.polyval(line, loss)), float(np.abs(np.polyval(line, losses) - accuracies).max())


def report() -> str:
    table_10 = metrics.scores(paper.table_10_pictures(), LABELS)
    accuracy = table_10["accuracy"]
    tests = [*(triple[0] for triple in paper.TEST_SCORES), accuracy]
    line, off = training_accuracy(AT_06.loss)
    conclusion, _ = training_accuracy(paper.STATED["conclusion"].loss)
    return "\n".join(
        [
            f"- Table 1 sums to {sum(paper.TABLE_1.values()):,} (the data has 35,887), Table 4 to "
            f"{sum(paper.TABLE_4.values()):,} ({PUBLIC_TEST:,}).",
            f"- Table 10 with PublicTest's counts: accuracy {100 * accuracy:.1f}, macro precision "
            f"{100 * table_10['macro_precision']:.1f}, macro recall "
            f"{100 * table_10['macro_recall']:.1f} %. The paper states "
            + " and ".join("/".join(f"{100 * v:.0f}" for v in triple) for triple in paper.TEST_SCORES)
            + " (accuracy, precision, recall).",
            f"- Training loss and accuracy of Tables 7 to 9 lie on one line within {off:.1f} points, except "
            f"dropout 0.6: for its loss of {AT_06.loss:g} the line has {line:.1f} %, the table "
            f"{AT_06.accuracy:g}. The conclusion's {paper.STATED['conclusion'].loss:g} gives "
            f"{conclusion:.1f} % on the line; it says {paper.STATED['conclusion'].accuracy:g}.",
            "- The accuracy that each test accuracy leaves for PrivateTest, the other half of the validation "
            "set (in %, with the 95 % interval of chance):",
            "",
            *left_for_private_test(tests),
            "",
            "- The losses, a quarter of them (the cross-entropy if they are four times too large), and the "
            "least that the accuracy allows:",
            "",
            *losses(),
        ]
    )


def left_for_private_test(tests: list[float]) -> list[str]:
    lines = [
        "| validation % | " + " | ".join(f"test {100 * a:.1f} %" for a in tests) + " |",
        "| --: | " + " | ".join(["--:"] * len(tests)) + " |",
    ]
    for stated in (row.val_accuracy / 100 for row in paper.STATED.values()):
        cells = []
        for accuracy in tests:
            right = stated * (PUBLIC_TEST + PRIVATE_TEST) - accuracy * PUBLIC_TEST
            low, high = metrics.wilson_interval(round(right), PRIVATE_TEST)
            cells.append(f"{100 * right / PRIVATE_TEST:.1f} ({100 * low:.1f} to {100 * high:.1f})")
        lines.append(f"| {100 * stated:.2f} | " + " | ".join(cells) + " |")
    return lines


def losses() -> list[str]:
    lines = [
        "| dropout | set | accuracy % | loss | a quarter of it | least |",
        "| --: | --- " + "| --: " * 4 + "|",
    ]
    for dropout, row in paper.RESULTS["dropout"].items():
        for name, accuracy, loss in (
            ("training", row.accuracy, row.loss),
            ("validation", row.val_accuracy, row.val_loss),
        ):
            rate = "none" if dropout == 1 else dropout
            numbers = (accuracy, loss, loss / LOSS_FACTOR, lowest_loss(accuracy / 100))
            lines.append(f"| {rate} | {name} | " + " | ".join(f"{n:.2f}" for n in numbers) + " |")
    return lines


if __name__ == "__main__":
    if "--print" in sys.argv[1:]:
        print(report())
    else:
        page = PAGE.read_text(encoding="utf-8")
        files.write_text(PAGE, files.put_between_markers(page, "paper_check", report()))
