"""`fer-edge data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_edge.commands import options

if TYPE_CHECKING:
    from fer_edge.tables import Table

EXAMPLE = "Example: fer-edge data fer2013.csv.xz --plot samples.png --json data.json"
SHOWN = 20
"""Bad rows that are listed one by one; the JSON file has the first thousand."""

Source = Annotated[
    str | None,
    typer.Argument(
        metavar="PATH",
        envvar="FER_EDGE_DATA",
        help="fer2013.csv (also .xz .gz .zip), icml_face_data.csv, a folder tree, or 'drawn' ('drawn:N').",
    ),
]
Plot = Annotated[
    Path | None, typer.Option("--plot", metavar="FILE", help="Draw a sheet of samples into this picture.")
]
Augmented = Annotated[
    Path | None,
    typer.Option("--augmented", metavar="FILE", help="Draw a recipe's changes of pictures (Figure 6)."),
]
Recipe = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="Whose changes: a name or a TOML file.",
        autocompletion=options.complete_train_recipes,
    ),
]
Table5 = Annotated[
    bool,
    typer.Option("--table5", help="Only the paper's Table 5: gray levels and what equation 1 makes of them."),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def data(
        path: Source = None,
        *,
        plot: Plot = None,
        augmented: Augmented = None,
        recipe: Recipe = "paper",
        table5: Table5 = False,
        class_names: options.ClassNames = None,
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Show what is in a data set: counts per class and split, duplicates, rows that are not valid."""
        from fer_edge import console, files, paper
        from fer_edge.conversion import source
        from fer_edge.data import load, summarise
        from fer_edge.model import shipped
        from fer_edge.training import recipes

        console.reserve_stdout(json)
        if table5:
            paper.table_5().show()
            return
        files.refuse_to_overwrite_any((plot, augmented, json), force)
        how = recipes.read(shipped.recipe("train", recipe)).augmentation
        dataset = load(path, skip_bad_rows=skip_bad_rows, seed=seed, class_names=class_names)
        summary = summarise(dataset)
        console.say(f"{summary['path']}: {summary['n']:,} faces, protocol {summary['protocol']}")
        _table(summary).show()
        for line in [*_lines(summary), *(f"too few: {text}" for text in source.lacking(dataset))]:
            console.say(line)
        from fer_edge import sheets

        if plot is not None:
            sheets.write_sheet(sheets.sample_sheet(dataset, seed), plot, force)
            console.say(f"samples drawn into {plot}")
        if augmented is not None:
            sheets.write_sheet(sheets.augmentation_sheet(dataset, how, seed), augmented, force)
            console.say(f"changes of recipe {recipe} drawn into {augmented}")
        console.write_json(json, summary, force)


def _table(summary: dict[str, Any]) -> Table:
    """A row for each expression, their sum, and how many pictures are different."""
    from fer_edge.spec import LABELS
    from fer_edge.tables import Table

    counts, within = summary["counts"], summary["duplicates"]["within"]
    table = Table("", ("", *counts, "all"))

    def add(name: str, numbers: list[int], whole: int) -> None:
        table.add(name, *(f"{number:,}" for number in (*numbers, whole)))

    for label in LABELS:
        numbers = [counts[split][label] for split in counts]
        add(label, numbers, sum(numbers))
    add("all", [within[split]["rows"] for split in counts], summary["n"])
    add("different", [within[split]["different"] for split in counts], summary["duplicates"]["different"])
    return table


def _lines(summary: dict[str, Any]) -> list[str]:
    duplicates, bad = summary["duplicates"], summary["bad"]
    lines = [
        f"{split}: {found['different']:,} different pictures among {found['rows']:,} rows, "
        f"{found['several_labels']:,} of them under several labels"
        for split, found in duplicates["within"].items()
        if found["rows"] > found["different"]
    ]
    across_splits = [across for across in duplicates["across"] if across["rows"]]
    lines += [
        f"of {across['split']}, pixel for pixel in {across['of']} too: {across['rows']:,}, "
        f"{across['other_label']:,} of them under another label"
        for across in across_splits
    ] or ["no picture is in two splits"]
    if bad["count"]:
        lines.append(f"skipped as not valid: {bad['count']:,}")
        lines += [f"  {row['where']} {row['why']}" for row in bad["rows"][:SHOWN]]
        if bad["count"] > SHOWN:
            lines.append(f"  and {bad['count'] - SHOWN:,} more (--json lists the first thousand)")
    return [*lines, f"content sha256 {summary['sha256']}"]
