"""The table of benchmarks/targets.py over files and targets."""

import importlib.util
import shutil
from pathlib import Path

import numpy as np

from fer_edge.data.dataset import Dataset
from fer_edge.errors import GateError, MissingExtraError
from fer_edge.spec import LABELS, Format
from fer_edge.targets import Artifact, Target

FACES = np.random.default_rng(1).integers(120, 136, (20, 8, 8), dtype=np.uint8)
WRONG = np.tile(np.float32([0, 1, 0]), (20, 1))


def script():
    path = Path(__file__).parents[2] / "benchmarks" / "targets.py"
    spec = importlib.util.spec_from_file_location("benchmark_of_targets", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def data(*names):
    ids = np.arange(20)
    return Dataset(FACES, ids % len(names), np.ones(20, np.uint8), ids, "noise", "", label_names=names)


def takes(classifier, pictures):
    return Artifact((b"abc",), {"arena_bytes": 2048}, probabilities=WRONG)


def refuses(classifier, pictures):
    path = classifier.path
    raise GateError(f"{path}: SOFTMAX of {path} stays on the CPU: not written; convert with --x")


def absent():
    raise MissingExtraError("tf2onnx", "onnx", "the target onnx")


def test_rows_of_files_and_of_what_targets_take_and_refuse(tiny, tmp_path):
    paths = [Path(shutil.copyfile(tiny, tmp_path / f"t_{name}.tflite")) for name in ("float32", "int8")]
    parts = (("microcontroller", takes, str), ("npu", refuses, str), ("onnx", None, absent))
    targets = [Target(name, (Format.INT8,), ("{stem}.x",), require, make) for name, make, require in parts]
    benchmark = script()
    found = benchmark.rows(paths, targets, [data(*LABELS), data("so-so", "happy", "sad")], runs=3)
    named = [(row["model"], row["target"]) for row in found[3:]]
    assert named == [*(("t_int8", name) for name in ("litert", "microcontroller", "npu")), ("", "onnx")]
    litert, micro, npu, _ = found[3:]
    shares = FACES.reshape(20, -1)[:, :3].argmax(axis=1)
    in_the_order_of_the_data = FACES.reshape(20, -1)[:, [2, 0, 1]].argmax(axis=1)
    right = float((in_the_order_of_the_data == np.arange(20) % 3).mean())
    assert (litert["agreement"], litert["max_abs_diff"], litert["accuracy"]) == (1.0, 0.0, right)
    assert (litert["ops"], litert["macs"], litert["memory_bytes"]) == (4, 192, 128)
    assert litert["bytes"] == tiny.stat().st_size
    assert litert["ms"] > 0
    assert micro["agreement"] == float((shares == 1).mean())
    assert (micro["memory_bytes"], micro["macs"], micro["ms"]) == (2048, 192, None)
    assert npu["refused"] == "SOFTMAX of it stays on the CPU"  # no path, so that equal refusals share a line
    text = benchmark.table(found, "noise", "machine").markdown()
    starts = [line[:10].rstrip() for line in text.splitlines()[2:6]]
    assert starts == ["| t_float3", "| - microc", "| t_int8 |", "| - microc"]
    assert "refused: t_float32, t_int8 on npu: SOFTMAX" in text
    assert "refused: onnx: the target onnx needs tf2onnx" in text
