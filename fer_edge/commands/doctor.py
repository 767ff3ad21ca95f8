"""`fer-edge doctor`: what is installed, found and missing here."""

from __future__ import annotations

import typer

from fer_edge import console
from fer_edge.commands.options import Force, Json


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("doctor", epilog="Example: fer-edge doctor --json -")(doctor)


def doctor(json: Json = None, force: Force = False) -> None:
    """Say what is installed, found and missing here, and what to do about it."""
    console.reserve_stdout(json)
    from fer_edge.console import Table
    from fer_edge.doctor import examine

    found = examine()
    if console.console().is_terminal:
        table = Table("", headers := ("", "state", "found", "what to do"), words=headers)
        for finding in found:
            table.add(finding.what, finding.status, finding.found, finding.advice)
        table.show()
    else:
        for finding in found:
            advice = f"; {finding.advice}" if finding.advice else ""
            console.say(f"{finding.what}: {finding.status}: {finding.found}{advice}")
    keys = ("what", "status", "found", "advice")
    findings = [{key: getattr(finding, key) for key in keys} for finding in found]
    console.write_json(json, {"findings": findings}, force)
