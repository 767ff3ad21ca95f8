"""`fer-edge doctor`: what is installed, found and missing here."""

from __future__ import annotations

import dataclasses

import typer

from fer_edge import console
from fer_edge.commands.options import Force, Json


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("doctor", epilog="Example: fer-edge doctor --json -")(doctor)


def doctor(json: Json = None, force: Force = False) -> None:
    """Say what is installed, found and missing here, and what to do about it."""
    console.reserve_stdout(json)
    from rich.table import Table
    from rich.text import Text

    from fer_edge.doctor import examine
    from fer_edge.findings import Status

    findings = examine()
    colors = {Status.OK: "green", Status.NOTE: "yellow", Status.MISSING: "red"}
    out = console.console()
    if out.is_terminal:
        table = Table("", "", "found", "what to do", box=None)
        for finding in findings:
            status = Text(finding.status, style=colors[finding.status])
            # Text, since "fer-edge[train]" would be taken for markup.
            table.add_row(finding.what, status, Text(finding.found), Text(finding.advice))
        out.print(table)
    else:
        for finding in findings:
            advice = f"; {finding.advice}" if finding.advice else ""
            console.say(f"{finding.what}: {finding.status}: {finding.found}{advice}")
    console.write_json(json, {"findings": [dataclasses.asdict(finding) for finding in findings]}, force)
