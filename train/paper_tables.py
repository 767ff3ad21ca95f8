"""The paper's Tables 2, 7, 8, 9 and 10 beside what the same network came to here: writes PAPER_TABLES.md, and
the table of what ships in README.md.

    python train/paper_tables.py [--results train/results]
    python train/paper_tables.py --evaluate paper_float32 --of paper --data fer2013.csv

It reads what is there: results/paper (dropout 0.6), paper_dropout_none, paper_dropout_0.2 ... of Table 9,
paper_batch_16 ... of Table 7, paper_epochs_150 of Table 8 and paper_even_weights, each with its history.csv
and, once ended, metrics.json. --evaluate: names PublicTest and PrivateTest by a model (.keras, .tflite or a
shipped name) into validation.json of the training that it came from (--of), where the tables find it.
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
from fer_edge.console import Table, percent
from fer_edge.data import load
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS
from fer_edge.training.recipes import score

HERE = Path(__file__).parent
TESTS = ("PublicTest", "PrivateTest")
CHOSEN, NONE = "paper", "paper_dropout_none"
COMPARED_EPOCHS = 60  # every row of Table 9 has so many
EVENED_EPOCHS = 10
FIGURES = ("acc", "val_acc", "loss", "val_loss")
BESIDE = tuple(f"{figure}, {whose}" for figure in FIGURES for whose in ("paper", "ours"))

HEAD = """# The paper's tables and ours

Written by `python train/paper_tables.py`. The paper's figures are as printed (docs/paper.md says what does
not add up in them). Ours are of `--recipe paper`, from the named files in results/, at the epoch with the
lowest loss on PublicTest. `acc` and `loss` are on the augmented training pictures. `val_acc` is on PublicTest
and PrivateTest together, as in the paper; while a training has not ended, it is on PublicTest only, as
`val_loss` always is. Our losses are mean cross-entropies; the paper's are about four times that. None of our
figures is from a GPU."""


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
        if (folder / "metrics.json").exists():
            told = json.loads((folder / "metrics.json").read_text())
            public = score(history, len(history), "val_loss")["val_accuracy"]
            measured = {"PublicTest": {"accuracy": public}, told["data"]["split"]: told}
        if (folder / "validation.json").exists():
            measured |= json.loads((folder / "validation.json").read_text())["splits"]
        return cls(folder.name, history, epochs, measured)

    @property
    def far(self) -> str:
        """Whose and how far."""
        ended = "" if self.measured else ", not ended"
        return f"{self.name} ({len(self.history)} of {self.epochs} epochs{ended})"

    def at(self, epochs: int) -> dict[str, str]:
        """Figures of the best of the first `epochs`, or of all where it stopped early; {} if not so far."""
        stopped = bool(self.measured) and len(self.history) < self.epochs
        if len(self.history) < epochs and not stopped:
            return {}
        best = score(self.history, epochs, "val_loss")
        found = {"acc": percent(best["accuracy"], 2), "PublicTest": percent(best["val_accuracy"], 2)}
        found |= {name: f"{best[name]:.3f}" for name in ("loss", "val_loss")}
        if len(self.history) <= epochs and all(split in self.measured for split in TESTS):
            both = [self.measured[split]["accuracy"] for split in TESTS]  # of 3,589 pictures each
            found |= {"val_acc": percent(sum(both) / 2, 2), "PrivateTest": percent(both[1], 2)}
        return found | {"epochs": str(min(epochs, len(self.history)))}


def evaluate(model: str, data: str, folder: Path) -> None:
    """Writes folder/validation.json: the value of `fer-edge evaluate --json` on each of both splits."""
    opened, dataset = evaluation.open_model(model), load(data)
    chosen = {split: evaluation.select(dataset, "official", split) for split in TESTS}
    splits = {split: evaluation.evaluate(opened, selection) for split, selection in chosen.items()}
    told = {"model": opened.name, "data_sha256": dataset.sha256, "splits": splits}
    files.write_text(folder / "validation.json", json.dumps(told, indent=1) + "\n")


def beside(title: str, what: str, rows: list[tuple[str, paper.Row, Run | None, int]]) -> Table:
    """The paper's figures and ours: a row for each (value, the paper's row, our training, epochs)."""
    table = Table(title, (what, "our epochs", *BESIDE, *TESTS, "read from"), words=("read from",))
    for value, stated, run, epochs in rows:
        ours = run.at(epochs) if run else {}
        paired = [
            cell
            for name, printed in zip(FIGURES, stated, strict=True)
            for cell in (f"{printed:.2f}", ours.get(name))
        ]
        told = run.far if run else "not trained"
        table.add(value, ours.get("epochs"), *paired, *(ours.get(split) for split in TESTS), told)
    missing = dict.fromkeys(value for value, _, run, epochs in rows if not (run and run.at(epochs)))
    if missing:
        table.notes = [f"Not trained, or not yet: {', '.join(missing)}."]
    return table


def by_dropout(results: Path) -> Table:
    """Table 9: each training after as many epochs as all are to have, and at its end."""
    rows = []
    for value, stated in paper.RESULTS["dropout"].items():
        run = Run.read(results / {0.6: CHOSEN, 1: NONE}.get(value, f"paper_dropout_{value:g}"))
        far = len(run.history) if run else COMPARED_EPOCHS
        name = "none ('1')" if value == 1 else f"{value:g}"
        rows += [(name, stated, run, epochs) for epochs in sorted({min(COMPARED_EPOCHS, far), far})]
    return beside("Table 9, dropout (batches of 32; the paper: 100 epochs)", "dropout", rows)


def by_batch(results: Path) -> Table:
    """Table 7, at its 50 epochs: without dropout, which is Table 3's plan, and with 0.6."""
    rows = []
    for value, stated in paper.RESULTS["batch"].items():
        names = [(f"{value:g}", f"paper_batch_{value:g}")]
        if value == paper.TABLE_3["chosen"]["batch"]:
            names = [(f"{value:g}, no dropout", NONE), (f"{value:g}, dropout 0.6", CHOSEN)]
        rows += [(n, stated, Run.read(results / of), paper.TABLE_3["start"]["epochs"]) for n, of in names]
    return beside("Table 7, batch size (50 epochs)", "batch", rows)


def by_epochs(results: Path) -> Table:
    """Table 8: one training with dropout 0.6, read at each value; its schedule does not know its end."""
    chosen = Run.read(results / CHOSEN)
    longest = Run.read(results / "paper_epochs_150") or chosen
    rows = [
        (f"{epochs:g}", stated, chosen if chosen and chosen.epochs == epochs else longest, int(epochs))
        for epochs, stated in paper.RESULTS["epochs"].items()
    ]
    return beside("Table 8, epochs (batches of 32, ours with dropout 0.6)", "epochs", rows)


def by_evening(results: Path) -> Table:
    """Two ways to treat rare classes, which the paper leaves open, by short trainings without dropout."""
    title = f"Class balancing (no dropout, {EVENED_EPOCHS} epochs)"
    headers = ("classes", "acc", "PublicTest", "loss", "val_loss")
    table = Table(title, (*headers, "read from"), words=("classes", "read from"))
    for name, of in (("as they are", NONE), ("weighed alike (balance_classes 1)", "paper_even_weights")):
        run = Run.read(results / of)
        ours = run.at(EVENED_EPOCHS) if run else {}
        table.add(name, *(ours.get(header) for header in headers[1:]), run.far if run else "not trained")
    table.notes = ["`loss` of the second is weighted and cannot be compared; `val_loss` is not weighted."]
    return table


def of_test_set(results: Path) -> Table:
    """Table 10's figures, from the confusion matrix on PublicTest: recall of each class, and means."""
    table = Table("Table 10, test set (PublicTest)", ("percent", *LABELS, "accuracy", "precision", "recall"))
    matrices = {"the paper": paper.table_10_pictures()}
    for name in (CHOSEN, NONE):
        public = run.measured.get("PublicTest", {}) if (run := Run.read(results / name)) else {}
        if "confusion_matrix" in public:
            matrices[f"ours, {name}"] = np.array(public["confusion_matrix"])
    for name, cm in matrices.items():
        scores = metrics.scores(cm, LABELS)
        means = (scores[key] for key in ("accuracy", "macro_precision", "macro_recall"))
        recalls = (row["recall"] for row in scores["per_class"].values())
        table.add(name, *map(percent, (*recalls, *means)))
    return table


def shipped(results: Path) -> Table:
    """A line for each model that ships: what its training reached, in percent, and each class's recall."""
    figures = ("best PublicTest", "PrivateTest", "without duplicates", "macro-F1")
    table = Table("", ("recipe", "epochs", *figures, "recalls"), words=("recipe", "recalls"))
    for folder in sorted(path.parent for path in results.glob("*/metrics.json")):
        if (HERE.parent / "models" / f"{folder.name}.keras").exists():
            told, history = json.loads((folder / "metrics.json").read_text()), Run.read(folder).history
            best = max(row["val_accuracy"] for row in history)
            shares = best, told["accuracy"], told["accuracy_without_duplicates"], told["macro_f1"]
            recalls = " ".join(percent(row["recall"], 0) for row in told["per_class"].values())
            table.add(f"`{folder.name}`", len(history), *(percent(share, 2) for share in shares), recalls)
    return table


def network(_: Path) -> Table:
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
    lines = [HEAD]
    for make in (by_dropout, by_batch, by_epochs, by_evening, of_test_set, network):
        table = make(results)
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
