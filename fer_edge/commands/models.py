"""`fer-edge models`: what ships, and what each file is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import typer

from fer_edge import console, files
from fer_edge.commands.options import Force, Json


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""
    app.command("models", epilog="Example: fer-edge models --json -")(models)


def models(json: Json = None, force: Force = False) -> None:
    """List the models that ship: formats, sizes, accuracy, the default; and the recipes."""
    console.reserve_stdout(json)
    from fer_edge.model import shipped
    from fer_edge.tables import Table, percent, size

    rows = [_described(path) for path in shipped.models()]
    table = Table("", ("model", "size", "acc %", "parameters", "expressions"), optional=("parameters",))
    for row in rows:
        name = row["name"] + (" (default)" if row["name"] == shipped.best_here() else "")
        table.add(name, size(row["bytes"]), percent(row["accuracy"]), row["parameters"], len(row["labels"]))
    table.notes = (
        "acc %: on FER-2013's PublicTest, by FER+'s labels where the model names FER+'s.",
        f"Networks to convert or to train on: {', '.join(path.stem for path in shipped.networks())}.",
        f"Recipes of train: {', '.join(path.stem for path in shipped.recipes('train'))}.",
        f"Recipes of convert: {', '.join(path.stem for path in shipped.recipes('convert'))}.",
    )
    table.show()
    console.write_json(json, {"default": shipped.best_here(), "models": rows}, force)


def _described(path: Path) -> dict[str, Any]:
    """name, format, bytes, labels, parameters, accuracy of a model file, from the card beside it."""
    card = files.parse_json(path.with_suffix(".json").read_bytes())
    return {
        "name": path.stem,
        "format": card["format"],
        "bytes": path.stat().st_size,
        "parameters": card["parameters"],
        "labels": card["labels"],
        "accuracy": card["measured"].get("accuracy"),
    }
