"""`fer-edge inspect`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands import options

EXAMPLE = "Example: fer-edge inspect other.tflite --layers --target microcontroller"

Model = Annotated[
    str,
    typer.Argument(
        help="A shipped model's name (tuned_int8) or a .tflite file.", autocompletion=options.complete_models
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="Also try microcontroller, ethos-u55-128, onnx, web or all.",
        autocompletion=options.complete_targets,
    ),
]
Layers = Annotated[bool, typer.Option("--layers", help="Each layer, in place of a line an operator.")]
Card = Annotated[
    Path | None, typer.Option("--card", metavar="FILE", help="Card (JSON) of a model that carries none.")
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def inspect(
        model: Model,
        *,
        target: Targets = None,
        layers: Layers = False,
        card: Card = None,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Say what a .tflite file takes, gives, contains, lacks, and which targets take it."""
        from fer_edge import console, files
        from fer_edge.model import shipped
        from fer_edge.targets import inspection

        console.reserve_stdout(json)
        files.refuse_to_overwrite_any((json,), force)
        names = target or []
        path = shipped.find_model(model)
        found = inspection.inspect(path)
        answers = []
        if names:
            from fer_edge.model.classifier import Classifier
            from fer_edge.targets import command

            subject = Classifier(path, card=card)
            answers = [command.tried(one, subject, card) for one in command.parse(names)]
        inspection.show(found, answers, layers)
        console.write_json(json, {**found, "targets": answers}, force)
