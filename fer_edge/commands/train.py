"""`fer-edge train`: a training set to a float32 network with its card; `sweep`: the paper's search."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from fer_edge.commands import options

INSTEAD = "In place of the recipe's."

Recipe = Annotated[
    str,
    typer.Option(
        help="Name of a shipped recipe, or a TOML file.", autocompletion=options.complete_train_recipes
    ),
]


def train(
    *,
    data: options.Data = None,
    class_names: options.ClassNames = None,
    recipe: Recipe = "plain",
    out: Annotated[Path | None, typer.Option(help="Folder of the run; default runs/RECIPE.")] = None,
    resume: Annotated[bool, typer.Option(help="Go on with the run in --out.")] = False,
    epochs: Annotated[int | None, typer.Option(min=1, help=INSTEAD)] = None,
    batch_size: Annotated[int | None, typer.Option(min=2, help=INSTEAD)] = None,
    dropout: Annotated[float | None, typer.Option(min=0, max=0.99, help=INSTEAD)] = None,
    learning_rate: Annotated[float | None, typer.Option(help=INSTEAD)] = None,
    protocol: Annotated[str | None, typer.Option(help="official or paper; default: the recipe's.")] = None,
    precision: options.Precision = "auto",
    labels: options.Labels = None,
    teacher: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL",
            help="Learn its probabilities too; several: their mean.",
            autocompletion=options.complete_models,
        ),
    ] = None,
    weights: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME|FILE",
            help="Start from the weights of a shipped network or a .keras file (its last layer may differ); "
            "several: their mean.",
            autocompletion=options.complete_networks,
        ),
    ] = None,
    deterministic: Annotated[bool, typer.Option(help="Same seed and machine, same weights; slower.")] = False,
    seed: options.Seed = 0,
    skip_bad_rows: options.SkipBadRows = False,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Train a network by a recipe and report it; a checkpoint each epoch survives a kill.

    Without --recipe: the paper's network by today's recipe on the labels alone, with which 'tuned' begins.
    """
    from fer_edge import console, files
    from fer_edge.data import load
    from fer_edge.errors import OutputError
    from fer_edge.model import shipped
    from fer_edge.quiet import quiet_training
    from fer_edge.training import recipes

    # All that can be refused is refused before Keras has loaded, and before anything is written.
    files.refuse_to_overwrite_any((json,), force, (data, recipe))
    chosen = recipes.read(shipped.recipe("train", recipe)).override(
        epochs=epochs, batch_size=batch_size, dropout=dropout, learning_rate=learning_rate, protocol=protocol
    )
    teachers, starts = teacher or (), weights or ()
    chosen.check_given(teachers, labels)
    for find, names in ((shipped.find_network, starts), (shipped.find_either, teachers)):
        for name in names:
            find(name)
    folder = out or Path("runs") / chosen.name
    files.refuse_to_overwrite(folder / "model.keras", force=True)
    if (folder / "checkpoint").exists() and not (resume or force):
        raise OutputError(f"{folder} holds a training: go on with --resume, or begin anew with --force")
    splits = chosen.split(load(data, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names), labels)
    console.say(f"recipe {chosen.name}: network {chosen.network}, {chosen.epochs} epochs, into {folder}")
    with console.working("starting Keras"):
        quiet_training(deterministic)
        from fer_edge.training import session

    metrics = session.run(
        chosen, splits, folder, seed, resume=resume, precision=precision, teachers=teachers, weights=starts
    )
    if metrics:  # only the first of several processes has them
        console.write_json(json, metrics, force)


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
    recipe: Recipe = "paper",
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

    files.refuse_to_overwrite_any((json,), force, (data, recipe))
    base = recipes.read(shipped.recipe("train", recipe)).override(protocol=protocol)
    base.check_given(labels=labels)
    splits = base.split(load(data, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names), labels)
    with console.working("starting Keras"):
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
