"""What one core can do at most, and how long a model must take at least.

The peaks are those of a large matrix product through libraries that are installed (LiteRT's XNNPACK,
numpy's BLAS), the best of them, in a process of its own with one thread.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from fer_edge.bench import apart
from fer_edge.bench.workload import Work
from fer_edge.errors import MissingExtraError
from fer_edge.model import interpreter

SIDE = 768
"""Rows and columns of the matrices: 0.45 G multiply-accumulates a product."""
CACHE_BYTES, MEMORY_BYTES = 256 << 10, 64 << 20
"""Sizes of what is copied: within a core's own cache, and beyond all caches of most machines."""
_ROUNDS = 30
_ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"), "1"
)


def measure() -> dict[str, Any]:
    """Peaks of one core: `float32_gmacs`, `int8_gmacs` (1e9 multiply-accumulates a second, with
    `float32_by` and `int8_by`, the library that reached them), `cache_gbs`, `memory_gbs` (1e9 bytes a
    second, read and written). int8 is None without LiteRT's schema (tflite_runtime).
    """
    return apart.run("limits", (), "the measurement of the core's limit", _ONE_THREAD)


def floor_ms(operators: Sequence[Work], limits: dict[str, Any]) -> float | None:
    """The least time that one core needs for these operators; None where the limit is not known.

    Either its multiply-accumulates at the peak, or its weights, each read once from the core's own
    cache, whichever takes longer. All else (activations, pooling, softmax) is taken to cost nothing.
    """
    seconds = 0.0
    for kind, integer in (("float32", False), ("int8", True)):
        macs = sum(work.macs for work in operators if work.integer == integer)
        peak = limits[f"{kind}_gmacs"]
        if macs and not peak:
            return None
        seconds += macs / (peak * 1e9) if macs else 0.0
    weights = sum(work.weight_bytes for work in operators)
    return float(1e3 * max(seconds, weights / (limits["cache_gbs"] * 1e9)))


def main() -> None:
    """The child's side, without arguments."""
    apart.answer(_measure_here)


def _measure_here() -> dict[str, Any]:
    random = np.random.default_rng(0)
    a, b = (random.random((SIDE, SIDE), np.float32) for _ in range(2))
    out = np.empty_like(a)
    blas: dict[str, Callable[[], object]] = {"float32": lambda: np.matmul(a, b, out=out)}
    tried = {"numpy": blas, "LiteRT": _litert_products()}
    limits: dict[str, Any] = {}
    for kind in ("float32", "int8"):
        found = {name: _gmacs(products[kind]) for name, products in tried.items() if kind in products}
        by = max(found, key=lambda name: found[name]) if found else None
        limits[f"{kind}_gmacs"], limits[f"{kind}_by"] = (found[by], by) if by else (None, None)
    limits["cache_gbs"], limits["memory_gbs"] = _copied_gbs(CACHE_BYTES), _copied_gbs(MEMORY_BYTES)
    return limits


def _gmacs(product: Callable[[], object]) -> float:
    return float(SIDE**3 / _fastest_s(product) / 1e9)


def _copied_gbs(size: int) -> float:
    source, target = (np.ones(size // 8, np.int64) for _ in range(2))
    repeats = max(1, (4 << 20) // size)  # long enough for the clock

    def copy() -> None:
        for _ in range(repeats):
            np.copyto(target, source)

    return float(2 * size * repeats / _fastest_s(copy) / 1e9)


def _fastest_s(work: Callable[[], object]) -> float:
    times = []
    for _ in range(_ROUNDS):
        start = time.thread_time()  # not the clock: what others take of the core is not the core's limit
        work()
        times.append(time.thread_time() - start)
    return min(times)


def _litert_products() -> dict[str, Callable[[], object]]:
    """The product as a dense layer of a .tflite file; none where LiteRT brings no schema to write it."""
    try:
        files = {kind: _dense_file(kind) for kind in ("float32", "int8")}
    except MissingExtraError:
        return {}
    products: dict[str, Callable[[], object]] = {}
    for kind, data in files.items():
        model = interpreter.load(data, 1, f"a matrix product in {kind}")
        entry = model.get_input_details()[0]
        model.set_tensor(entry["index"], np.ones((SIDE, SIDE), kind))
        products[kind] = model.invoke
    return products


def _dense_file(kind: str) -> bytes:
    try:
        schema: Any = importlib.import_module("ai_edge_litert.schema_py_generated")
        flatbuffers: Any = importlib.import_module("flatbuffers")
    except ImportError as error:
        raise MissingExtraError("ai-edge-litert", "train", "measuring the core's limit in int8") from error
    model, graph, code = schema.ModelT(), schema.SubGraphT(), schema.OperatorCodeT()
    model.version, model.subgraphs, model.operatorCodes = 3, [graph], [code]
    model.buffers = [schema.BufferT(), schema.BufferT()]
    weights = np.random.default_rng(0).integers(-127, 128, (SIDE, SIDE)).astype(kind)
    model.buffers[1].data = np.frombuffer(weights.tobytes(), np.uint8)
    graph.tensors = []
    for name, buffer in (("a", 0), ("b", 1), ("product", 0)):
        tensor = schema.TensorT()
        tensor.name, tensor.shape, tensor.buffer = name, [SIDE, SIDE], buffer
        tensor.type = getattr(schema.TensorType, kind.upper())
        if kind == "int8":
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = [1000.0 if name == "product" else 1.0]
            tensor.quantization.zeroPoint = [0]
        graph.tensors.append(tensor)
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version = 4
    operator = schema.OperatorT()
    operator.opcodeIndex, operator.inputs, operator.outputs = 0, [0, 1, -1], [2]
    operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    operator.builtinOptions = schema.FullyConnectedOptionsT()
    graph.inputs, graph.outputs, graph.operators = [0], [2], [operator]
    builder = flatbuffers.Builder(1 << 20)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())
