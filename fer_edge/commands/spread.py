"""`fer-edge spread`: mean and standard deviation over trainings with other seeds."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands import options

EPILOG = "Example: fer-edge spread runs/nano-0 runs/nano-1 runs/nano-2 --markdown train/results/nano_seeds.md"


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("spread", epilog=EPILOG)(spread)


def spread(
    runs: Annotated[
        list[Path], typer.Argument(help="Folders of runs, or files that 'evaluate --json' wrote.")
    ],
    *,
    markdown: Annotated[
        Path | None, typer.Option("--markdown", metavar="FILE", help="Write the table as Markdown.")
    ] = None,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Mean and standard deviation of the scores of several runs of one recipe."""
    from fer_edge import console, files, tables
    from fer_edge.training import spread

    console.reserve_stdout(json)
    files.refuse_to_overwrite_any((markdown, json), force)
    summary = spread.summarise([spread.read(path) for path in runs])
    console.say(spread.heading(summary))
    tables.show(spread.table(summary))
    if markdown is not None:
        files.write_text(markdown, spread.markdown(summary))
    console.write_json(json, summary, force)
