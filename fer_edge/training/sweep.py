"""The paper's search of its Table 3: batch size, then epochs, then dropout, each with the best value before
it.

Results are an Optuna study, in a journal that processes and machines share. A process that trains a value
locks its folder. The lock ends with the process, however that ends, and another process then continues from
the checkpoint. (Optuna's journal has no heartbeat; its GridSampler counts interrupted trials among the
ended.)
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial

from fer_edge import console, files, machine, paper
from fer_edge.console import Table, percent
from fer_edge.data import Protocol
from fer_edge.errors import DataError, UsageError
from fer_edge.evaluation import metrics
from fer_edge.training import device, fit
from fer_edge.training.recipes import Recipe, score

STAGES = {"batch": "batch size", "epochs": "epochs", "dropout": "dropout"}

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

    def setting(self, stage: str, value: float, best: Mapping[str, float]) -> dict[str, float]:
        """`value`, the best of the stages before, and Table 3's beginning for those after."""
        return {**paper.TABLE_3["start"], **best, stage: value}

    def recipe(self, batch: float, epochs: float, dropout: float) -> Recipe:
        """The recipe of one training. The patience is scaled as the epochs, but not below 4 (or what it was):
        less would stop a training on noise."""
        patience = max(round(self.base.patience * self.epochs_scale), min(self.base.patience, 4))
        epochs = max(1, round(epochs * self.epochs_scale))
        return self.base.override(
            batch_size=int(batch), epochs=epochs, dropout=paper.kept(dropout), patience=patience
        )


class Sweep:
    """One process's part in a search, in a folder; all processes get the same arguments.

    protocol: of `plan.base.split`. Raises DataError for a damaged study, UsageError for a folder of another
    search.
    """

    def __init__(
        self, plan: Plan, protocol: Protocol, folder: Path, seed: int = 0, precision: str = "auto"
    ) -> None:
        self.plan, self.folder, self.seed, self.device = plan, folder, seed, device.prepare(precision)
        self.sets = [part.sample(plan.subset, seed) for part in (protocol.train, protocol.validation)]
        self.settings = json.loads(json.dumps(asdict(plan))) | {"seed": seed, "data": self.sets[0].sha256}
        for name, part in zip(("training_pictures", "validation_pictures"), self.sets, strict=True):
            self.settings[name] = len(part)
        optuna.logging.set_verbosity(logging.ERROR)
        logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it warns of each network
        files.make_folders(folder)
        self.study = self._opened(folder / "study.log")

    def _opened(self, path: Path) -> optuna.Study:
        told: dict[str, Any] = {"study_name": "sweep", "direction": "maximize", "load_if_exists": True}
        try:
            storage = JournalStorage(JournalFileBackend(str(path.resolve())))
            study = optuna.create_study(storage=storage, **told)
            before = study.user_attrs.get("settings", self.settings)
            study.set_user_attr("settings", before)
        except Exception as error:  # of JSON, or of Optuna, which trusts what it reads
            raise DataError(f"{path} cannot be read as a study: choose another --out") from error
        for name, value in self.settings.items():
            if before[name] != value:
                raise UsageError(f"{path.parent} contains a sweep with another {name}: choose another --out")
        return study

    def _ended(self, stage: str) -> dict[float, FrozenTrial]:
        """What was trained or failed for good, by its value: a trial has its stage's parameter alone."""
        return {t.params[stage]: t for t in self.study.get_trials(deepcopy=False) if stage in t.params}

    def run(self) -> Result:
        """Trains until every value is finished, in this process or another; returns the results.

        They are written into the folder after each training. Raises GateError for a loss that is not finite.
        """
        console.say(self.device)
        best: dict[str, float] = {}
        for stage in STAGES:
            for wait in (False, True):  # first what nobody trains, then what others train, once they finish
                for value in sorted(set(self.plan.trained(stage).values())):
                    self._train(stage, value, best, wait)
            result = self.results(write=True)
            best[stage] = result["stages"][stage]["best"]
        return result

    def _train(self, stage: str, value: float, best: dict[str, float], wait: bool) -> None:
        """Trains one value of a stage if no process has, nor does; wait: until none does."""
        setting = self.plan.setting(stage, value, best)
        recipe, name = self.plan.recipe(**setting), "-".join(f"{k}{v:g}" for k, v in setting.items())
        if wait and value not in self._ended(stage):
            console.say(f"stage {stage}: another process trains {name}, waiting for it")
        with files.held(place := self.folder / "trials" / name, wait) as mine:
            if not mine or value in self._ended(stage):
                return
            console.say(f"stage {stage}: {name}, {recipe.epochs} epochs")
            told: dict[str, Any] = {"recipe": asdict(recipe), "device": self.device}
            history = fit.train(recipe, *self.sets, folder=place, seed=self.seed)[1].history
            accuracy = score(history, recipe.epochs, recipe.monitor)["val_accuracy"]
            ended = {"value": accuracy, "user_attrs": told | {"history": history}}
            among = optuna.distributions.CategoricalDistribution(sorted(self.plan.trained(stage).values()))
            trial = optuna.create_trial(params={stage: value}, distributions={stage: among}, **ended)
            self.study.add_trial(trial)
        self.results(write=True)

    def results(self, write: bool = False) -> Result:
        """What has ended, for results.json; write: that and results.md into the folder."""
        best: dict[str, float] = {}
        stages: dict[str, Result] = {}
        for stage in STAGES:
            rows, ended, trained = [], self._ended(stage), self.plan.trained(stage)
            for value in [value for value in trained if trained[value] in ended]:
                told, stated = ended[trained[value]].user_attrs, paper.RESULTS[stage].get(value)
                row = {"value": value, "paper": None if stated is None else stated._asdict()}
                recipe = self.plan.recipe(**self.plan.setting(stage, value, best))
                row |= score(told["history"], recipe.epochs, recipe.monitor)
                rows.append(row | {"device": told["device"]})
            if not rows:
                break
            fixed = {name: v for name, v in self.plan.setting(stage, 0, best).items() if name != stage}
            best[stage] = max(rows, key=lambda row: (row["val_accuracy"], -row["value"]))["value"]
            left = len(set(trained.values()) - set(ended))
            stages[stage] = {"fixed": fixed, "rows": rows, "best": best[stage], "unfinished": left}
        result = {"schema": 2, "settings": self.settings, "machine": machine.describe(), "stages": stages}
        if write:
            files.write_text(self.folder / "results.json", json.dumps(result, indent=2) + "\n")
            pages = "\n".join(f"**{table.title}**\n\n{table.markdown()}" for table in tables(result))
            files.write_text(self.folder / "results.md", pages)
        return result


FIGURES = ("accuracy", "val_accuracy")
HEADERS = ("epochs", "best", "acc %", "paper's acc", "val acc %", "paper's val acc", "val loss")


def tables(result: Result) -> list[Table]:
    """A table of each stage that has results, the paper's figures beside ours."""
    told, found, base = result["settings"], [], result["settings"]["base"]
    for stage, part in result["stages"].items():
        fixed = ", ".join(f"{name} {value:g}" for name, value in part["fixed"].items())
        left = f"; {part['unfinished']} trainings not ended" if part["unfinished"] else ""
        chosen = f"best here: {part['best']:g}; the paper chose {paper.TABLE_3['chosen'][stage]:g}{left}"
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
