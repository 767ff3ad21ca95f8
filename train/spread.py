"""Mean and standard deviation of the scores of several runs of one recipe, trained with other seeds.

    python train/spread.py runs/nano-0 runs/nano-1 runs/nano-2 [--markdown FILE]

Folders of runs, or files that `fer-edge evaluate --json` wrote; all measured on the same pictures (drawn ones
follow from --seed: evaluate such runs on one set first).
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.console import Table

MAIN = ("accuracy", "accuracy_without_duplicates", "macro_precision", "macro_recall", "macro_f1")


def scores_of(metrics: dict[str, Any]) -> dict[str, float]:
    """All scores of one metrics.json value by name, each in 0..1; those that are null are left out."""
    scores = {name.replace("_", " "): metrics[name] for name in MAIN if metrics[name] is not None}
    return scores | {f"recall {label}": row["recall"] for label, row in metrics["per_class"].items()}


def table(runs: list[dict[str, Any]]) -> Table:
    """Mean, sample standard deviation (n - 1), least and largest of each score that all have, in percent.

    Exits with a line for fewer than two runs, and where they were measured on other pictures.
    """
    measured = {tuple(run["data"][name] for name in ("split", "sha256", "n")) for run in runs}
    if len(runs) < 2 or len(measured) > 1:
        sys.exit("give at least two runs that were measured on the same pictures")
    every = [scores_of(run) for run in runs]
    out = Table("", ("score %", "mean", "std", "min", "max"))
    for name in [name for name in every[0] if all(name in scores for scores in every)]:
        values = [100 * scores[name] for scores in every]
        figures = statistics.fmean(values), statistics.stdev(values), min(values), max(values)
        out.add(name, *(f"{figure:.2f}" for figure in figures))
    split, _, count = measured.pop()
    out.notes = [f"{len(runs)} runs, {split} ({count} pictures); std is the sample standard deviation."]
    return out


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--markdown", type=Path)
    asked = parser.parse_args()
    found = [path / "metrics.json" if path.is_dir() else path for path in asked.runs]
    spread = table([json.loads(path.read_text()) for path in found])
    spread.show()
    if asked.markdown:
        files.write_text(asked.markdown, spread.markdown())
