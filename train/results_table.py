"""Writes the table of trainings in train/README.md from results/*/: python train/results_table.py"""

from __future__ import annotations

import csv
import json
from pathlib import Path

from fer_edge import files

HERE = Path(__file__).parent


def row(folder: Path) -> list[str]:
    """A training's line: what it reached, in percent, and each expression's recall."""
    metrics = json.loads((folder / "metrics.json").read_text())
    history = list(csv.DictReader((folder / "history.csv").open()))
    best = max(float(epoch["val_accuracy"]) for epoch in history)
    shares = (best, metrics["accuracy"], metrics["accuracy_without_duplicates"], metrics["macro_f1"])
    recalls = " ".join(f"{100 * scores['recall']:.0f}" for scores in metrics["per_class"].values())
    return [f"`{folder.name}`", str(len(history)), *(f"{100 * share:.2f}" for share in shares), recalls]


def table() -> str:
    head = ["recipe", "epochs", "best PublicTest", "PrivateTest", "without duplicates", "macro-F1", "recalls"]
    rows = [
        row(folder) for folder in sorted((HERE / "results").iterdir()) if (folder / "metrics.json").exists()
    ]
    lines = [head, ["---", *["--:"] * 5, "---"], *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def main() -> None:
    readme = HERE / "README.md"
    files.write_text(readme, files.put_between_markers(readme.read_text(), "results", table()))


if __name__ == "__main__":
    main()
