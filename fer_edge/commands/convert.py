"""`fer-edge convert` and `fer-edge verify`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from fer_edge.commands import options
from fer_edge.errors import UsageError

HOW_TO_GIVE_DATA = (
    "converting needs pictures to calibrate and verify on: give --data PATH (fer2013.csv, a folder tree, "
    "or 'drawn'), or set FER_EDGE_DATA"
)
SOURCE = "A .keras file or a training run's folder; default: the newest of runs/, else the shipped one."
TARGETS = "microcontroller, ethos-u55-128 (and its kin), onnx, web, all; also of a .tflite MODEL as it is."

Recipe = Annotated[
    str,
    typer.Option(
        "--recipe",
        help="Name of a shipped recipe, or a TOML file.",
        autocompletion=options.complete_convert_recipes,
    ),
]


def convert(
    model: Annotated[str | None, typer.Argument(metavar="[MODEL.keras]", help=SOURCE)] = None,
    *,
    data: options.OptionalData = None,
    float32: Annotated[bool, typer.Option(help="32-bit weights and sums.")] = False,
    float16: Annotated[bool, typer.Option(help="16-bit weights: half the size.")] = False,
    dynamic_range: Annotated[bool, typer.Option(help="8-bit weights, ranges found while running.")] = False,
    int8: Annotated[bool, typer.Option(help="8-bit weights and sums, float at the end.")] = False,
    full_integer: Annotated[bool, typer.Option(help="int8 in and out, no float at all.")] = False,
    int16x8: Annotated[bool, typer.Option(help="int16 sums, 8-bit weights; slow on processors.")] = False,
    all_: Annotated[
        bool, typer.Option("--all", help="float32, float16, dynamic range and int8; the default.")
    ] = False,
    calibration_samples: Annotated[
        int | None, typer.Option(min=1, help="Pictures of Training that set the integer ranges.")
    ] = None,
    qat: Annotated[
        bool, typer.Option(help="Train integer files with their rounding, for some minutes.")
    ] = False,
    sparsity: Annotated[
        float | None,
        typer.Option(min=0.0, max=0.99, help="Share of weights set to 0 and trained: smaller downloads."),
    ] = None,
    clusters: Annotated[
        int | None,
        typer.Option(min=2, max=256, help="Values that each layer keeps, trained: smaller downloads."),
    ] = None,
    mirror: Annotated[
        bool,
        typer.Option(help="Two views in one file, the picture and its mirror image: NAME_mirror_FORMAT."),
    ] = False,
    target: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help=TARGETS, autocompletion=options.complete_targets),
    ] = None,
    recipe: Recipe = "default",
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Default: the model's folder.")] = None,
    name: Annotated[str | None, typer.Option(help="NAME of NAME_FORMAT.tflite; default: the card's.")] = None,
    labels: options.Labels = None,
    class_names: options.ClassNames = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = 0,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Convert a Keras model to .tflite files, each verified against it on real pictures before it is written.

    Exit 3 if a format does not agree well enough; its file is then not written.
    """
    from fer_edge import console, targets
    from fer_edge.conversion import command, formats

    wanted = targets.parse(target or ())
    for one in wanted:
        one.require()
    flags = {"float32": float32, "float16": float16, "dynamic_range": dynamic_range, "int8": int8}
    flags |= {"full_integer": full_integer, "int16x8": int16x8}
    asked = {format_ for format_, flag in flags.items() if flag} | {f for one in wanted for f in one.formats}
    if all_ or not asked:
        asked |= {format_ for format_, making in formats.FORMATS.items() if making.usual}
    request = command.Request(
        model,
        data or "",
        recipe,
        seed,
        labels,
        skip_bad_rows,
        force,
        class_names,
        formats=tuple(format_ for format_ in formats.FORMATS if format_ in asked),
        calibration_samples=calibration_samples,
        out=out,
        name=name,
        qat=qat,
        sparsity=sparsity,
        clusters=clusters,
        mirror=mirror,
    )
    if wanted and (file := targets.tflite_file(model)) is not None:
        rows = targets.write_all([(one, file) for one in wanted], request)
        console.write_json(json, {"source": str(file), "targets": rows}, force)
        return
    if data is None:
        raise UsageError(HOW_TO_GIVE_DATA)
    result = command.convert(request, None if wanted else json)
    if wanted:
        made = {output["format"]: Path(output["path"]) for output in result["outputs"]}
        jobs = [(one, made[format_]) for one in wanted for format_ in one.formats]
        result["targets"] = targets.write_all(jobs, request)
        console.write_json(json, result, force)


def verify(
    converted: Annotated[str, typer.Argument(metavar="FILE.tflite", help="The file to prove.")],
    model: Annotated[str, typer.Argument(metavar="MODEL.keras", help="The model that it was made from.")],
    *,
    data: options.OptionalData = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="Whose limits hold; default: the card's format.")
    ] = None,
    card: options.Card = None,
    recipe: Recipe = "default",
    labels: options.Labels = None,
    class_names: options.ClassNames = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = 0,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Prove a .tflite file, made by whatever program, against its Keras model; exit 3 if it fails."""
    from fer_edge.conversion import command

    if data is None:
        raise UsageError(HOW_TO_GIVE_DATA)
    request = command.Request(model, data, recipe, seed, labels, skip_bad_rows, force, class_names)
    command.verify(request, converted, format_, card, json)
