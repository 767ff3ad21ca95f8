"""The paper's search of its Table 3: batch size, then epochs, then dropout, each with the best before it.

Each value is a training in a folder of its own, from whose checkpoint an interrupted search goes on.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from fer_edge import console, files, machine, paper
from fer_edge.console import Table, percent
from fer_edge.data import Protocol
from fer_edge.errors import UsageError
from fer_edge.evaluation import metrics
from fer_edge.training import device, fit
from fer_edge.training.recipes import History, Recipe, score

STAGES = {"batch": "batch size", "epochs": "epochs", "dropout": "dropout"}
FIGURES = ("accuracy", "val_accuracy")
HEADERS = ("epochs run", "best", "acc %", "paper's acc", "val acc %", "paper's val acc", "val loss")

Result = dict[str, Any]


@dataclass(frozen=True)
class Plan:
    """A search with recipe `base` over the values of the paper's Table 3 and of its Tables 7 to 9.

    epochs_scale: of epochs and patience. subset: most pictures to train on, and to validate on. Raises
    UsageError for a scale outside 0..1.
    """

    base: Recipe
    epochs_scale: float = 1.0
    subset: int | None = None

    def __post_init__(self) -> None:
        if not 0 < self.epochs_scale <= 1:
            raise UsageError(f"--epochs-scale must lie above 0 and at most at 1, not {self.epochs_scale:g}")

    def trained(self, stage: str) -> dict[float, float]:
        """The values of a stage, ascending, and for each the one whose training is read for it.

        Under schedule `plateau` nothing in an epoch depends on how many will follow: the longest training of
        stage `epochs` holds the others.
        """
        values = sorted({*paper.TABLE_3[stage], *paper.RESULTS[stage]})
        nests = stage == "epochs" and self.base.schedule == "plateau"
        return {value: values[-1] if nests else value for value in values}

    def recipe(self, batch: float, epochs: float, dropout: float) -> Recipe:
        """The recipe of one training. The patience is scaled as the epochs, but not below 4 (or what it was):
        less would stop a training on noise. Dropout 1 is none, as in Keras 2."""
        patience = max(round(self.base.patience * self.epochs_scale), min(self.base.patience, 4))
        epochs = max(1, round(epochs * self.epochs_scale))
        rate = 0.0 if dropout == 1 else dropout
        return self.base.override(batch_size=int(batch), epochs=epochs, dropout=rate, patience=patience)

    def results(self, stage: str, setting: Mapping[str, float], histories: Mapping[float, History]) -> Result:
        """Of a stage after these trainings, by value; setting: of the others."""
        rows = []
        for value, of in self.trained(stage).items():
            if of in histories:
                stated, recipe = paper.RESULTS[stage].get(value), self.recipe(**{**setting, stage: value})
                row = {"value": value, "paper": stated and stated._asdict()}
                rows.append(row | score(histories[of], recipe.epochs, recipe.monitor))
        fixed = {name: value for name, value in setting.items() if name != stage}
        best = max(rows, key=lambda row: (row["val_accuracy"], -row["value"]))
        return {"fixed": fixed, "rows": rows, "best": best["value"]}


def run(plan: Plan, protocol: Protocol, folder: Path, seed: int = 0, precision: str = "auto") -> Result:
    """Trains every value of every stage; returns the results, written into the folder after each training.

    protocol: of `plan.base.split`. Raises OutputError if another process uses the folder, DataError if it
    holds another search's trainings, GateError for a loss that is not finite.
    """
    used = device.prepare(precision)
    console.say(used)
    sets = [part.sample(plan.subset, seed) for part in (protocol.train, protocol.validation)]
    settings = asdict(plan) | {"seed": seed, "data": sets[0].sha256, "device": used}
    settings |= {"training_pictures": len(sets[0]), "validation_pictures": len(sets[1])}
    setting: dict[str, float] = dict(paper.TABLE_3["start"])  # each stage replaces its own by the best
    stages: dict[str, Result] = {}
    result = {"schema": 3, "settings": settings, "machine": machine.describe(), "stages": stages}
    with files.held(folder, "search"):
        for stage in STAGES:
            histories: dict[float, History] = {}
            for value in sorted(set(plan.trained(stage).values())):
                chosen = setting | {stage: value}
                recipe, name = plan.recipe(**chosen), "-".join(f"{k}{v:g}" for k, v in chosen.items())
                console.say(f"stage {stage}: {name}, {recipe.epochs} epochs")
                place = folder / "trials" / name
                histories[value] = fit.train(recipe, *sets, folder=place, seed=seed)[-1].history
                stages[stage] = plan.results(stage, setting, histories)
                files.write_text(folder / "results.json", json.dumps(result, indent=2) + "\n")
                pages = "\n".join(f"**{table.title}**\n\n{table.markdown()}" for table in tables(result))
                files.write_text(folder / "results.md", pages)
            setting[stage] = stages[stage]["best"]
    return result


def tables(result: Result) -> list[Table]:
    """A table of each stage that has results, the paper's figures beside ours."""
    told, found, base = result["settings"], [], result["settings"]["base"]
    for stage, part in result["stages"].items():
        fixed = ", ".join(f"{name} {value:g}" for name, value in part["fixed"].items())
        chosen = f"best here: {part['best']:g}; the paper chose {paper.TABLE_3['chosen'][stage]:g}"
        table = Table(f"{STAGES[stage]} at {fixed} ({chosen})", (STAGES[stage], *HEADERS), words=())
        for row in part["rows"]:
            value = "1 (none)" if (stage, row["value"]) == ("dropout", 1) else f"{row['value']:g}"
            acc, val = (f"{row['paper'][n]:.2f}" if row["paper"] else "not reported" for n in FIGURES)
            ran = f"{row['ran_epochs']}{' (stopped)' if row['ran_epochs'] < row['epochs'] else ''}"
            ours, ours_val = (percent(row[name], 2) for name in FIGURES)
            table.add(value, ran, row["best_epoch"], ours, acc, ours_val, val, f"{row['val_loss']:.3f}")
        count, best = told["validation_pictures"], max(row["val_accuracy"] for row in part["rows"])
        low, high = (percent(share) for share in metrics.wilson_interval(round(best * count), count))
        table.notes = [
            f"{told['epochs_scale']:g} of the paper's epochs, {told['training_pictures']:,} pictures to "
            f"train on, {count:,} to validate on, protocol {base['protocol']}, seed {told['seed']}. Figures: "
            f"the best epoch's by {base['monitor']}; 95 % interval of {percent(best)}: {low} to {high}."
        ]
        found.append(table)
    return found
