"""`fer-edge train`: a training set to a float32 network with its card; `sweep`: the paper's search."""

from pathlib import Path
from typing import Annotated

from typer import Option

from fer_edge.commands import options

INSTEAD = "Overrides the recipe."
TEACHER = "Also learn this model's probabilities; several: their mean."
START = "Start from an included network or a .keras file (the last layer may differ); several: their mean."


def train(
    *,
    data: options.Data = None,
    class_names: options.ClassNames = None,
    recipe: options.TrainRecipe = "plain",
    out: Annotated[Path | None, Option(help="Folder of the run; default runs/RECIPE.")] = None,
    resume: Annotated[bool, Option(help="Continue the run in --out.")] = False,
    epochs: Annotated[int | None, Option(min=1, help=INSTEAD)] = None,
    batch_size: Annotated[int | None, Option(min=2, help=INSTEAD)] = None,
    dropout: Annotated[float | None, Option(min=0, max=0.99, help=INSTEAD)] = None,
    learning_rate: Annotated[float | None, Option(help=INSTEAD)] = None,
    protocol: Annotated[str | None, Option(help="official or paper; default: the recipe's.")] = None,
    precision: options.Precision = "auto",
    labels: options.Labels = None,
    teacher: Annotated[list[str] | None, Option(metavar="MODEL", help=TEACHER)] = None,
    weights: Annotated[list[str] | None, Option(metavar="NAME|FILE", help=START)] = None,
    deterministic: Annotated[bool, Option(help="Same seed and machine, same weights; slower.")] = False,
    seed: options.Seed = 0,
    skip_bad_rows: options.SkipBadRows = False,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Train a network with a recipe and report its accuracy; saves a checkpoint every epoch.

    Without --recipe: the paper's network with today's recipe on labels only, the first step of 'tuned'.
    """
    from fer_edge import console, files
    from fer_edge.data import ferplus, load
    from fer_edge.errors import OutputError
    from fer_edge.model import shipped
    from fer_edge.quiet import quiet_training
    from fer_edge.training import recipes

    # Refuse what can be refused before Keras loads and before anything is written.
    teachers, starts = teacher or (), weights or ()
    inputs = (data, recipe, ferplus.file_of(labels), *teachers, *starts)
    files.refuse_to_overwrite_any((json,), force, inputs)
    chosen = recipes.read(recipe).override(
        epochs=epochs, batch_size=batch_size, dropout=dropout, learning_rate=learning_rate, protocol=protocol
    )
    chosen.check_given(teachers, labels)
    for find, names in ((shipped.find_network, starts), (shipped.find_either, teachers)):
        for name in names:
            find(name)
    folder = out or Path("runs") / chosen.name
    begun = (folder / "checkpoint").exists()
    results = [folder / name for name in ("model.keras", "metrics.json", "card.json")]
    files.refuse_to_overwrite_any(results, force or begun)  # a training's, or somebody's
    files.refuse_to_overwrite_any((json, *results), True)  # which --json is none of
    own = folder / "recipe.toml"
    if not begun and own.exists() and own.samefile(shipped.recipe("train", recipe)):
        raise OutputError(f"{own} would be rewritten without its comments: choose another --out")
    if begun and not (resume or force):
        raise OutputError(f"{folder} has a training: continue it with --resume, or start over with --force")
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
    out: Annotated[Path, Option(help="Folder of the trials and results.")] = Path("runs/sweep"),
    recipe: options.TrainRecipe = "paper",
    epochs_scale: Annotated[float, Option(metavar="FRACTION", help="Scales epochs and patience.")] = 1.0,
    subset: Annotated[int | None, Option(min=10, metavar="N", help="Train and validate on N faces.")] = None,
    precision: options.Precision = "auto",
    seed: options.Seed = 0,
    skip_bad_rows: options.SkipBadRows = False,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Search batch size, then epochs, then dropout, like the paper; run it again to continue."""
    from fer_edge import console, files
    from fer_edge.data import load
    from fer_edge.quiet import quiet_training
    from fer_edge.training import recipes

    files.refuse_to_overwrite_any((json,), force, (data, recipe))
    base = recipes.read(recipe).override(protocol="paper")
    base.check_given()
    splits = base.split(load(data, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names))
    with console.working("starting Keras"):
        quiet_training()
        from fer_edge.training import sweep as search

    plan = search.Plan(base, epochs_scale, subset)
    result = search.run(plan, splits, out, seed, precision)
    for table in search.tables(result):
        console.say("")
        console.say(table.title)
        table.show()
    console.write_json(json, result, force)
