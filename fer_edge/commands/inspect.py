"""`fer-edge inspect`, what a .tflite file is, from any program; and `fer-edge models`, what ships."""

from __future__ import annotations

import dataclasses
import math
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from typer import Argument

from fer_edge import console, files
from fer_edge.commands import options
from fer_edge.console import Table, percent, size
from fer_edge.errors import ModelError

if TYPE_CHECKING:
    from fer_edge.model import graph

MODEL = "Name of an included model (tuned_int8) or a .tflite file."


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
    model: Annotated[str, Argument(help=MODEL)], *, json: options.Json = None, force: options.Force = False
) -> None:
    """Show inputs, outputs, contents and gaps of a .tflite file, without running it."""
    from fer_edge.model import shipped

    path = shipped.find_model(model)
    files.refuse_to_overwrite_any((json,), force, (path,))
    found = facts(path)
    for line in lines(found):
        console.say(line)
    console.say("")
    table = Table("operators", ("operator", "count", "M MACs", "weights kB"))
    for name, of in found["ops"].items():
        table.add(name, of["count"], f"{of['macs'] / 1e6:.2f}", f"{of['weight_bytes'] / 1e3:.1f}")
    table.show()
    if found["lacks"]:
        console.say(f"lacks: {found['lacks']}")
    console.write_json(json, found, force)


def facts(path: Path) -> dict[str, Any]:
    """Plain values for `--json`, read from the file, which is never run; sizes in bytes.

    `lacks`: the first reason why the file cannot be used as it is, None for files of ours. Raises ModelError
    if it is no whole .tflite file.
    """
    from fer_edge.model import file, graph, shipped
    from fer_edge.model.classifier import check_sizes

    data, card, lacks = file.read_bytes(path), None, None
    main = graph.read(data, str(path))[0]
    try:
        card = file.card_in(data, path.name)
        graph.check(data, path.name)
        for tensor in main.inputs:
            check_sizes(tensor.shape, path.name)
        if (len(main.inputs), len(main.outputs)) != (1, 1):
            ends = f"{len(main.inputs)} inputs and {len(main.outputs)} outputs"
            raise ModelError(f"it has {ends}: a classifier of faces has one of each")
        if card is None and not path.with_suffix(".json").is_file():
            raise ModelError("it has no labels: give a card with --card FILE, a JSON file")
    except ModelError as error:
        lacks = str(error)
    ops: dict[str, Counter[str]] = {}
    for operator in sorted(main.operators, key=lambda operator: operator.name):
        own = {"count": 1, "macs": operator.macs, "weight_bytes": operator.weight_bytes}
        ops.setdefault(operator.name, Counter()).update(own)
    return {
        "path": str(path),
        "sha256": files.sha256_of(data),
        "bytes": len(data),
        "ships": shipped.ships(data),
        "inputs": [_end(tensor) for tensor in main.inputs],
        "outputs": [_end(tensor) for tensor in main.outputs],
        "ops": ops,
        "macs": main.macs,
        "peak_bytes": main.peak_bytes,
        "card": card and dataclasses.asdict(card),
        "lacks": lacks,
    }


def _end(tensor: graph.Tensor) -> dict[str, Any]:
    told = {"name": tensor.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
    rounded = tensor.scale and math.isfinite(tensor.scale)
    scale, zero_point = (tensor.scale, tensor.zero_point) if rounded else (None, None)
    return {**told, "scale": scale, "zero_point": zero_point}


def lines(found: dict[str, Any]) -> list[str]:
    """The file's facts, a line each; of a card, what anybody may have written."""
    whose = "ships with fer-edge" if found["ships"] else "from another program, or converted here"
    rows = [(what, _told(end)) for what in ("inputs", "outputs") for end in found[what]]
    if card := found["card"]:
        measured = card["measured"]
        recall = measured.get("recall") if isinstance(measured.get("recall"), dict) else {}
        figures = {key: value for key, value in measured.items() if key not in ("recall", "data_sha256")}
        rows += [
            ("card", f"{card['name']}, {card['format']}, {card['architecture']}, views: {card['views']}"),
            ("labels", ", ".join(card["labels"])),
            ("measured", _named(figures)),
            ("recall", _named(recall)),
            ("use", card["use"]),
        ]
    return [
        f"{found['path']}: {size(found['bytes'])}; {whose}",
        *(f"{name:<8} {text}" for name, text in rows),
        f"{found['macs'] / 1e6:.1f} M multiply-accumulates; activations take "
        f"{found['peak_bytes'] / 1024:.0f} KiB at most",
    ]


def _named(figures: dict[str, Any]) -> str:
    shown = ((name, f"{one:.4f}" if isinstance(one, float) else one) for name, one in figures.items())
    return ", ".join(f"{name} {one}" for name, one in shown)


def _told(end: dict[str, Any]) -> str:
    real = "" if end["scale"] is None else f", real = {end['scale']:.6g} x (stored - {end['zero_point']})"
    return f"{end['name']}: {end['dtype']} {'x'.join(map(str, end['shape'])) or 'scalar'}{real}"
