"""`fer-edge data`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from fer_edge.commands import completion, options

EXAMPLE = "Example: fer-edge data fer2013.csv.xz --plot samples.png --json data.json"
SHOWN = 20
"""Bad rows that are listed one by one; the JSON file has the first thousand."""

Source = Annotated[
    str,
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
    typer.Option("--augmented", metavar="FILE", help="Draw a recipe's augmentations into this picture."),
]
Recipe = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="Whose augmentations: a name or a TOML file.",
        autocompletion=completion.train_recipes,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def data(
        path: Source,
        *,
        plot: Plot = None,
        augmented: Augmented = None,
        recipe: Recipe = "paper",
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Show what is in a data set: counts per class and split, duplicates, rows that are not valid."""
        from fer_edge import console, files
        from fer_edge.conversion import needs
        from fer_edge.data import load
        from fer_edge.data.sheet import draw_sheet, write_sheet
        from fer_edge.data.summary import summarise
        from fer_edge.evaluation import figures
        from fer_edge.model import shipped
        from fer_edge.training import recipes

        console.reserve_stdout(json)
        files.refuse_to_overwrite_any((plot, augmented, json), force)
        dataset = load(path, skip_bad_rows=skip_bad_rows, seed=seed)
        summary = summarise(dataset)
        _show(summary)
        for line in [*_lines(summary), *(f"too few: {text}" for text in needs.lacking(dataset))]:
            console.say(line)
        if plot is not None:
            write_sheet(draw_sheet(dataset, seed), plot)
            console.say(f"samples drawn into {plot}")
        if augmented is not None:
            how = recipes.read(shipped.recipe("train", recipe)).augmentation
            write_sheet(figures.augmentation_sheet(dataset, how, seed), augmented)
            console.say(f"augmentations of recipe {recipe} drawn into {augmented}")
        console.write_json(json, summary, force)


def _cells(summary: dict[str, Any]) -> list[list[str]]:
    """Header, a row for each expression, their sum, and how many pictures are different."""
    from fer_edge.spec import LABELS

    counts = summary["counts"]
    within = summary["duplicates"]["within"]
    rows = [["", *counts, "all"]]
    for label in LABELS:
        numbers = [counts[split][label] for split in counts]
        rows.append([label, *(f"{number:,}" for number in (*numbers, sum(numbers)))])
    rows.append(["all", *(f"{within[split]['rows']:,}" for split in counts), f"{summary['n']:,}"])
    different = [*(within[split]["different"] for split in counts), summary["duplicates"]["different"]]
    rows.append(["different", *(f"{number:,}" for number in different)])
    return rows


def _show(summary: dict[str, Any]) -> None:
    """A table on a terminal, aligned plain lines elsewhere."""
    from fer_edge import console

    title = f"{summary['path']}: {summary['n']:,} faces, protocol {summary['protocol']}"
    header, *rows = _cells(summary)
    terminal = console.console()
    if not terminal.is_terminal:
        console.say(title)
        for first, *numbers in (header, *rows):
            console.say(f"{first:<9}" + "".join(f"{number:>12}" for number in numbers))
        return
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(title))
    for name in header:
        table.add_column(name, justify="right" if name else "left")
    for index, row in enumerate(rows):
        table.add_row(*row, end_section=index == len(rows) - 3)
    terminal.print(table)


def _lines(summary: dict[str, Any]) -> list[str]:
    lines = []
    for split, within in summary["duplicates"]["within"].items():
        if within["rows"] > within["different"]:
            lines.append(
                f"{split}: {within['different']:,} different pictures among {within['rows']:,} rows, "
                f"{within['several_labels']:,} of them under several labels"
            )
    across_splits = [across for across in summary["duplicates"]["across"] if across["rows"]]
    lines += [
        f"of {across['split']}, pixel for pixel in {across['of']} too: {across['rows']:,}, "
        f"{across['other_label']:,} of them under another label"
        for across in across_splits
    ]
    if not across_splits:
        lines.append("no picture is in two splits")
    bad = summary["bad"]
    if bad["count"]:
        lines.append(f"skipped as not valid: {bad['count']:,}")
        lines += [f"  {row['where']}: {row['why']}" for row in bad["rows"][:SHOWN]]
        if bad["count"] > SHOWN:
            lines.append(f"  and {bad['count'] - SHOWN:,} more (--json lists the first thousand)")
    return [*lines, f"content sha256 {summary['sha256']}"]
