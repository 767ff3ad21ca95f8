"""`fer-edge data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_edge.commands import options

if TYPE_CHECKING:
    from rich.table import Table

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


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def data(
        path: Source,
        *,
        plot: Plot = None,
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Show what is in a data set: counts per class and split, duplicates, rows that are not valid."""
        from fer_edge import console, files
        from fer_edge.data import load
        from fer_edge.data.sheet import write_sheet
        from fer_edge.data.summary import summarise

        console.reserve_stdout(json)
        for output in (plot, Path(json) if json and json != "-" else None):
            if output is not None:
                files.refuse_to_overwrite(output, force)
        dataset = load(path, skip_bad_rows=skip_bad_rows, seed=seed)
        summary = summarise(dataset)
        console.console().print(_table(summary))
        for line in _lines(summary):
            console.say(line)
        if plot is not None:
            write_sheet(dataset, plot, seed)
            console.say(f"samples drawn into {plot}")
        console.write_json(json, summary, force)


def _table(summary: dict[str, Any]) -> Table:
    from rich.table import Table

    from fer_edge.spec import LABELS

    table = Table(title=f"{summary['path']}: {summary['n']:,} faces, protocol {summary['protocol']}")
    table.add_column("split")
    for label in (*LABELS, "all", "different"):
        table.add_column(label, justify="right")
    for split, counts in summary["counts"].items():
        within = summary["duplicates"]["within"][split]
        cells = [*counts.values(), within["rows"], within["different"]]
        table.add_row(split, *(f"{cell:,}" for cell in cells))
    totals = [sum(counts[label] for counts in summary["counts"].values()) for label in LABELS]
    table.add_section()
    table.add_row("all", *(f"{cell:,}" for cell in (*totals, summary["n"])), "")
    return table


def _lines(summary: dict[str, Any]) -> list[str]:
    lines = []
    for split, within in summary["duplicates"]["within"].items():
        if within["rows"] > within["different"]:
            lines.append(
                f"{split}: {within['different']:,} different pictures among {within['rows']:,} rows, "
                f"{within['several_labels']:,} of them under several labels"
            )
    lines += [
        f"{across['rows']:,} rows of {across['split']} are pixel for pixel in {across['of']}, "
        f"{across['other_label']:,} of them under another label"
        for across in summary["duplicates"]["across"]
    ]
    bad = summary["bad"]
    if bad["count"]:
        lines.append(f"{bad['count']:,} rows skipped:")
        lines += [f"  {row['where']}: {row['why']}" for row in bad["rows"][:SHOWN]]
        if bad["count"] > SHOWN:
            lines.append(f"  and {bad['count'] - SHOWN:,} more (--json lists the first thousand)")
    return [*lines, f"content sha256 {summary['sha256']}"]
