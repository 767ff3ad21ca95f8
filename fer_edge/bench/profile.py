"""Where a millisecond of an inference goes, operator by operator.

LiteRT's Python package has no profiler, and its delegate (XNNPACK) runs the whole graph as one node. So
the graph is cut after each operator and every cut is timed, all in turn: what an operator takes is what
its cut takes more than the one before. The delegate sees the same operators in the same order.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

import numpy as np

from fer_edge.bench import intervals, timing, workload
from fer_edge.errors import MissingExtraError
from fer_edge.model import interpreter

_FREE = {"DEQUANTIZE"}  # of weights: done once, when the model is loaded


def measure(
    data: bytes,
    name: str,
    num_threads: int,
    warmup: int,
    runs: int,
    seed: int = 0,
    step: Callable[[], object] = lambda: None,
) -> list[dict[str, Any]]:
    """A row an operator: `op`, `shape` of its output, `macs`, `ms` and the interval `ms_low`, `ms_high`.

    data: the .tflite file's bytes, which passed `classifier.check`. A ms below 0 is noise around 0.
    Raises MissingExtraError with tflite_runtime, whose package has no schema; ModelError.
    """
    works = workload.of(data)
    ends = [n for n in range(len(works)) if not _only_weights(works[n])]
    cuts = [cut(data, end + 1) if end + 1 < len(works) else data for end in ends]
    subjects = [_subject(interpreter.load(file, num_threads, name)) for file in cuts]
    timings = timing.interleaved(subjects, warmup, runs, seed, after_block=step)
    rows = []
    for n, end in enumerate(ends):
        taken = np.array(timings[n].wall_ns, np.float64) / 1e6
        before = np.array(timings[n - 1].wall_ns, np.float64) / 1e6 if n else np.zeros(len(taken))
        low, high = intervals.of_difference_within(taken, before, timing.BLOCK)
        ms = float(np.median(taken) - np.median(before))
        row = {"op": works[end].name, "shape": list(works[end].shape), "macs": works[end].macs}
        rows.append({**row, "ms": ms, "ms_low": low, "ms_high": high})
    return rows


def rounds(data: bytes, runs: int) -> int:
    """How often `measure` calls its `step`."""
    return sum(not _only_weights(work) for work in workload.of(data)) * -(-runs // timing.BLOCK)


def cut(data: bytes, count: int) -> bytes:
    """The same .tflite file with the first `count` operators alone, the last one's outputs coming out."""
    try:
        schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        flatbuffers: Any = importlib.import_module("flatbuffers")
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", "train", "--profile") from error
    model = schema.ModelT.InitFromObj(schema.Model.GetRootAsModel(data, 0))
    graph = model.subgraphs[0]
    graph.operators = graph.operators[:count]
    graph.outputs = graph.operators[-1].outputs
    model.signatureDefs = None  # they name the whole graph's output
    builder = flatbuffers.Builder(len(data))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _only_weights(work: workload.Work) -> bool:
    return work.name in _FREE and work.weight_bytes > 0


def _subject(model: Any) -> Callable[[], object]:
    entry = model.get_input_details()[0]
    drawn = np.random.default_rng(0).integers(0, 128, entry["shape"])
    model.set_tensor(entry["index"], drawn.astype(entry["dtype"]))
    invoke: Callable[[], object] = model.invoke
    return invoke
