"""A process of its own for one model: load time, first inference, peak memory.

The peak is of this whole process: Python, numpy, the interpreter library and the model, without OpenCV
and without the process that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fer_edge.errors import FerEdgeError, ModelError

_TIMEOUT_S = 300


def measure(model: Path, num_threads: int, card: Path | None = None) -> dict[str, Any]:
    """Runs the child and gives `load_ms`, `first_ms` (floats) and `peak_rss_mib` (float or None).

    load_ms: from the file's path to a classifier that is ready, the interpreter library already
    imported and the file already checked (`classifier.check`), which the caller must have done.
    Raises ModelError with the child's own words if the model does not load or run.
    """
    root = str(Path(__file__).resolve().parents[2])
    # -P and the path at the end: a numpy.py in the working folder must not be imported
    program = f"import sys; sys.path.append({root!r}); from fer_edge.bench.child import main; main()"
    command = [sys.executable, "-P", "-c", program, str(model), str(num_threads), str(card or "")]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False)
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{model} did not run within {_TIMEOUT_S} s") from error
    except (ValueError, IndexError) as error:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelError(f"{model} ended its process ({how}): {last}") from error
    if "error" in result:
        raise ModelError(result["error"])
    return result


def main() -> None:
    """The child's side: arguments MODEL THREADS CARD, one line of JSON on standard output."""
    try:
        print(json.dumps(_measure_here(Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3])), flush=True)
    except FerEdgeError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    os._exit(0)  # nothing to tidy up, and thread pools need not be waited for


def _measure_here(model: Path, num_threads: int, card: str) -> dict[str, Any]:
    import numpy as np

    from fer_edge import interpreter, machine
    from fer_edge.classifier import Classifier

    interpreter.find()  # imports the library, whose own time is no model's
    start = time.perf_counter_ns()
    classifier = Classifier(model, num_threads, Path(card) if card else None, checked=True)
    loaded = time.perf_counter_ns()
    face = np.full(classifier.input_size, 128, np.uint8)
    before = time.perf_counter_ns()
    classifier.predict_one(face)
    return {
        "load_ms": (loaded - start) / 1e6,
        "first_ms": (time.perf_counter_ns() - before) / 1e6,
        "peak_rss_mib": machine.peak_rss_mib(),
    }
