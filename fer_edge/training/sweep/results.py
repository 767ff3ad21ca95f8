"""What a sweep has come to so far, from its queue; written beside the trials after each of them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from fer_edge import files, machine, paper
from fer_edge.training.sweep import grid, show
from fer_edge.training.sweep.queue import Queue

Rows = list[dict[str, Any]]
History = list[dict[str, float]]


def winners(queue: Queue, plan: grid.Plan) -> dict[str, float]:
    """The best value of each stage that has results, the stages in their order up to the first without."""
    best: dict[str, float] = {}
    for stage in grid.STAGES:
        rows = [row for row in stage_rows(queue, plan, stage, best) if "error" not in row]
        if not rows:
            break
        # The earlier of equals: the smaller value.
        best[stage] = max(rows, key=lambda row: (row["val_accuracy"], -row["value"]))["value"]
    return best


def stage_rows(queue: Queue, plan: grid.Plan, stage: str, best: dict[str, float]) -> Rows:
    """A row for each value of the stage that has ended, ascending: the value, `grid.score`, the paper's.

    best: the winners of all stages before it.
    """
    rows: Rows = []
    ended = {_key(trial.params): trial for trial in queue.ended(stage)}
    for value in plan.values(stage):
        trial = ended.get(_key(asdict(grid.setting(stage, plan.trained(stage, value), best))))
        if trial is None:
            continue
        row: dict[str, Any] = {"value": value, "paper_val_accuracy": paper.ACCURACY.get((stage, value))}
        if "error" in trial.user_attrs:
            row["error"] = trial.user_attrs["error"]
        else:
            epochs = plan.recipe(grid.setting(stage, value, best)).epochs
            row |= grid.score(trial.user_attrs["history"], epochs, plan.base.monitor)
            row["device"] = trial.user_attrs["device"]
        rows.append(row)
    return rows


def _key(params: dict[str, Any]) -> tuple[int, int, float]:
    return int(params["batch_size"]), int(params["epochs"]), float(params["dropout"])


def known_history(queue: Queue, plan: grid.Plan, setting: grid.Setting) -> History | None:
    """The history of an ended training of any stage that holds this one (see `grid.Plan.nests`), or None."""
    epochs = plan.recipe(setting).epochs
    for stage in grid.STAGES:
        for trial in queue.ended(stage):
            batch_size, nominal, dropout = _key(trial.params)
            same = (batch_size, dropout) == (setting.batch_size, setting.dropout)
            enough = nominal == setting.epochs or (plan.nests and nominal > setting.epochs)
            if same and enough and "history" in trial.user_attrs:
                return list(trial.user_attrs["history"][:epochs])
    return None


def collect(queue: Queue, plan: grid.Plan) -> dict[str, Any]:
    """The whole as plain Python types, for results.json."""
    winning = winners(queue, plan)
    best: dict[str, float] = {}
    stages: dict[str, Any] = {}
    for stage in grid.STAGES:
        rows = stage_rows(queue, plan, stage, best)
        if rows:
            stages[stage] = {
                "fixed": grid.fixed(stage, best),
                "rows": rows,
                "best": winning.get(stage),
                "paper_chose": paper.CHOSEN[stage],
                "unfinished": queue.unfinished(stage),
            }
        if stage not in winning:
            break
        best[stage] = winning[stage]
    return {
        "schema": 1,
        "reduction": str(plan.reduction),
        "settings": json.loads((queue.folder / "settings.json").read_text()),
        "machine": machine.describe(),
        "stages": stages,
    }


def write(queue: Queue, plan: grid.Plan) -> dict[str, Any]:
    """Writes results.json, results.md and results.png into the queue's folder; gives the first's value."""
    result = collect(queue, plan)
    files.write_text(queue.folder / "results.json", json.dumps(result, indent=2) + "\n")
    files.write_text(queue.folder / "results.md", show.markdown(result))
    show.draw(result, queue.folder / "results.png")
    return result
