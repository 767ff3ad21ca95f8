"""`fer-edge data`."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from fer_edge.commands import options
from fer_edge.console import Table

SHOWN = 20  # bad rows to print at most; the JSON file has all


def data(
    path: Annotated[
        str | None,
        Argument(metavar="PATH", envvar="FER_EDGE_DATA", help=f"{options.DATA} 'drawn:N' draws N faces."),
    ] = None,
    *,
    plot: Annotated[Path | None, options.file("Write a picture with samples.", plot=True)] = None,
    augmented: Annotated[Path | None, options.file("Draw a recipe's augmentations.", plot=True)] = None,
    recipe: options.TrainRecipe = "paper",
    table5: Annotated[bool, Option(help="Only print the paper's Table 5 (equation 1).")] = False,
    labels: options.Labels = None,
    class_names: options.ClassNames = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = 0,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Show what is in a data set: counts per class and split, duplicates, invalid rows.

    FER-2013 was made for Kaggle's contest "Challenges in Representation Learning: Facial Expression
    Recognition Challenge": fer2013.csv, about 300 MB, or icml_face_data.csv there. Mirrors have the CSV
    file (deadskull7/fer2013) or a tree of pictures (msambare/fer2013). FER+ has new labels for it:
    fer2013new.csv (1.6 MB) from github.com/microsoft/FERPlus; use --labels ferplus:fer2013new.csv.
    'drawn' needs no download: the program draws the faces.
    """
    from fer_edge import console, files, paper, sheets
    from fer_edge.data import ferplus, load, summarise
    from fer_edge.training import recipes

    if table5:
        paper.table_5().show()
        return console.write_json(json, {"table_5": paper.TABLE_5}, force)
    files.refuse_to_overwrite_any((plot, augmented, json), force, [path, recipe, ferplus.file_of(labels)])
    how = recipes.read(recipe).augmentation
    dataset = load(path, labels, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
    summary = summarise(dataset)
    console.say(f"{summary['path']}: {summary['n']:,} faces, protocol {summary['protocol']}")
    _table(summary).show()
    if bad := summary["bad"]["rows"]:
        console.say(f"skipped as not valid: {len(bad):,}")
    for row in bad[:SHOWN]:
        console.say(f"  {row['where']} {row['why']}")
    console.say(f"content sha256 {summary['sha256']}")
    if plot is not None:
        rows = sheets.samples(dataset, seed)
        sheets.draw(rows, dataset.label_names, [""] * sheets.SAMPLES, plot, force)
        console.say(f"samples drawn into {plot}")
    if augmented is not None:
        heads, rows = sheets.augmentations(dataset, how, seed)
        sheets.draw(rows, dataset.label_names, heads, augmented, force)
        console.say(f"changes of recipe {recipe} drawn into {augmented}")
    console.write_json(json, summary, force)


def _table(summary: dict[str, Any]) -> Table:
    """Pictures of each expression, how many are different, and which are in two splits, pixel for pixel."""
    table = Table("", ("", *summary["counts"], "all"))

    def add(name: str, *numbers: int | None) -> None:
        table.add(name, *("" if number is None else f"{number:,}" for number in numbers))

    splits = [[*counts.values(), sum(counts.values())] for counts in summary["counts"].values()]
    for label, *numbers in zip([*summary["counts"]["Training"], "all"], *splits, strict=True):
        add(label, *numbers, sum(numbers))
    duplicates = summary["duplicates"]
    add("different", *duplicates["within"].values(), duplicates["different"])
    for of in ("Training", "PublicTest"):
        shared = {own["split"]: own["rows"] for own in duplicates["across"] if own["of"] == of}
        add(f"also in {of}", *map(shared.get, summary["counts"]), None)
    return table
