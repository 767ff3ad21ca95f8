"""`fer-edge inspect`, what a .tflite file is, from any program; and `fer-edge models`, what ships."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_edge import console, files
from fer_edge.commands import options
from fer_edge.console import Table, percent, size
from fer_edge.errors import FerEdgeError, ModelError

if TYPE_CHECKING:
    from fer_edge.model import graph
    from fer_edge.spec import ModelCard

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


def models(json: options.Json = None, force: options.Force = False) -> None:
    """List the models that ship: formats, sizes, accuracy, the default; and the recipes."""
    console.reserve_stdout(json)
    from fer_edge.model import shipped
    from fer_edge.spec import MIRROR_NOTE

    best, rows = shipped.best_here(), []
    table = Table("", ("model", "size", "acc %", "parameters", "expressions"), optional=("parameters",))
    for path in shipped.models():
        card = files.parse_json(path.with_suffix(".json").read_bytes())
        row = {"name": path.stem, "format": card["format"], "bytes": path.stat().st_size}
        row |= {"parameters": card["parameters"], "labels": card["labels"]}
        row["accuracy"] = card["measured"].get("accuracy")
        rows.append(row)
        name = f"{path.stem} (default)" if path.stem == best else path.stem
        table.add(name, size(row["bytes"]), percent(row["accuracy"]), row["parameters"], len(row["labels"]))
    table.notes = (
        "acc %: on FER-2013's PublicTest, by FER+'s labels where the model names FER+'s.",
        MIRROR_NOTE,
        f"Networks to convert or to train on: {', '.join(path.stem for path in shipped.networks())}.",
        f"Recipes of train: {', '.join(path.stem for path in shipped.recipes('train'))}.",
        f"Recipes of convert: {', '.join(path.stem for path in shipped.recipes('convert'))}.",
    )
    table.show()
    console.write_json(json, {"default": best, "models": rows}, force)


def inspect(
    model: Model,
    *,
    target: Targets = None,
    layers: Layers = False,
    card: options.Card = None,
    json: options.Json = None,
    force: options.Force = False,
) -> None:
    """Say what a .tflite file takes, gives, contains, lacks, and which targets take it."""
    from fer_edge.model import shipped

    console.reserve_stdout(json)
    files.refuse_to_overwrite_any((json,), force, (model, card))
    path = shipped.find_model(model)
    found = facts(path, card)
    answers = []
    if target:
        from fer_edge import targets
        from fer_edge.model.classifier import Classifier

        subject = Classifier(path, card=card)
        for one in targets.parse(target):
            with console.working(f"trying {one.name}"):
                answers.append(targets.tried(one, subject, card))
    for line in lines(found):
        console.say(line)
    for table in (_layers(found) if layers else _operators(found), _targets(answers)):
        if table.rows:
            console.say("")
            table.show()
    for lack in found["lacks"]:
        console.say(f"lacks: {lack}")
    console.write_json(json, {**found, "targets": answers}, force)


def facts(path: Path, given: Path | None = None) -> dict[str, Any]:
    """Plain values for `--json`, read from the file, which is never run; sizes in bytes.

    `lacks`: lines that say why the file cannot be used as it is, or with the card `given`, empty for files of
    ours. Raises ModelError if it is no whole .tflite file.
    """
    from fer_edge.model import file, graph, shipped

    data = file.read_bytes(path)
    try:
        subgraphs = graph.read(data)
        notes = [note.name for note in graph.unpacked(data).metadata or ()]
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    try:
        card, lacking = file.card_in(data, path.name), "labels: give a card with --card FILE, a JSON file"
    except ModelError as error:
        card, lacking = None, str(error)
    main = subgraphs[0]
    peak_bytes, peak_layer = main.peak()
    held = [member.filename for member in file.appended(data)]
    weights = [tensor for operator in main.operators for tensor in operator.weights]
    return {
        "path": str(path),
        "sha256": files.sha256_of(data),
        "bytes": len(data),
        "compressed_bytes": file.compressed_bytes(data),
        "ships": shipped.ships(data),
        "subgraphs": len(subgraphs),
        "inputs": [_end(main.tensors[n]) for n in main.inputs],
        "outputs": [_end(main.tensors[n]) for n in main.outputs],
        "layers": [_layer(operator) for operator in main.operators],
        "ops": graph.operators(data),
        "macs": main.macs,
        "parameters": sum(t.values for t in weights if t.dtype not in {"int64", "bool", "string"}),
        "weight_bytes": sum(tensor.data_bytes for tensor in weights),
        "peak_bytes": peak_bytes,
        "peak_layer": peak_layer,
        "metadata": {"files": held} if file.METADATA in notes else None,
        "labels": list(card.labels) if card else None,
        "card": _card(card) if card else None,
        "lacks": [*_lacks(data, path, main), *([] if card or given else [lacking])],
    }


def _end(tensor: graph.Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "scale": _scale(tensor),
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }


def _scale(tensor: graph.Tensor) -> float | None:
    return tensor.scales[0] if tensor.scales and math.isfinite(tensor.scales[0]) else None


def _layer(operator: graph.Operator) -> dict[str, Any]:
    given = operator.given[0] if operator.given else None
    return {
        "op": operator.name,
        "shape": list(given.shape) if given else [],
        "dtype": given.dtype if given else "",
        "scale": given and _scale(given),
        "macs": operator.macs,
        "weight_bytes": operator.weight_bytes,
    }


def _card(card: ModelCard) -> dict[str, Any]:
    """What the card says, and of its figures those that can be printed: anybody may have written it."""
    fits: dict[str, Callable[[Any], bool]] = {
        "accuracy": _is_share,
        "agreement": _is_share,
        "split": lambda value: isinstance(value, str),
        "recall": lambda value: isinstance(value, dict) and all(map(_is_share, value.values())),
    }
    measured = {name: card.measured[name] for name, fit in fits.items() if fit(card.measured.get(name))}
    said = {name: getattr(card, name) for name in ("name", "format", "architecture", "views", "use")}
    return {**said, "content": card.output.content, "measured": measured}


def _is_share(value: Any) -> bool:
    return isinstance(value, int | float) and 0 <= value <= 1


def _lacks(data: bytes, path: Path, main: graph.Graph) -> list[str]:
    """Why `run` would refuse it, in its own words."""
    from fer_edge.model import graph
    from fer_edge.model.classifier import check_sizes

    found = []
    sizes = [partial(check_sizes, main.tensors[n].shape, path.name) for n in main.inputs]
    for check in (partial(graph.check, data, path.name), *sizes):
        try:
            check()
        except FerEdgeError as error:
            found.append(str(error))
    for what, ends in (("input", main.inputs), ("output", main.outputs)):
        if len(ends) != 1:
            found.append(f"it has {len(ends)} {what}s: a classifier of faces has one")
    return found


def lines(found: dict[str, Any]) -> list[str]:
    """The file's facts, a line each."""
    whose = "ships with fer-edge" if found["ships"] else "another program's, or made here"
    sizes = f"{size(found['bytes'])}, {size(found['compressed_bytes'])} compressed (gzip)"
    said = [
        f"{found['path']}: {sizes}; {whose}",
        *(f"takes  {_told(end)}" for end in found["inputs"]),
        *(f"gives  {_told(end)}" for end in found["outputs"]),
        f"labels {', '.join(found['labels']) if found['labels'] else 'not in the file'}",
    ]
    if card := found["card"]:
        measured = card["measured"]
        known = ""
        if {"accuracy", "agreement", "split"} <= measured.keys():
            known = f"; right on {measured['accuracy']:.2%}, as float32 on {measured['agreement']:.2%} "
            known += f"of {measured['split']}"
        said.append(f"card   {card['name']}, {card['format']}, {card['architecture']}{known}")
        if card["views"] == 2:
            said.append("views  2: the picture and its mirror image, their geometric mean")
        if recall := measured.get("recall"):
            said.append(f"recall {', '.join(f'{label} {share:.0%}' for label, share in recall.items())}")
        if card["use"]:
            said.append(f"use    {card['use']}")
    metadata = "none"
    if found["metadata"]:
        metadata = f"with {', '.join(found['metadata']['files']) or 'no files'}"
    return [
        *said,
        f"TFLite metadata {metadata}",
        f"{found['macs'] / 1e6:.1f} M multiply-accumulates; "
        f"{found['parameters']:,} parameters in {size(found['weight_bytes'])}",
        f"activations take {found['peak_bytes'] / 1024:.0f} KiB at most (layer {found['peak_layer']})",
    ]


def _told(end: dict[str, Any]) -> str:
    real = "" if end["scale"] is None else f", real = {end['scale']:.6g} x (stored - {end['zero_point']})"
    return f"{end['name']}: {end['dtype']} {_shape(end['shape'])}{real}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _operators(found: dict[str, Any]) -> Table:
    table = Table("operators", ("operator", "count", "M MACs", "weights kB"))
    for name, count in found["ops"].items():
        layers = [layer for layer in found["layers"] if layer["op"] == name]
        macs, weights = (sum(layer[key] for layer in layers) for key in ("macs", "weight_bytes"))
        table.add(name, count, f"{macs / 1e6:.2f}", f"{weights / 1e3:.1f}")
    return table


def _layers(found: dict[str, Any]) -> Table:
    headers = ("", "operator", "gives", "step", "M MACs", "weights kB")
    table = Table("layers", headers, words=("operator", "gives"))
    for number, layer in enumerate(found["layers"]):
        table.add(
            number,
            layer["op"],
            f"{layer['dtype']} {_shape(layer['shape'])}",
            f"{layer['scale']:.3g}" if layer["scale"] else None,
            f"{layer['macs'] / 1e6:.2f}",
            f"{layer['weight_bytes'] / 1e3:.1f}",
        )
    return table


def _targets(answers: Sequence[dict[str, Any]]) -> Table:
    table = Table("targets", ("target", "takes it", ""), words=("target", "takes it", ""))
    for answer in answers:
        taken = {True: "yes", False: "no", None: "not tried"}[answer["accepted"]]
        table.add(answer["target"], taken, answer["why"])
    return table
