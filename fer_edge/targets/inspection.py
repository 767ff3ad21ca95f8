"""What a .tflite file takes, gives, contains and lacks, from any program: read, never run."""

from __future__ import annotations

import importlib
import io
import struct
import zipfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fer_edge import console, files
from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import file, graph, shipped
from fer_edge.spec import USE
from fer_edge.tables import Table


def inspect(path: Path) -> dict[str, Any]:
    """Plain values for `--json`; sizes in bytes. Raises ModelError if it is no whole .tflite file.

    `lacks`: lines that say why the file cannot be used as it is, empty for files of ours.
    """
    data = file.read_bytes(path)
    try:
        parts = graph.read(data)
        metadata = metadata_of(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    main = parts[0]
    rows, (peak_bytes, peak_layer) = graph.layers(main), graph.peak(main)
    arithmetic: Counter[str] = Counter()
    for row in rows:
        if row.macs:
            arithmetic[f"{row.inputs[0]} x {row.inputs[1]}"] += row.macs
    return {
        "path": str(path),
        "sha256": files.sha256_of(data),
        "bytes": len(data),
        "compressed_bytes": file.compressed_bytes(data),
        "ships": shipped.ships(data),
        "subgraphs": len(parts),
        "inputs": [_end(main.tensors[n]) for n in main.inputs],
        "outputs": [_end(main.tensors[n]) for n in main.outputs],
        "layers": [
            {
                "op": row.name,
                "shape": list(row.shape),
                "dtype": row.dtype,
                "scale": row.scale or None,
                "macs": row.macs,
                "weight_bytes": row.weight_bytes,
            }
            for row in rows
        ],
        "ops": graph.operators(data),
        "macs": graph.macs(main),
        "parameters": sum(row.parameters for row in rows),
        "weight_bytes": sum(row.weight_bytes for row in rows),
        "peak_bytes": peak_bytes,
        "peak_layer": peak_layer,
        "arithmetic": dict(arithmetic),
        "metadata": metadata,
        **_card(data, path),
        "lacks": _lacks(data, path, main),
    }


def _end(tensor: graph.Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "scale": tensor.scales[0] if tensor.scales else None,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }


def _card(data: bytes, path: Path) -> dict[str, Any]:
    """What the card says, and of its figures those that can be printed: anybody may have written it."""
    try:
        card = file.card_in(data, str(path))
    except ModelError:
        card = None
    if card is None:
        return {"labels": None, "card": None}
    kinds = {"accuracy": int | float, "agreement": int | float, "split": str, "recall": dict}
    measured = {
        name: card.measured[name] for name in kinds if isinstance(card.measured.get(name), kinds[name])
    }
    if not all(isinstance(share, int | float) for share in measured.get("recall", {}).values()):
        del measured["recall"]
    said = {name: getattr(card, name) for name in ("name", "format", "architecture", "use")}
    return {
        "labels": list(card.labels),
        "card": {**said, "content": card.output.content, "measured": measured},
    }


def _lacks(data: bytes, path: Path, main: graph.Graph) -> list[str]:
    """Why `run` would refuse it, in its own words, and what it would ask for."""
    found = []
    try:
        graph.check(data, path.name)
    except FerEdgeError as error:
        found.append(str(error))
    ends = (("input", main.inputs), ("output", main.outputs))
    found += [f"it has {len(n)} {what}s: a classifier of faces has one" for what, n in ends if len(n) != 1]
    try:
        if file.card_in(data, path.name) is None:
            found.append("labels: give a card with --card FILE, a JSON file")
    except ModelError as error:
        found.append(str(error))
    return found


def metadata_of(data: bytes) -> dict[str, Any] | None:
    """What TFLite's own metadata says, whoever wrote it; None for a file without.

    Fields are those of metadata_schema.fbs, by their place. Raises ModelError if it is damaged.
    """
    model = graph.unpacked(data)
    notes = [note for note in model.metadata or () if note.name == file.METADATA]
    if not notes:
        return None
    try:
        held = bytes(model.buffers[notes[0].buffer].data)
        root = _Fields(held, struct.unpack_from("<I", held)[0])
        subgraphs = root.tables(3)
        ends = [[_described(end) for end in subgraphs[0].tables(n)] if subgraphs else [] for n in (2, 3)]
        named = {"name": root.text(0), "description": root.text(1)}
    except (struct.error, IndexError, TypeError, ValueError) as error:
        raise ModelError("the metadata in the file is damaged") from error
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = archive.namelist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        members = []
    return {**named, "inputs": ends[0], "outputs": ends[1], "files": members}


def _described(end: _Fields) -> dict[str, Any]:
    named = [associated.text(0) for associated in end.tables(6)]
    found: dict[str, Any] = {"name": end.text(0), "description": end.text(1), "files": named}
    for unit in end.tables(4):
        for options in unit.table(1):  # NormalizationOptions, the only ones that images have
            found |= {"mean": options.floats(0), "std": options.floats(1)}
    return found


class _Fields:
    """A table of a flatbuffer, its fields by their place; empty where one is absent."""

    def __init__(self, data: bytes, position: int) -> None:
        self._data = data
        self._table = importlib.import_module("flatbuffers.table").Table(data, position)

    def text(self, field: int) -> str:
        return "".join(self._table.String(at).decode() for at in self._at(field))

    def table(self, field: int) -> list[_Fields]:
        return [_Fields(self._data, self._table.Indirect(at)) for at in self._at(field)]

    def tables(self, field: int) -> list[_Fields]:
        return [_Fields(self._data, self._table.Indirect(at)) for at in self._items(field)]

    def floats(self, field: int) -> list[float]:
        return [struct.unpack_from("<f", self._data, at)[0] for at in self._items(field)]

    def _at(self, field: int) -> list[int]:
        offset = self._table.Offset(4 + 2 * field)
        return [self._table.Pos + offset] if offset else []

    def _items(self, field: int) -> list[int]:
        offset = self._table.Offset(4 + 2 * field)
        if not offset:
            return []
        start, count = self._table.Vector(offset), self._table.VectorLen(offset)
        return list(range(start, min(start + 4 * count, len(self._data)), 4))


def show(found: dict[str, Any], answers: Sequence[dict[str, Any]], every_layer: bool) -> None:
    """Facts line by line, then operators, then targets (as `command.tried` gives them)."""
    for line in lines(found):
        console.say(line)
    for table in ((_layers if every_layer else _operators)(found), _targets(answers)):
        if table.rows:
            console.say("")
            table.show()
    for lack in found["lacks"]:
        console.say(f"lacks: {lack}")


def lines(found: dict[str, Any]) -> list[str]:
    """The file's facts, a line each."""
    whose = "ships with fer-edge" if found["ships"] else "another program's, or made here"
    size = f"{_kb(found['bytes'])}, {_kb(found['compressed_bytes'])} compressed (gzip)"
    said = [
        f"{found['path']}: {size}; {whose}",
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
        if recall := measured.get("recall"):
            said.append(f"recall {', '.join(f'{label} {share:.0%}' for label, share in recall.items())}")
        if use := card["use"] or (USE if found["ships"] else ""):  # cards of before say nothing of it
            said.append(f"use    {use}")
    kinds = ", ".join(f"{macs / 1e6:.1f} M in {kind}" for kind, macs in found["arithmetic"].items())
    return [
        *said,
        f"TFLite metadata {_metadata(found['metadata'])}",
        f"{found['macs'] / 1e6:.1f} M multiply-accumulates{f' ({kinds})' if kinds else ''}; "
        f"{found['parameters']:,} parameters in {_kb(found['weight_bytes'])}",
        f"activations take {found['peak_bytes'] / 1024:.0f} KiB at most (layer {found['peak_layer']})",
    ]


def _metadata(held: dict[str, Any] | None) -> str:
    if held is None:
        return "none"
    steps = [f"(gray - {end['mean'][0]:g}) / {end['std'][0]:g}" for end in held["inputs"] if end.get("std")]
    named = ", ".join(held["files"]) or "none"
    return f"{held['name']!r}; input {', '.join(steps) or 'as it is'}; files {named}"


def _told(end: dict[str, Any]) -> str:
    step = "" if end["scale"] is None else f", real = {end['scale']:.6g} x (stored - {end['zero_point']})"
    return f"{end['name']}: {end['dtype']} {_shape(end['shape'])}{step}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _kb(size: int) -> str:
    return f"{size / 1e3:.0f} kB"


def _operators(found: dict[str, Any]) -> Table:
    macs: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for layer in found["layers"]:
        macs[layer["op"]] += layer["macs"]
        weights[layer["op"]] += layer["weight_bytes"]
    table = Table("operators", ("operator", "count", "M MACs", "weights kB"))
    for name, count in found["ops"].items():
        table.add(name, count, f"{macs[name] / 1e6:.2f}", f"{weights[name] / 1e3:.1f}")
    return table


def _layers(found: dict[str, Any]) -> Table:
    headers = ("", "operator", "gives", "step", "M MACs", "weights kB")
    table = Table("layers", headers, words=("operator", "gives"))
    for number, layer in enumerate(found["layers"]):
        step = f"{layer['scale']:.3g}" if layer["scale"] else None
        gives = f"{layer['dtype']} {_shape(layer['shape'])}"
        macs, weights = f"{layer['macs'] / 1e6:.2f}", f"{layer['weight_bytes'] / 1e3:.1f}"
        table.add(number, layer["op"], gives, step, macs, weights)
    return table


def _targets(answers: Sequence[dict[str, Any]]) -> Table:
    table = Table("targets", ("target", "takes it", ""), words=("target", "takes it", ""))
    for answer in answers:
        taken = {True: "yes", False: "no", None: "not tried"}[answer["accepted"]]
        table.add(answer["target"], taken, answer["why"])
    return table
