"""Works through a sweep: takes trials from the queue, trains them, and goes on to the next stage."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import console
from fer_edge.data import Dataset, ferplus, load, protocol_splits
from fer_edge.errors import GateError, UsageError
from fer_edge.training import checkpoint, device, fit
from fer_edge.training.progress import TrainingProgress
from fer_edge.training.sweep import grid, results
from fer_edge.training.sweep.queue import Claim, Queue

POLL_S = 5.0
"""How often a process that has nothing to do looks whether another one has ended its trial."""


@dataclass(frozen=True)
class Sweep:
    """One process's part in a sweep; all its processes are told the same. votes: as in ferplus.chosen."""

    plan: grid.Plan
    data: str
    folder: Path
    seed: int = 0
    precision: str = "auto"
    skip_bad_rows: bool = False
    votes: Path | None = None


@dataclass(frozen=True)
class _Material:
    training: Dataset
    validation: Dataset
    device: str


def run(sweep: Sweep, stages: tuple[str, ...]) -> dict[str, Any]:
    """Trains until every trial of the stages has ended, in this process or another; gives the results.

    Results are written into the folder after each trial. Raises UsageError for a stage whose predecessors
    have not ended, and for a folder of another sweep.
    """
    used = device.prepare(sweep.precision)
    dataset = load(sweep.data, skip_bad_rows=sweep.skip_bad_rows, seed=sweep.seed)
    protocol = protocol_splits(ferplus.chosen(dataset, votes=sweep.votes), sweep.plan.base.protocol)
    material = _Material(
        protocol.train.sample(sweep.plan.reduction.subset, sweep.seed),
        protocol.validation.sample(sweep.plan.reduction.subset, sweep.seed),
        str(used),
    )
    console.say(f"{used}; sweep {sweep.plan.reduction}")
    queue = Queue(sweep.folder, _settings(sweep, material))
    for stage in stages:
        _work(queue, sweep, stage, material)
    return results.write(queue, sweep.plan)


def _settings(sweep: Sweep, material: _Material) -> dict[str, Any]:
    base = dataclasses.asdict(sweep.plan.base)
    for varied in ("batch_size", "epochs", "dropout"):
        base.pop(varied)
    return {
        "epochs_scale": sweep.plan.reduction.epochs_scale,
        "subset": sweep.plan.reduction.subset,
        "protocol": sweep.plan.base.protocol,
        "seed": sweep.seed,
        "data_sha256": material.training.sha256,
        "training_pictures": len(material.training),
        "validation_pictures": len(material.validation),
        "recipe": base,
    }


def _work(queue: Queue, sweep: Sweep, stage: str, material: _Material) -> None:
    best = results.winners(queue, sweep.plan)
    before = grid.STAGES[: grid.STAGES.index(stage)]
    for earlier in before:
        if earlier not in best or queue.unfinished(earlier):
            raise UsageError(f"stage {stage} needs the best of stage {earlier}: run --stage {earlier} first")
    earlier_best = {name: best[name] for name in before}
    values = sorted({sweep.plan.trained(stage, value) for value in sweep.plan.values(stage)})
    queue.fill(stage, [grid.setting(stage, value, earlier_best) for value in values])
    waited = False
    while True:
        claim = queue.claim(stage)
        if claim is not None:
            _train(queue, sweep, claim, material)
            results.write(queue, sweep.plan)
        elif count := queue.unfinished(stage):
            if not waited:
                console.say(f"stage {stage}: waiting for {count} trials of other processes")
            waited = True
            time.sleep(POLL_S)
        else:
            return


def _train(queue: Queue, sweep: Sweep, claim: Claim, material: _Material) -> None:
    recipe = sweep.plan.recipe(claim.setting)
    console.say(f"stage {claim.stage}: {claim.setting.name}, {recipe.epochs} epochs")
    history = results.known_history(queue, sweep.plan, claim.setting)
    if history is not None:
        console.say("known from an earlier stage")
    else:

        def report(state: checkpoint.State) -> None:
            claim.trial.report(state.history[-1]["val_accuracy"], len(state.history))

        try:
            with TrainingProgress(recipe.epochs) as progress:
                _, state = fit.train(
                    recipe,
                    material.training,
                    material.validation,
                    folder=sweep.folder / "trials" / claim.setting.name,
                    seed=sweep.seed,
                    watcher=progress,
                    on_epoch=report,
                )
        except GateError as error:
            console.warn(str(error))
            queue.fail(claim, str(error))
            return
        history = state.history
    accuracy = grid.score(history, recipe.epochs, recipe.monitor)["val_accuracy"]
    queue.complete(claim, history, accuracy, material.device)
