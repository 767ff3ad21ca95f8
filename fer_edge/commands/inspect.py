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
        "Networks to convert, or to start a training from": shipped.models(".keras"),
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
    from fer_edge.model.classifier import check_sizes

    data, card, lacks = file.read_bytes(path), None, []
    main = graph.read(data, str(path))[0]
    for check in (
        partial(graph.check, data, path.name),
        *(partial(check_sizes, tensor.shape, path.name) for tensor in main.inputs),
    ):
        try:
            check()
        except FerEdgeError as error:
            lacks.append(str(error))
    for what, ends in (("input", main.inputs), ("output", main.outputs)):
        if len(ends) != 1:
            lacks.append(f"it has {len(ends)} {what}s: a classifier of faces has one")
    try:
        card, lacking = file.card_in(data, path.name), "labels: give a card with --card FILE, a JSON file"
    except ModelError as error:
        lacking = str(error)
    weights = [tensor for operator in main.operators for tensor in operator.taken if tensor.constant]
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
        "lacks": [*lacks, *([] if card or given else [lacking])],
    }


def _end(tensor: graph.Tensor) -> dict[str, Any]:
    quantised = bool(tensor.scale) and math.isfinite(tensor.scale)
    steps = (tensor.scale, tensor.zero_point) if quantised else (None, None)
    told = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
    return {**told, "scale": steps[0], "zero_point": steps[1]}


def _card(card: ModelCard) -> dict[str, Any]:
    """What the card says, and of its figures those that can be printed: anybody may have written it."""

    def share(value: Any) -> float | None:
        return value if isinstance(value, int | float) and 0 <= value <= 1 else None

    keys, measured = ("name", "format", "labels", "architecture", "views", "use"), card.measured
    recall = measured.get("recall")
    return {
        **{name: getattr(card, name) for name in keys},
        "content": card.output.content,
        "split": str(measured.get("split")),
        **{name: share(measured.get(name)) for name in ("accuracy", "agreement")},
        "recall": {label: share(n) for label, n in recall.items()} if isinstance(recall, dict) else {},
    }


def lines(found: dict[str, Any]) -> list[str]:
    """The file's facts, a line each; what is not known has none."""
    whose = "ships with fer-edge" if found["ships"] else "from another program, or converted here"
    sizes = f"{size(found['bytes'])}, {size(found['compressed_bytes'])} compressed (gzip)"
    rows = [("takes", _told(end)) for end in found["inputs"]]
    rows += [("gives", _told(end)) for end in found["outputs"]]
    if card := found["card"]:
        about = f"{card['name']}, {card['format']}, {card['architecture']}"
        if card["accuracy"] is not None:
            about += f"; right on {card['accuracy']:.2%} of {card['split']}"
        if card["agreement"] is not None:
            about += f", as float32 on {card['agreement']:.2%}"
        known = [f"{label} {share:.0%}" for label, share in card["recall"].items() if share is not None]
        views = "2: the picture and its mirror image, their geometric mean" if card["views"] == 2 else ""
        rows += [("labels", ", ".join(card["labels"])), ("card", about), ("views", views)]
        rows += [("recall", ", ".join(known)), ("use", card["use"])]
    else:
        rows.append(("labels", "not in the file"))
    return [
        f"{found['path']}: {sizes}; {whose}",
        *(f"{name:<6} {text}" for name, text in rows if text),
        f"behind the network: {', '.join(found['files']) or 'no files'}",
        f"{found['macs'] / 1e6:.1f} M multiply-accumulates; "
        f"{found['parameters']:,} parameters in {size(found['weight_bytes'])}",
        f"activations take {found['peak_bytes'] / 1024:.0f} KiB at most",
    ]


def _told(end: dict[str, Any]) -> str:
    real = "" if end["scale"] is None else f", real = {end['scale']:.6g} x (stored - {end['zero_point']})"
    return f"{end['name']}: {end['dtype']} {'x'.join(map(str, end['shape'])) or 'scalar'}{real}"
