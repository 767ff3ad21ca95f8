"""Target `ethos-u55-128` and its kin: a model compiled by Vela for Arm's NPUs, with Vela's estimates."""

from __future__ import annotations

import csv
import importlib.metadata
import importlib.util
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from fer_edge.errors import GateError, MissingExtraError, ModelError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.targets.made import Made

_TIMEOUT_S = 900.0
_NPU_OPERATOR = "ethos-u"
"""The custom operator that holds an NPU's commands in a compiled file."""


def require() -> None:
    """Raises MissingExtraError where Vela is not installed."""
    if importlib.util.find_spec("ethosu") is None:
        raise MissingExtraError("ethos-u-vela", "ethos-u", "the targets ethos-u")


def compile_(path: Path, accelerator: str) -> tuple[bytes, dict[str, Any]]:
    """The compiled flatbuffer, and the report: Vela's estimates and what stays on the CPU.

    Report: `cycles` of the NPU with its memory, `ms` at `mhz`, `sram_bytes`, `flash_bytes`, `macs`,
    `cpu_ops` {name: count}, `system`, `memory_mode`. Estimates are of Vela's model of a chip, not measured.
    Raises ModelError if Vela refuses the file.
    """
    require()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "model.tflite"
        # Vela takes bytes behind the flatbuffer for a part of it.
        source.write_bytes(file.without_zip(file.read_bytes(path)))
        _run(source, folder / "out", accelerator, path)
        compiled = (folder / "out" / "model_vela.tflite").read_bytes()
        (summary,) = (folder / "out").glob("model_summary_*.csv")
        with summary.open(newline="") as opened:
            (row,) = csv.DictReader(opened)
    return compiled, _report(row, compiled)


def _run(source: Path, out: Path, accelerator: str, path: Path) -> None:
    options = ["--accelerator-config", accelerator, "--output-dir", str(out)]
    command = [sys.executable, "-P", "-m", "ethosu.vela", str(source), *options]
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_TIMEOUT_S,
            check=False,
            cwd=source.parent,
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{path}: Vela took over {_TIMEOUT_S:.0f} s") from error
    if done.returncode or not (out / "model_vela.tflite").is_file():
        said = [line for line in (done.stderr + done.stdout).splitlines() if line.strip()]
        complaint = next((line for line in said if "Error" in line), said[-1] if said else "no reason given")
        raise ModelError(f"{path}: Vela cannot compile it for {accelerator}: {complaint.strip()}")


def _report(row: dict[str, str], compiled: bytes) -> dict[str, Any]:
    left = Counter(op.name for part in graph.read(compiled) for op in part.operators)
    flash_kib = float(row["off_chip_flash_memory_used"]) + float(row["on_chip_flash_memory_used"])
    return {
        "cycles": round(float(row["cycles_total"])),
        "ms": 1e3 * float(row["inference_time"]),
        "mhz": float(row["core_clock"]) / 1e6,
        "sram_bytes": round(1024 * float(row["sram_memory_used"])),
        "dram_bytes": round(1024 * float(row["dram_memory_used"])),
        "flash_bytes": round(1024 * flash_kib),
        "macs": int(row["nn_macs"]),
        "npu_parts": left.pop(_NPU_OPERATOR, 0),
        "cpu_ops": dict(sorted(left.items())),
        "system": row["system_config"],
        "memory_mode": row["memory_mode"],
        "vela": importlib.metadata.version("ethos-u-vela"),
    }


def make(classifier: Classifier, folder: Path, accelerator: str) -> Made:
    """`folder`/NAME_ethos-u55-128.tflite, labels and card inside. Its numbers cannot be run here.

    Raises GateError if an operator stays on the CPU, ModelError if Vela refuses the file.
    """
    compiled, report = compile_(classifier.path, accelerator)
    if report["cpu_ops"]:
        raise GateError(
            f"{classifier.path}: {in_words(report['cpu_ops'])} would stay on the CPU with {accelerator}: "
            "not written; convert with --full-integer"
        )
    data = graph.embed_card(compiled, classifier.card)
    path = folder / f"{classifier.path.stem}_{accelerator}.tflite"
    return Made(accelerator, {path: data}, None, report)


def in_words(ops: dict[str, int]) -> str:
    """`{"SOFTMAX": 1, "ADD": 2}` as `SOFTMAX, 2 ADD`."""
    return ", ".join(name if count == 1 else f"{count} {name}" for name, count in ops.items())
