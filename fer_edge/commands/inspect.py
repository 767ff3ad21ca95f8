"""`fer-edge inspect`, what a .tflite file is, from any program; and `fer-edge models`, what ships."""

from __future__ import annotations

import math
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
        help="Name of an included model (tuned_int8) or a .tflite file.",
        autocompletion=options.complete_models,
    ),
]


def models(json: options.Json = None, force: options.Force = False) -> None:
    """List the included models (formats, sizes, accuracy, the default) and recipes."""
    from fer_edge.model import shipped
    from fer_edge.spec import MIRROR_NOTE

    best, rows = shipped.best_here(), []
    table = Table("", ("model", "size", "acc %", "parameters", "expressions"), optional=("parameters",))
    for path in shipped.models():
        card = files.parse_json(path.with_suffix(".json").read_bytes())
        row = {"name": path.stem, "bytes": path.stat().st_size, "accuracy": card["measured"].get("accuracy")}
        rows.append(row | {key: card[key] for key in ("format", "parameters", "labels")})
        name = f"{path.stem} (default)" if path.stem == best else path.stem
        table.add(name, size(row["bytes"]), percent(row["accuracy"]), card["parameters"], len(card["labels"]))
    named = {
        "Networks to convert, or to start a training from": shipped.networks(),
        "Recipes for train": shipped.recipes("train"),
        "Recipes for convert": shipped.recipes("convert"),
    }
    table.notes = (
        "acc %: on FER-2013's PublicTest; with FER+'s labels for FER+ models.",
        MIRROR_NOTE,
        *(f"{what}: {', '.join(path.stem for path in paths)}." for what, paths in named.items()),
    )
    table.show()
    console.write_json(json, {"default": best, "models": rows}, force)


def inspect(
    model: Model, *, card: options.Card = None, json: options.Json = None, force: options.Force = False
) -> None:
    """Show inputs, outputs, contents and gaps of a .tflite file, without running it."""
    from fer_edge.model import shipped

    files.refuse_to_overwrite_any((json,), force, (model, card))
    found = facts(shipped.find_model(model), card)
    for line in lines(found):
        console.say(line)
    console.say("")
    table = Table("operators", ("operator", "count", "M MACs", "weights kB"))
    for name, of in found["ops"].items():
        table.add(name, of["count"], f"{of['macs'] / 1e6:.2f}", f"{of['weight_bytes'] / 1e3:.1f}")
    table.show()
    for lack in found["lacks"]:
        console.say(f"lacks: {lack}")
    console.write_json(json, found, force)


def facts(path: Path, given: Path | None = None) -> dict[str, Any]:
    """Plain values for `--json`, read from the file, which is never run; sizes in bytes.

    `lacks`: lines that say why the file cannot be used as it is, or with the card `given`, empty for files of
    ours. Raises ModelError if it is no whole .tflite file.
    """
    from fer_edge.model import file, graph, shipped

    data = file.read_bytes(path)
    try:
        main = graph.read(data)[0]
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    try:
        card, lacking = file.card_in(data, path.name), "labels: give a card with --card FILE, a JSON file"
    except ModelError as error:
        card, lacking = None, str(error)
    weights = [tensor for operator in main.operators for tensor in operator.weights]
    ops: dict[str, dict[str, int]] = {}
    for operator in sorted(main.operators, key=lambda operator: operator.name):
        of = ops.setdefault(operator.name, {"count": 0, "macs": 0, "weight_bytes": 0})
        of["count"] += 1
        of["macs"] += operator.macs
        of["weight_bytes"] += operator.weight_bytes
    return {
        "path": str(path),
        "sha256": files.sha256_of(data),
        "bytes": len(data),
        "compressed_bytes": file.compressed_bytes(data),
        "ships": shipped.ships(data),
        "inputs": [_end(tensor) for tensor in main.inputs],
        "outputs": [_end(tensor) for tensor in main.outputs],
        "ops": ops,
        "macs": main.macs,
        "parameters": sum(t.values for t in weights if t.dtype not in {"int64", "bool", "string"}),
        "weight_bytes": sum(tensor.data_bytes for tensor in weights),
        "peak_bytes": main.peak_bytes,
        "files": [member.filename for member in file.appended(data)],
        "card": _card(card) if card else None,
        "lacks": [*_lacks(data, path, main), *([] if card or given else [lacking])],
    }


def _end(tensor: graph.Tensor) -> dict[str, Any]:
    scale = tensor.scales[0] if tensor.scales and math.isfinite(tensor.scales[0]) else None
    zero_point = tensor.zero_points[0] if tensor.zero_points else None
    told = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
    return {**told, "scale": scale, "zero_point": zero_point}


def _card(card: ModelCard) -> dict[str, Any]:
    """What the card says, and of its figures those that can be printed: anybody may have written it."""

    def share(value: Any) -> float | None:
        return value if isinstance(value, int | float) and 0 <= value <= 1 else None

    recall = card.measured.get("recall")
    recall = recall if isinstance(recall, dict) else {}
    return {
        **{
            name: getattr(card, name) for name in ("name", "format", "labels", "architecture", "views", "use")
        },
        "content": card.output.content,
        "split": str(card.measured.get("split")),
        **{name: share(card.measured.get(name)) for name in ("accuracy", "agreement")},
        "recall": {label: share(value) for label, value in recall.items()}
        if isinstance(recall, dict)
        else {},
    }


def _lacks(data: bytes, path: Path, main: graph.Graph) -> list[str]:
    """Why `run` would refuse it, in its own words."""
    from fer_edge.model import graph
    from fer_edge.model.classifier import check_sizes

    found = []
    sizes = [partial(check_sizes, tensor.shape, path.name) for tensor in main.inputs]
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
    whose = "ships with fer-edge" if found["ships"] else "from another program, or converted here"
    sizes = f"{size(found['bytes'])}, {size(found['compressed_bytes'])} compressed (gzip)"
    card = found["card"] or {"labels": ["not in the file"]}
    said = [
        f"{found['path']}: {sizes}; {whose}",
        *(f"takes  {_told(end)}" for end in found["inputs"]),
        *(f"gives  {_told(end)}" for end in found["outputs"]),
        f"labels {', '.join(card['labels'])}",
    ]
    if found["card"]:
        said.append(f"card   {card['name']}, {card['format']}, {card['architecture']}")
        if card["accuracy"] is not None:
            said[-1] += f"; right on {card['accuracy']:.2%} of {card['split']}"
        if card["agreement"] is not None:
            said[-1] += f", as float32 on {card['agreement']:.2%}"
        if card["views"] == 2:
            said.append("views  2: the picture and its mirror image, their geometric mean")
        known = [f"{label} {share:.0%}" for label, share in card["recall"].items() if share is not None]
        said += [f"recall {', '.join(known)}"] if known else []
        said += [f"use    {card['use']}"] if card["use"] else []
    return [
        *said,
        f"behind the network: {', '.join(found['files']) or 'no files'}",
        f"{found['macs'] / 1e6:.1f} M multiply-accumulates; "
        f"{found['parameters']:,} parameters in {size(found['weight_bytes'])}",
        f"activations take {found['peak_bytes'] / 1024:.0f} KiB at most",
    ]


def _told(end: dict[str, Any]) -> str:
    real = "" if end["scale"] is None else f", real = {end['scale']:.6g} x (stored - {end['zero_point']})"
    return f"{end['name']}: {end['dtype']} {'x'.join(map(str, end['shape'])) or 'scalar'}{real}"
