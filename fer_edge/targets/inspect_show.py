"""What `inspect` prints of one file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fer_edge import console, tables
from fer_edge.spec import USE
from fer_edge.targets.acceptance import Answer
from fer_edge.targets.made import needs


def show(found: dict[str, Any], answers: Sequence[Answer], every_layer: bool) -> None:
    """Facts line by line, then operators, then targets."""
    for line in lines(found):
        console.say(line)
    console.say("")
    _layers(found) if every_layer else _operators(found)
    if answers:
        console.say("")
        _targets(answers)
    for lack in found["lacks"]:
        console.say(f"lacks: {lack}")


def lines(found: dict[str, Any]) -> list[str]:
    """The file's facts, a line each."""
    whose = "ships with fer-edge" if found["ships"] else "another program's, or made here"
    size = f"{_kb(found['bytes'])}, {_kb(found['compressed_bytes'])} compressed (gzip)"
    said = [
        f"{found['path']}: {size}; {whose}",
        *(f"takes  {_end(end)}" for end in found["inputs"]),
        *(f"gives  {_end(end)}" for end in found["outputs"]),
        f"labels {', '.join(found['labels']) if found['labels'] else 'not in the file'}",
    ]
    card, metadata = found["card"], found["metadata"]
    if card:
        measured = card["measured"]
        known = (
            f"; right on {measured['accuracy']:.2%}, as float32 on {measured['agreement']:.2%} "
            f"of {measured['split']}"
            if {"accuracy", "agreement", "split"} <= measured.keys()
            else ""
        )
        said.append(f"card   {card['name']}, {card['format']}, {card['architecture']}{known}")
        if recall := measured.get("recall"):
            said.append(f"recall {', '.join(f'{label} {share:.0%}' for label, share in recall.items())}")
        if use := card["use"] or (USE if found["ships"] else ""):  # cards of before say nothing of it
            said.append(f"use    {use}")
    said.append(f"TFLite metadata {_metadata(metadata)}")
    kinds = ", ".join(f"{macs / 1e6:.1f} M in {kind}" for kind, macs in found["arithmetic"].items())
    said += [
        f"{found['macs'] / 1e6:.1f} M multiply-accumulates{f' ({kinds})' if kinds else ''}; "
        f"{found['parameters']:,} parameters in {_kb(found['weight_bytes'])}",
        f"activations take {found['peak_bytes'] / 1024:.0f} KiB at most (layer {found['peak_layer']})",
    ]
    return said


def _metadata(held: dict[str, Any] | None) -> str:
    if held is None:
        return "none"
    steps = [f"(gray - {end['mean'][0]:g}) / {end['std'][0]:g}" for end in held["inputs"] if end.get("std")]
    named = ", ".join(held["files"]) or "none"
    return f"{held['name']!r}; input {', '.join(steps) or 'as it is'}; files {named}"


def _end(end: dict[str, Any]) -> str:
    quantised = (
        f", real = {end['scale']:.6g} x (stored - {end['zero_point']})" if end["scale"] is not None else ""
    )
    return f"{end['name']}: {end['dtype']} {_shape(end['shape'])}{quantised}"


def _shape(shape: Sequence[int]) -> str:
    return "x".join(map(str, shape)) or "scalar"


def _kb(size: int) -> str:
    return f"{size / 1e3:.0f} kB"


def _operators(found: dict[str, Any]) -> None:
    macs: Counter[str] = Counter()
    weights: Counter[str] = Counter()
    for layer in found["layers"]:
        macs[layer["op"]] += layer["macs"]
        weights[layer["op"]] += layer["weight_bytes"]
    table = tables.new_table("operators")
    table.add_column("operator")
    for heading in ("count", "M MACs", "weights kB"):
        table.add_column(heading, justify="right")
    for name, count in found["ops"].items():
        table.add_row(name, str(count), f"{macs[name] / 1e6:.2f}", f"{weights[name] / 1e3:.1f}")
    tables.show(table)


def _layers(found: dict[str, Any]) -> None:
    table = tables.new_table("layers")
    table.add_column("", justify="right")
    table.add_column("operator")
    table.add_column("gives")
    for heading in ("step", "M MACs", "weights kB"):
        table.add_column(heading, justify="right")
    for number, layer in enumerate(found["layers"]):
        step = f"{layer['scale']:.3g}" if layer["scale"] else "-"
        gives = f"{layer['dtype']} {_shape(layer['shape'])}"
        macs, weights = f"{layer['macs'] / 1e6:.2f}", f"{layer['weight_bytes'] / 1e3:.1f}"
        table.add_row(str(number), layer["op"], gives, step, macs, weights)
    tables.show(table)


def _targets(answers: Sequence[Answer]) -> None:
    table = tables.new_table("targets")
    for heading in ("target", "takes it", ""):
        table.add_column(heading, overflow="fold")
    words = {True: "yes", False: "no", None: "not tried"}
    for answer in answers:
        table.add_row(answer.target, words[answer.accepted], answer.why or needs(answer.report))
    tables.show(table)
