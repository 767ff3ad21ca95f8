"""A process of its own for one model: load time, first inference, memory.

Memory is of this whole process: Python, numpy, the interpreter library and the model, without OpenCV
and without the process that started it.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from fer_edge.bench import apart

_SETTLED_AFTER = 20  # inferences, after which the interpreter holds all that it will


def measure(model: Path, num_threads: int, card: Path | None = None) -> dict[str, Any]:
    """Runs the child and gives `load_ms`, `first_ms` (floats), `peak_rss_mib`, `rss_mib` (float or None).

    load_ms: from the file's path to a classifier that is ready, the interpreter library already
    imported and the file already checked (`classifier.check`), which the caller must have done.
    Raises ModelError with the child's own words if the model does not load or run.
    """
    return apart.run("child", (str(model), str(num_threads), str(card or "")), str(model))


def main() -> None:
    """The child's side: arguments MODEL THREADS CARD."""
    apart.answer(lambda: _measure_here(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))


def _measure_here(model: Path, num_threads: int, card: str) -> dict[str, Any]:
    import numpy as np

    from fer_edge import machine
    from fer_edge.model import interpreter
    from fer_edge.model.classifier import Classifier

    interpreter.find()  # imports the library, whose own time is no model's
    start = time.perf_counter_ns()
    classifier = Classifier(model, num_threads, Path(card) if card else None, checked=True)
    loaded = time.perf_counter_ns()
    face = np.full(classifier.input_size, 128, np.uint8)
    before = time.perf_counter_ns()
    classifier.predict_one(face)
    after = time.perf_counter_ns()
    for _ in range(_SETTLED_AFTER):
        classifier.predict_one(face)
    return {
        "load_ms": (loaded - start) / 1e6,
        "first_ms": (after - before) / 1e6,
        "peak_rss_mib": machine.peak_rss_mib(),
        "rss_mib": machine.rss_mib(),
    }
