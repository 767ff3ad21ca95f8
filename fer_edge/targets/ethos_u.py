"""Target `ethos-u55-128` and its kin: a model compiled by Vela for Arm's NPUs, with Vela's estimates."""

from __future__ import annotations

import contextlib
import csv
import functools
import importlib
import importlib.metadata
import importlib.util
import io
import tempfile
from pathlib import Path
from typing import Any

from fer_edge import child
from fer_edge.errors import GateError, MissingExtraError, ModelError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format
from fer_edge.targets import Made, Pictures, Target

ACCELERATORS = (
    *("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
"""Arm's NPUs as Vela's --accelerator-config names them: family and multiply-accumulates a cycle."""
_NPU_OPERATOR = "ethos-u"
"""The custom operator that holds an NPU's commands in a compiled file."""


def require() -> None:
    """Raises MissingExtraError where Vela is not installed."""
    if importlib.util.find_spec("ethosu") is None:
        raise MissingExtraError("ethos-u-vela", "ethos-u", "the targets ethos-u")


def make(classifier: Classifier, pictures: Pictures, card: Path | None = None, *, accelerator: str) -> Made:
    """The compiled file, labels and card inside. Nothing here can run it: Vela's model of a chip estimates.

    Report: `cycles` of the NPU with its memory, `ms` at `mhz`, `sram_bytes`, `flash_bytes`, `macs`,
    `npu_parts`, `system`, `memory_mode`. Raises GateError if an operator stays on the CPU, ModelError if Vela
    refuses the file.
    """
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # Vela takes bytes behind the flatbuffer for a part of it.
        (folder / "model.tflite").write_bytes(file.without_zip(file.read_bytes(classifier.path)))
        child.run(compile_here, name, accelerator, what=str(classifier.path), timeout_s=900)
        compiled = (folder / "model_vela.tflite").read_bytes()
        (summary,) = folder.glob("model_summary_*.csv")
        with summary.open(newline="") as opened:
            (row,) = csv.DictReader(opened)
    ops = graph.operators(compiled)
    parts = ops.pop(_NPU_OPERATOR, 0)
    if ops:
        left = ", ".join(name if count == 1 else f"{count} {name}" for name, count in ops.items())
        raise GateError(
            f"{classifier.path}: {left} would stay on the CPU with {accelerator}: "
            "not written; convert with --full-integer"
        )
    return Made((file.embed_card(compiled, classifier.card),), {**_report(row), "npu_parts": parts})


def compile_here(folder: str, accelerator: str) -> None:
    """In a process of its own: model.tflite in the folder becomes model_vela.tflite, with Vela's summary."""
    vela = importlib.import_module("ethosu.vela.vela")
    said, options = io.StringIO(), ["--output-dir", folder, "--accelerator-config", accelerator]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        failed = vela.main([str(Path(folder, "model.tflite")), *options])
    if failed or not Path(folder, "model_vela.tflite").is_file():
        lines = [line for line in said.getvalue().splitlines() if line.strip()] or ["no reason given"]
        complaint = next((line for line in lines if "Error" in line), lines[-1])
        raise ModelError(f"Vela cannot compile it for {accelerator}: {complaint.strip()}")


def _report(row: dict[str, str]) -> dict[str, Any]:
    kib = {
        name: float(row[f"{name}_memory_used"])
        for name in ("sram", "dram", "off_chip_flash", "on_chip_flash")
    }
    return {
        "cycles": round(float(row["cycles_total"])),
        "ms": 1e3 * float(row["inference_time"]),
        "mhz": float(row["core_clock"]) / 1e6,
        "sram_bytes": round(1024 * kib["sram"]),
        "dram_bytes": round(1024 * kib["dram"]),
        "flash_bytes": round(1024 * (kib["off_chip_flash"] + kib["on_chip_flash"])),
        "macs": int(row["nn_macs"]),
        "system": row["system_config"],
        "memory_mode": row["memory_mode"],
        "vela": importlib.metadata.version("ethos-u-vela"),
    }


TARGETS = {
    name: Target(
        name,
        (Format.FULL_INTEGER,),
        (f"{{stem}}_{name}.tflite",),
        require,
        functools.partial(make, accelerator=name),
    )
    for name in ACCELERATORS
}
