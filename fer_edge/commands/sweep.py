"""`fer-edge sweep`: the paper's search of batch size, epochs and dropout."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fer_edge.commands import options

EPILOG = (
    "Example: fer-edge sweep --data fer2013.csv --out runs/sweep. The same command again goes on after a "
    "kill; given at the same time in another terminal, or on another machine that sees the folder, it shares "
    "the work."
)


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("sweep", epilog=EPILOG)(sweep)


def sweep(
    *,
    data: options.Data = None,
    class_names: options.ClassNames = None,
    stage: Annotated[
        Literal["batch", "epochs", "dropout", "all"], typer.Option(help="all: one after the other.")
    ] = "all",
    out: Annotated[Path, typer.Option(help="Folder of the study, its trials and its results.")] = Path(
        "runs/sweep"
    ),
    recipe: Annotated[
        str,
        typer.Option(
            help="What the trials vary: a recipe's name, or a file.",
            autocompletion=options.complete_train_recipes,
        ),
    ] = "paper",
    values: Annotated[
        Literal["table3", "reported", "both"],
        typer.Option(help="As the paper planned, as its Tables 7 to 9 report, or both."),
    ] = "both",
    epochs_scale: Annotated[
        float, typer.Option(metavar="FRACTION", help="Part of the epochs, and of the patience, to train.")
    ] = 1.0,
    subset: Annotated[
        int | None, typer.Option(min=10, metavar="N", help="Pictures to train on, and to validate on.")
    ] = None,
    protocol: Annotated[str, typer.Option(help="paper or official (see 'fer-edge train').")] = "paper",
    labels: options.Labels = None,
    precision: options.Precision = "auto",
    seed: options.Seed = 0,
    skip_bad_rows: options.SkipBadRows = False,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Search batch size, then epochs, then dropout, as the paper did; resumable, shared by processes."""
    from fer_edge import console, files
    from fer_edge.data import load
    from fer_edge.model import shipped
    from fer_edge.quiet import quiet_training
    from fer_edge.training import recipes

    console.reserve_stdout(json)
    files.refuse_to_overwrite_any((json,), force)
    base = recipes.read(shipped.recipe("train", recipe)).override(protocol=protocol)
    base.check_given(labels=labels)
    dataset = load(data, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
    splits = base.split(dataset, labels)
    quiet_training()
    from fer_edge.training import sweep as search

    plan = search.Plan(base, values, epochs_scale, subset)
    stages = tuple(search.STAGES) if stage == "all" else (stage,)
    result = search.Sweep(plan, splits, out, seed, precision).run(stages)
    for table in search.tables(result):
        console.say("")
        console.say(table.title)
        table.show()
    console.write_json(json, result, force)
