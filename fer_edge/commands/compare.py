"""`fer-edge compare`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands import completion, options

EXAMPLE = "Example: fer-edge compare tuned_float32 tuned_int8 --target all --data fer2013.csv"

Models = Annotated[
    list[str] | None,
    typer.Argument(
        help="Shipped models' names or .tflite files; default: all that ship.",
        autocompletion=completion.models,
    ),
]
Targets = Annotated[
    list[str] | None,
    typer.Option(
        "--target",
        metavar="NAME",
        help="microcontroller, ethos-u55-128, onnx, web or all.",
        autocompletion=completion.targets,
    ),
]


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command(epilog=EXAMPLE)
    def compare(
        models: Models = None,
        *,
        target: Targets = None,
        data: options.OptionalData = None,
        limit: Annotated[int, typer.Option(min=1, help="Pictures of PublicTest at most.")] = 500,
        runs: Annotated[int, typer.Option(min=0, help="Timed inferences of each file.")] = 200,
        markdown: Annotated[Path | None, typer.Option(metavar="FILE", help="Write the table.")] = None,
        votes: options.Votes = None,
        skip_bad_rows: options.SkipBadRows = False,
        seed: options.Seed = 0,
        json: options.Json = None,
        force: options.Force = False,
    ) -> None:
        """Put files and targets side by side: size, work, memory, and whether all say the same."""
        from fer_edge import console, files, machine
        from fer_edge.model import shipped
        from fer_edge.targets import comparison, comparison_show, kinds, pictures

        console.reserve_stdout(json)
        files.refuse_to_overwrite_any((json, markdown), force)
        paths = [shipped.find_model(name) for name in models] if models else shipped.models()
        names = target or []
        wanted = kinds.all_targets() if "all" in names else tuple(kinds.parse(name) for name in names)
        if data is None:
            seen = pictures.drawn()
        else:
            seen = pictures.of(data, limit, seed=seed, skip_bad_rows=skip_bad_rows, votes=votes)
        described = machine.describe()
        found = comparison.rows(paths, wanted, seen, runs, lenient="all" in names)
        comparison_show.show(found, seen.name)
        if markdown is not None:
            where = ", ".join(
                str(described[key]) for key in ("cpu", "system", "interpreter") if described[key]
            )
            files.write_text(markdown, comparison_show.markdown(found, seen.name, where))
        result = {"machine": described, "pictures": seen.name, "rows": [row.to_dict() for row in found]}
        console.write_json(json, result, force)
