"""`fer-edge data`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument, Option

from fer_edge.commands import options

if TYPE_CHECKING:
    from fer_edge.console import Table

SHOWN = 20
"""Bad rows to print; the JSON file has all."""


def data(
    path: Annotated[
        str | None,
        Argument(metavar="PATH", envvar="FER_EDGE_DATA", help=f"{options.DATA} 'drawn:N' draws N faces."),
    ] = None,
    *,
    plot: Annotated[Path | None, options.file("Write a picture with samples.")] = None,
    augmented: Annotated[Path | None, options.file("Write a picture with a recipe's augmentations.")] = None,
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
    from fer_edge.conversion import source
    from fer_edge.data import ferplus, load, summarise
    from fer_edge.model import shipped
    from fer_edge.training import recipes

    if table5:
        paper.table_5().show()
        return
    files.refuse_to_overwrite_any((plot, augmented, json), force, [path])
    how = recipes.read(shipped.recipe("train", recipe)).augmentation
    read = load(path, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
    dataset = ferplus.chosen(read, labels)
    summary = summarise(dataset)
    console.say(f"{summary['path']}: {summary['n']:,} faces, protocol {summary['protocol']}")
    _table(summary).show()
    for line in [*_lines(summary), *(f"too few: {text}" for text in source.lacking(dataset))]:
        console.say(line)
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
    """A row for each expression, their sum, and how many pictures are different."""
    from fer_edge.console import Table

    counts, duplicates = summary["counts"], summary["duplicates"]
    rows = {label: [split[label] for split in counts.values()] for label in counts["Training"]}
    rows = {label: [*numbers, sum(numbers)] for label, numbers in rows.items()}
    rows["all"] = [sum(numbers) for numbers in zip(*rows.values(), strict=True)]
    different = [within["different"] for within in duplicates["within"].values()]
    rows["different"] = [*different, duplicates["different"]]
    cells = [(name, *(f"{number:,}" for number in numbers)) for name, numbers in rows.items()]
    return Table("", ("", *counts, "all"), [*cells])


def _lines(summary: dict[str, Any]) -> Iterator[str]:
    duplicates, bad = summary["duplicates"], summary["bad"]
    for split, found in duplicates["within"].items():
        if found["rows"] > found["different"]:
            yield (
                f"{split}: {found['different']:,} different pictures among {found['rows']:,} rows, "
                f"{found['several_labels']:,} of them under several labels"
            )
    shared = [across for across in duplicates["across"] if across["rows"]]
    for across in shared:
        yield (
            f"of {across['split']}, pixel for pixel in {across['of']} too: {across['rows']:,}, "
            f"{across['other_label']:,} of them under another label"
        )
    if not shared:
        yield "no picture is in two splits"
    if bad["count"]:
        yield f"skipped as not valid: {bad['count']:,}"
        yield from (f"  {row['where']} {row['why']}" for row in bad["rows"][:SHOWN])
    if bad["count"] > SHOWN:
        yield f"  and {bad['count'] - SHOWN:,} more (--json lists them)"
    yield f"content sha256 {summary['sha256']}"
