"""Target `ethos-u55-128` and similar: a model compiled by Vela for Arm's NPUs, with Vela's estimates."""

import contextlib
import csv
import importlib
import io
from pathlib import Path

from fer_edge.errors import GateError, ModelError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.targets import Artifact, Pictures, in_child

_NPU_OPERATOR = "ethos-u"  # the custom operator with the NPU's commands in a compiled file


def make(classifier: Classifier, pictures: Pictures, *, accelerator: str) -> Artifact:
    """The compiled file, with labels and card. It cannot be run here; Vela estimates from its model of a
    chip.

    Report: `cycles` of the NPU with its memory, `ms` at `mhz`, `sram_bytes`, `flash_bytes`, `ops`, `system`,
    `memory_mode`. Raises GateError if an operator stays on the CPU, ModelError if Vela refuses the file.
    """
    with in_child(compile_here, classifier, pictures, accelerator) as (folder, _):
        compiled = (folder / "model_vela.tflite").read_bytes()
        (summary,) = folder.glob("model_summary_*.csv")
        (row,) = csv.DictReader(summary.read_text().splitlines())
    ops = graph.operators(compiled)
    left = [name if count == 1 else f"{count} {name}" for name, count in ops.items() if name != _NPU_OPERATOR]
    if left:
        raise GateError(
            f"{classifier.path}: {', '.join(left)} would stay on the CPU with {accelerator}: "
            "not written; convert with --full-integer"
        )
    ms, mhz = 1e3 * float(row["inference_time"]), float(row["core_clock"]) / 1e6
    sram, flash = float(row["sram_memory_used"]), float(row["off_chip_flash_memory_used"])
    flash += float(row["on_chip_flash_memory_used"])
    report = {
        "cycles": round(float(row["cycles_total"])),
        "ms": ms,
        "mhz": mhz,
        "sram_bytes": round(1024 * sram),
        "flash_bytes": round(1024 * flash),
        "ops": ops,
        "system": row["system_config"],
        "memory_mode": row["memory_mode"],
    }
    needs = f"{flash:.0f} KiB flash, {sram:.0f} KiB SRAM, {ms:.2f} ms at {mhz:.0f} MHz (estimated)"
    return Artifact((file.embed_card(compiled, classifier.card),), report, needs)


def compile_here(folder: str, model: str, accelerator: str) -> None:
    """In the child: compiles model.tflite in the folder to model_vela.tflite, with Vela's summary."""
    vela = importlib.import_module("ethosu.vela.vela")
    said, options = io.StringIO(), ["--output-dir", folder, "--accelerator-config", accelerator]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        failed = vela.main([str(Path(folder, "model.tflite")), *options])
    if failed or not Path(folder, "model_vela.tflite").is_file():
        lines = [line for line in said.getvalue().splitlines() if line.strip()] or ["no reason given"]
        complaint = next((line for line in lines if "Error" in line), lines[-1])
        raise ModelError(f"Vela cannot compile it for {accelerator}: {complaint.strip()}")
