"""What a .tflite file takes, gives, contains and lacks, from any program: read, never run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import file, graph, shipped
from fer_edge.model.graph import Graph, Tensor
from fer_edge.targets import described, layers


def inspect(path: Path) -> dict[str, Any]:
    """Plain values for `--json`; sizes in bytes. Raises ModelError if it is no whole .tflite file.

    `lacks`: lines that say why the file cannot be used as it is, empty for files of ours.
    """
    data = file.read_bytes(path)
    try:
        parts = graph.read(data)
    except ModelError as error:
        raise ModelError(f"{path}: {error}") from error
    rows, peak = layers.layers(parts[0]), layers.peak(parts[0])
    return {
        "path": str(path),
        "sha256": files.sha256_of(data),
        "bytes": len(data),
        "compressed_bytes": file.compressed_bytes(data),
        "ships": shipped.ships(data),
        "subgraphs": len(parts),
        "inputs": [_end(parts[0].tensors[n]) for n in parts[0].inputs],
        "outputs": [_end(parts[0].tensors[n]) for n in parts[0].outputs],
        "layers": [_layer(row) for row in rows],
        "ops": graph.operators(data),
        "macs": sum(row.macs for row in rows),
        "parameters": sum(row.parameters for row in rows),
        "weight_bytes": sum(row.weight_bytes for row in rows),
        "peak_bytes": peak.bytes,
        "peak_layer": peak.layer,
        "arithmetic": arithmetic(rows),
        "metadata": described.metadata_of(data),
        **_card(data, path),
        "lacks": _lacks(data, path, parts[0]),
    }


def arithmetic(rows: list[layers.Layer]) -> dict[str, int]:
    """Type of activations and weights of the operators that multiply -> their multiply-accumulates."""
    found: dict[str, int] = {}
    for row in rows:
        if row.macs:
            kind = f"{row.inputs[0]} x {row.inputs[1]}"
            found[kind] = found.get(kind, 0) + row.macs
    return found


def _end(tensor: Tensor) -> dict[str, Any]:
    return {
        "name": tensor.name,
        "dtype": tensor.dtype,
        "shape": list(tensor.shape),
        "scale": tensor.scales[0] if tensor.scales else None,
        "zero_point": tensor.zero_points[0] if tensor.zero_points else None,
    }


def _layer(row: layers.Layer) -> dict[str, Any]:
    return {
        "op": row.name,
        "shape": list(row.shape),
        "dtype": row.dtype,
        "scale": row.scale or None,
        "macs": row.macs,
        "weight_bytes": row.weight_bytes,
    }


def _card(data: bytes, path: Path) -> dict[str, Any]:
    try:
        card = file.card_in(data, str(path))
    except ModelError:
        card = None
    if card is None:
        return {"labels": None, "card": None}
    return {
        "labels": list(card.labels),
        "card": {
            "name": card.name,
            "format": card.format,
            "architecture": card.architecture,
            "content": card.output.content,
            "use": card.use,
            "measured": _figures(card.measured),
        },
    }


def _figures(measured: dict[str, Any]) -> dict[str, Any]:
    """Of what a card says that was measured, that which can be printed: it may come from anybody."""
    shares = {name: measured.get(name) for name in ("accuracy", "agreement")}
    found: dict[str, Any] = {name: share for name, share in shares.items() if isinstance(share, int | float)}
    if isinstance(split := measured.get("split"), str):
        found["split"] = split
    recall = measured.get("recall")
    if isinstance(recall, dict) and all(isinstance(share, int | float) for share in recall.values()):
        found["recall"] = recall
    return found


def _lacks(data: bytes, path: Path, main: Graph) -> list[str]:
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
            found.append("labels: give a card with --card FILE, a JSON file (see README, other models)")
    except ModelError as error:
        found.append(str(error))
    return found
