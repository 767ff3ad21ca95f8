#!/usr/bin/env python3
"""How near each model is to what one core can do, and where a face's milliseconds go, operator by operator.

Usage: python benchmarks/limits.py [MODEL ...] [--runs 200] [--markdown FILE] [--json FILE]

MODEL: a shipped model's name or a .tflite file; by default all that ship but float16, computed as float32.
The core's peak is that of a large matrix product in LiteRT, its best of thirty; a model's floor is its
multiply-accumulates at that rate, or its weights read once from the core's cache, whichever takes longer.
LiteRT's Python package has no profiler, and XNNPACK runs the whole graph as one: so the graph is cut after
each operator, and an operator takes what its cut takes more than the one before. Everything on one thread.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from fer_edge import files, machine
from fer_edge.bench import latency
from fer_edge.console import Table, milliseconds
from fer_edge.model import file, graph, shipped
from fer_edge.model.classifier import load_interpreter
from fer_edge.model.graph import Operator

SIDE = 768
"""Rows and columns of the matrices: 0.45 G multiply-accumulates a product."""
CACHE_BYTES = 256 << 10
ROUNDS = 30


def peaks() -> dict[str, float]:
    """`float32`, `int8`: 1e9 multiply-accumulates a second; `cache_gbs`: 1e9 bytes, read and written."""
    found = {}
    for kind in ("float32", "int8"):
        model = load_interpreter(_product(kind), 1, f"a matrix product in {kind}")
        entry = model.get_input_details()[0]
        model.set_tensor(entry["index"], np.ones((SIDE, SIDE), kind))
        found[kind] = SIDE**3 / _fastest_s(model.invoke) / 1e9
    source, target = np.ones((2, CACHE_BYTES // 8), np.int64)
    copies = 16  # long enough for the clock

    def copy() -> None:
        for _ in range(copies):
            np.copyto(target, source)

    return {**found, "cache_gbs": 2 * CACHE_BYTES * copies / _fastest_s(copy) / 1e9}


def floor_ms(operators: list[Operator], peak: dict[str, float]) -> float:
    """The least time that a core with these peaks needs; all but multiplying is taken to cost nothing."""
    macs = dict.fromkeys(("float32", "int8"), 0)
    for operator in operators:
        kind = "int8" if any(tensor.dtype == "int8" for tensor in operator.taken[1:]) else "float32"
        macs[kind] += operator.macs
    seconds = sum(count / (peak[kind] * 1e9) for kind, count in macs.items())
    weights = sum(operator.weight_bytes for operator in operators)
    return 1e3 * max(seconds, weights / (peak["cache_gbs"] * 1e9))


def operators_ms(data: bytes, name: str, runs: int) -> tuple[list[Operator], list[float]]:
    """The operators that run, and what each takes; below 0 is noise around 0."""
    every = graph.read(data)[0].operators
    # weights are dequantised once, when the model is loaded
    ends = [n for n, layer in enumerate(every) if layer.name != "DEQUANTIZE" or not layer.weight_bytes]
    cuts = [data if end == len(every) - 1 else cut(data, end + 1) for end in ends]
    timed = latency.timed([_ready(file, name) for file in cuts], 20, runs, 0)["wall_ms"]
    totals = [float(np.median(times)) for times in timed]
    return [every[end] for end in ends], list(np.diff([0.0, *totals]))


def cut(data: bytes, count: int) -> bytes:
    """The same file with the first `count` operators alone, the last one's outputs coming out."""
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    main = model.subgraphs[0]
    main.operators = main.operators[:count]
    main.outputs = main.operators[-1].outputs
    model.signatureDefs = None  # they name the whole graph's output
    return _packed(model)


def _packed(model: Any) -> bytes:
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _ready(data: bytes, name: str) -> Callable[[], object]:
    model = load_interpreter(data, 1, name)
    entry = model.get_input_details()[0]
    drawn = np.random.default_rng(0).integers(0, 128, entry["shape"])
    model.set_tensor(entry["index"], drawn.astype(entry["dtype"]))
    return model.invoke


def _fastest_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(ROUNDS):
        start = time.thread_time()  # not the clock: what others take of the core is not the core's limit
        work()
        times.append(time.thread_time() - start)
    return min(times)


def _product(kind: str) -> bytes:
    """A dense layer of SIDE inputs and outputs, as a .tflite file."""
    model, main, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT()
    weights = np.random.default_rng(0).integers(-127, 128, (SIDE, SIDE)).astype(kind)
    model.version, model.subgraphs, model.operatorCodes = 3, [main], [code]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)
    main.tensors = []
    for name, buffer in (("a", 0), ("b", 1), ("product", 0)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [SIDE, SIDE], buffer
        tensor.type = getattr(schema.TensorType, kind.upper())
        if kind == "int8":
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [1000.0 if name == "product" else 1.0]
            tensor.quantization.zeroPoint = [0]
        main.tensors.append(tensor)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    main.inputs, main.outputs, main.operators = [0], [2], [operator]
    return _packed(model)


def measure(path: Path, runs: int, peak: dict[str, float]) -> dict[str, Any]:
    """`model`, `macs`, `floor_ms`, `ms`, and of each operator `op`, `shape`, `macs`, `ms`."""
    data = file.read_bytes(path)
    found, times = operators_ms(data, str(path), runs)
    rows = [
        {"op": layer.name, "shape": list(layer.given[0].shape), "macs": layer.macs, "ms": ms}
        for layer, ms in zip(found, times, strict=True)
    ]
    total = {"macs": sum(layer.macs for layer in found), "floor_ms": floor_ms(found, peak), "ms": sum(times)}
    return {"model": path.stem, **total, "operators": rows}


def tables(rows: list[dict[str, Any]], peak: dict[str, float]) -> list[Table]:
    """How near each model is to its floor, then a table of operators for each."""
    note = (
        f"One core here: {peak['float32']:.0f} G multiply-accumulates a second in float32, "
        f"{peak['int8']:.0f} in int8, {peak['cache_gbs']:.0f} GB/s in its cache."
    )
    near = Table(
        "how near to the limit", ("model", "times the floor", "ms", "floor ms", "M MAC"), notes=[note]
    )
    found = [near]
    for row in rows:
        ms, floor = row["ms"], row["floor_ms"]
        macs = f"{row['macs'] / 1e6:.1f}"
        near.add(row["model"], f"{ms / floor:.2f}", milliseconds(ms), milliseconds(floor), macs)
        own = Table(row["model"], ("operator", "output", "M MAC", "us", "%"), words=("operator", "output"))
        for one in row["operators"]:
            shape, macs = "x".join(map(str, one["shape"])), f"{one['macs'] / 1e6:.2f}" if one["macs"] else ""
            own.add(one["op"], shape, macs, f"{one['ms'] * 1e3:.1f}", round(100 * one["ms"] / ms))
        found.append(own)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="*", metavar="MODEL")
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    described, peak = machine.describe(), peaks()
    paths = [shipped.find_model(name) for name in given.models]
    paths = paths or [path for path in shipped.models() if not path.stem.endswith("float16")]
    rows = [measure(path, given.runs, peak) for path in paths]
    shown = tables(rows, peak)
    for table in shown:
        print(f"\n{table.title}")
        table.show()
    if given.markdown:
        files.write_text(given.markdown, "\n".join(f"### {t.title}\n\n{t.markdown()}" for t in shown))
    if given.json:
        value = {"schema": 1, "machine": described, "peaks": peak, "rows": rows}
        files.write_text(given.json, json.dumps(value, indent=2) + "\n")


if __name__ == "__main__":
    main()
