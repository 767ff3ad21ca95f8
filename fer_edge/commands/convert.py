"""`fer-edge convert` and `fer-edge verify`."""

from pathlib import Path
from typing import Annotated, Any

from typer import Argument, Option

from fer_edge.commands import options

SOURCE = "A .keras file or the folder of a training; default: the newest in runs/, else the included one."
TARGETS = "microcontroller, ethos-u55-128 (and similar), onnx, web; MODEL may also be a .tflite file."
SPARSITY = "Share of weights to set to 0, with fine-tuning: smaller downloads."
CLUSTERS = "Distinct weights per layer, with fine-tuning: smaller downloads."
MIRROR = "Two views in one file, the picture and its mirror image: NAME_mirror_FORMAT."

Recipe = Annotated[str, Option("--recipe", help="Name of an included recipe, or a TOML file.")]


def convert(
    model: Annotated[str | None, Argument(metavar="[MODEL.keras]", help=SOURCE)] = None,
    *,
    data: options.OptionalData = None,
    float32: Annotated[bool, Option(help="32-bit weights and activations.")] = False,
    float16: Annotated[bool, Option(help="16-bit weights: half the size.")] = False,
    dynamic_range: Annotated[bool, Option(help="8-bit weights, float activations.")] = False,
    int8: Annotated[bool, Option(help="8-bit weights and activations, last layers in float.")] = False,
    full_integer: Annotated[bool, Option(help="int8 in and out, no floats if layers allow.")] = False,
    int16x8: Annotated[bool, Option(help="8-bit weights, 16-bit activations; slow on processors.")] = False,
    all_: Annotated[bool, Option("--all", help="Default: float32, float16, dynamic range, int8.")] = False,
    calibration_samples: Annotated[
        int | None, Option(min=70, help="Training pictures that set the integer ranges.")
    ] = None,
    qat: Annotated[bool, Option(help="Fine-tune integer files with their rounding (minutes).")] = False,
    sparsity: Annotated[float | None, Option(min=0.0, max=0.99, help=SPARSITY)] = None,
    clusters: Annotated[int | None, Option(min=2, max=256, help=CLUSTERS)] = None,
    mirror: Annotated[bool, Option(help=MIRROR)] = False,
    target: Annotated[list[str] | None, Option(metavar="NAME", help=TARGETS)] = None,
    recipe: Recipe = "default",
    out: Annotated[Path | None, Option(metavar="DIR", help="Default: beside your model, or here.")] = None,
    name: Annotated[str | None, Option(help="NAME of NAME_FORMAT.tflite; default: the card's.")] = None,
    labels: options.Labels = None,
    class_names: options.ClassNames = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = 0,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Convert a Keras model to .tflite files, and check each against it on real pictures before writing it.

    A file that does not agree well enough is not written (exit 3).
    """
    from fer_edge import console, files, targets
    from fer_edge.conversion import command, formats
    from fer_edge.errors import UsageError
    from fer_edge.model import shipped

    wanted = targets.parse(target or ())
    for one in wanted:
        one.require()
    flags = {"float32": float32, "float16": float16, "dynamic_range": dynamic_range, "int8": int8}
    flags |= {"full_integer": full_integer, "int16x8": int16x8}
    asked = {format_ for format_, flag in flags.items() if flag} | {f for one in wanted for f in one.formats}
    if all_ or not asked:
        asked |= {format_ for format_, making in formats.FORMATS.items() if making.usual}
    overridden = {"calibration_samples": calibration_samples, "sparsity": sparsity, "clusters": clusters}
    how = formats.read(recipe, qat=qat or None, **overridden)
    made = tuple(format_ for format_ in formats.FORMATS if format_ in asked)
    about = (model, data, how, seed, labels, skip_bad_rows, force, class_names)
    request = command.Request(*about, formats=made, out=out, name=name, mirror=mirror)
    path = shipped.find_either(model) if wanted and model else None
    files.refuse_to_overwrite_any((json,), force, (path, recipe, *request.inputs))
    if path and path.suffix == ".tflite":
        unfit = [*flags.values(), all_, qat, mirror, name, calibration_samples, sparsity, clusters]
        unfit.append(recipe != "default")
        if not data:
            unfit += [labels, class_names, skip_bad_rows]
        if any(unfit):
            raise UsageError(f"{path} is converted already: only --target, --data and --out apply to it")
        result: dict[str, Any] = {"source": str(path)}
        jobs = [(one, path) for one in wanted]
    else:
        result = command.convert(request, None if wanted else json)
        path_of = {output["format"]: Path(output["path"]) for output in result["outputs"]}
        jobs = [(one, path_of[format_]) for one in wanted for format_ in one.formats]
    if wanted:
        result["targets"] = targets.write_all(jobs, request)
        console.write_json(json, result, force)


def verify(
    converted: Annotated[str, Argument(metavar="FILE.tflite", help="The file to check.")],
    model: Annotated[str, Argument(metavar="MODEL.keras", help="The model it was converted from.")],
    *,
    data: options.OptionalData = None,
    card: options.Card = None,
    recipe: Recipe = "default",
    labels: options.Labels = None,
    class_names: options.ClassNames = None,
    skip_bad_rows: options.SkipBadRows = False,
    seed: options.Seed = 0,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Check a .tflite file from any program against its Keras model; exit 3 if it fails."""
    from fer_edge import files
    from fer_edge.conversion import command, formats

    files.refuse_to_overwrite_any((json,), force, (recipe,))
    how = formats.read(recipe)
    request = command.Request(model, data, how, seed, labels, skip_bad_rows, force, class_names)
    command.verify(request, converted, card, json)
