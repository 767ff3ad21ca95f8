"""The paper's Tables 2, 7, 8, 9 and 10 beside what the same network came to here: writes PAPER_TABLES.md, and
the table of what ships in README.md.

    python train/paper_tables.py [--results train/results]
    python train/paper_tables.py --evaluate paper_float32 --of paper --data fer2013.csv

It reads what is there: results/paper (dropout 0.6), paper_dropout_none, paper_dropout_0.2 ... of Table 9,
paper_batch_16 ... of Table 7 and paper_epochs_150 of Table 8, each with its history.csv and, once ended,
metrics.json. --evaluate: names PublicTest and PrivateTest by a model (.keras, .tflite or a shipped name) into
validation.json of the training that it came from (--of), where the tables find it.
"""

from __future__ import annotations

import argparse
import csv
import json
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fer_edge import evaluation, files, paper
from fer_edge.data import load
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS
from fer_edge.tables import Table
from fer_edge.training.recipes import score

HERE = Path(__file__).parent
TESTS = ("PublicTest", "PrivateTest")
CHOSEN, NONE = "paper", "paper_dropout_none"
NAMES = {
    "batch": lambda value: f"paper_batch_{value:g}",
    "epochs": lambda value: f"paper_epochs_{value:g}",
    "dropout": lambda value: {0.6: CHOSEN, 1.0: NONE}.get(value, f"paper_dropout_{value:g}"),
}


HEAD = """# The paper's tables and ours

Written by `python train/paper_tables.py`. The paper's figures are as printed (docs/paper.md says what does
not add up in them); ours are of `--recipe paper`, from the files in results/ that are named. `acc` and
`loss` are of the changed training pictures, at the epoch that is kept, the one with the lowest loss on
PublicTest. `val_acc` in Table 9 is on PublicTest and PrivateTest together, as in the paper; in Tables 7 and
8, where trainings are read before their end, on PublicTest alone, as `val_loss` is. Our losses are mean
cross-entropies; the paper's are about four times that. No figure of ours is from a GPU."""


@dataclass(frozen=True)
class Run:
    """A training's history, and what its best network came to where that is known."""

    name: str
    history: list[dict[str, float]]
    epochs: int
    measured: dict[str, dict[str, Any]]

    @classmethod
    def read(cls, folder: Path) -> Run | None:
        """None where nothing was trained."""
        if not (folder / "history.csv").exists():
            return None
        with (folder / "history.csv").open() as file:
            history = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
        recipe = folder / "recipe.toml"
        epochs = tomllib.loads(recipe.read_text())["epochs"] if recipe.exists() else len(history)
        measured = {}
        if (folder / "validation.json").exists():
            measured = json.loads((folder / "validation.json").read_text())["splits"]
        elif (folder / "metrics.json").exists():
            told = json.loads((folder / "metrics.json").read_text())
            measured = {told["data"]["split"]: told}
        return cls(folder.name, history, epochs, measured)

    @property
    def far(self) -> str:
        """How far it was trained."""
        ended = "" if self.measured else ", not ended"
        return f"{len(self.history)} of {self.epochs} epochs{ended}"

    def at(self, epochs: int) -> list[str]:
        """acc, PublicTest, loss, val loss of the best of the first `epochs`, if it came so far."""
        stopped = self.measured and len(self.history) < self.epochs
        if len(self.history) < epochs and not stopped:
            return [""] * 4
        best = score(self.history, epochs, "val_loss")
        percents = [f"{100 * best[name]:.2f}" for name in ("accuracy", "val_accuracy")]
        return [*percents, f"{best['loss']:.3f}", f"{best['val_loss']:.3f}"]

    def validation(self) -> str:
        """Accuracy in percent on the paper's validation set, PublicTest and PrivateTest together."""
        shares = [self.measured.get(split, {}).get("accuracy") for split in TESTS]
        if shares[0] is None and shares[1] is not None:  # 3,589 pictures each
            shares[0] = score(self.history, len(self.history), "val_loss")["val_accuracy"]
        return "" if None in shares else f"{50 * sum(shares):.2f}"


def evaluate(model: str, data: str, folder: Path) -> None:
    """Writes folder/validation.json: accuracy, loss and confusion matrix on both splits."""
    opened, dataset, found = evaluation.open_model(model), load(data), {}
    for split in TESTS:
        part = dataset.part(split)
        probabilities = evaluation.probabilities_of(opened, part.images)
        true = probabilities[np.arange(len(part)), part.labels]
        cm = metrics.confusion_matrix(part.labels, probabilities.argmax(1), len(LABELS))
        found[split] = {
            "n": len(part),
            "accuracy": float(metrics.accuracy(cm)),
            "loss": float(-np.log(np.maximum(true, 1e-12)).mean()),
            "confusion_matrix": cm.astype(int).tolist(),
        }
    told = {"model": opened.name, "data_sha256": dataset.sha256, "splits": found}
    files.write_text(folder / "validation.json", json.dumps(told, indent=1) + "\n")


def by_dropout(results: Path) -> Table:
    """Table 9: the best network of each training, on the paper's validation set."""
    figures = ("acc", "val_acc", "loss", "val_loss")
    headers = [f"{figure}, {whose}" for figure in figures for whose in ("paper", "ours")]
    title = "Table 9, dropout (batches of 32, 100 epochs)"
    table = Table(title, ("dropout", *headers, "PublicTest", "PrivateTest", "trained"), words=("trained",))
    for value, stated in paper.TABLE_9.items():
        run = Run.read(results / NAMES["dropout"](value))
        acc, public, loss, val_loss = run.at(len(run.history)) if run else [""] * 4
        private = run.measured.get("PrivateTest", {}).get("accuracy") if run else None
        ours = acc, run.validation() if run else "", loss, val_loss
        pairs = [cell for both in zip((f"{cell:.2f}" for cell in stated), ours, strict=True) for cell in both]
        table.add(
            "none ('1')" if value == 1 else value,
            *pairs,
            public,
            "" if private is None else f"{100 * private:.2f}",
            run.far if run else "not trained",
        )
    return table


def by_stage(stage: str, results: Path) -> Table:
    """Tables 7 and 8: trainings without dropout (Table 3's plan) and with 0.6, read at each value."""
    title = {"batch": "Table 7, batch size (50 epochs)", "epochs": "Table 8, epochs (batches of 32)"}[stage]
    ours = [f"{what}, {dropout}" for dropout in ("no dropout", "dropout 0.6") for what in ("acc", "val_acc")]
    headers = (stage, "acc, paper", "val_acc, paper", *ours, "read from")
    table = Table(title, headers, words=("read from",))
    runs = {name: Run.read(results / name) for name in (CHOSEN, NONE)}
    for value, stated in paper.RESULTS[stage].items():
        own = Run.read(results / NAMES[stage](150 if stage == "epochs" else value))
        shared = runs if stage == "epochs" or value == paper.CHOSEN["batch"] else {}
        epochs, cells, sources = int(value) if stage == "epochs" else paper.BATCH_STAGE_EPOCHS, [], []
        for run in (own or shared.get(NONE), shared.get(CHOSEN)):
            cells += run.at(epochs)[:2] if run else ["", ""]
            sources += [f"{run.name} ({run.far})"] if run else []
        table.add(
            f"{value:g}", f"{stated.accuracy:.2f}", f"{stated.val_accuracy:.2f}", *cells,
            ", ".join(sources) or "not trained",
        )  # fmt: skip
    return table


def of_test_set(results: Path) -> Table:
    """Table 10's figures, from the confusion matrix on PublicTest: recall of each class, and means."""
    table = Table("Table 10, test set (PublicTest)", ("percent", *LABELS, "accuracy", "precision", "recall"))
    matrices = {"the paper": paper.table_10_pictures()}
    for name in (CHOSEN, NONE):
        run = Run.read(results / name)
        if run and "confusion_matrix" in run.measured.get("PublicTest", {}):
            matrices[f"ours, {name}"] = np.array(run.measured["PublicTest"]["confusion_matrix"])
        else:
            table.add(f"ours, {name}, not measured", *[""] * 10)
    for name, cm in reversed(matrices.items()):
        means = metrics.accuracy(cm), metrics.precision(cm).mean(), metrics.recall(cm).mean()
        table.rows.insert(0, [name, *(f"{100 * share:.1f}" for share in (*metrics.recall(cm), *means))])
    return table


def shipped(results: Path) -> Table:
    """A line for each training that ended: what it reached, in percent, and each expression's recall."""
    headers = (
        "recipe",
        "epochs",
        "best PublicTest",
        "PrivateTest",
        "without duplicates",
        "macro-F1",
        "recalls",
    )
    table = Table("", headers, words=("recipe", "recalls"))
    for folder in sorted(path.parent for path in results.glob("*/metrics.json")):
        told, history = json.loads((folder / "metrics.json").read_text()), Run.read(folder).history
        best = max(row["val_accuracy"] for row in history)
        shares = best, told["accuracy"], told["accuracy_without_duplicates"], told["macro_f1"]
        recalls = " ".join(f"{100 * row['recall']:.0f}" for row in told["per_class"].values())
        table.add(f"`{folder.name}`", len(history), *(f"{100 * share:.2f}" for share in shares), recalls)
    return table


def network() -> Table:
    """Table 2: the layers of the paper's network, as they are built."""
    from fer_edge.quiet import quiet_training

    quiet_training()
    from fer_edge.training import networks

    built = networks.paper()
    table = Table("Table 2, the network", ("layer", "kernel", "output", "parameters"), words=("layer",))
    for layer in built.layers:
        kernel = "x".join(map(str, layer.kernel_size)) if hasattr(layer, "kernel_size") else ""
        size = " x ".join(str(side) for side in layer.output.shape[1:])
        table.add(type(layer).__name__, kernel, size, f"{layer.count_params():,}")
    trained = sum(int(np.prod(weight.shape)) for weight in built.trainable_weights)
    table.notes = [f"{built.count_params():,} parameters, {trained:,} of them trained."]
    return table


def page(results: Path) -> str:
    tables = [by_dropout(results), by_stage("batch", results), by_stage("epochs", results)]
    lines = [HEAD]
    for table in [*tables, of_test_set(results), network()]:
        lines += ["", f"## {table.title}", "", table.markdown().rstrip()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--results", type=Path, default=HERE / "results")
    parser.add_argument("--evaluate", metavar="MODEL")
    parser.add_argument("--of", metavar="TRAINING", default=CHOSEN)
    parser.add_argument("--data")
    parser.add_argument("--out", type=Path, default=HERE / "PAPER_TABLES.md")
    asked = parser.parse_args()
    if asked.evaluate:
        evaluate(
            asked.evaluate, asked.data or parser.error("--evaluate needs --data"), asked.results / asked.of
        )
    files.write_text(asked.out, page(asked.results))
    if asked.results == HERE / "results":
        readme = HERE / "README.md"
        text = files.put_between_markers(readme.read_text(), "results", shipped(asked.results).markdown())
        files.write_text(readme, text)
