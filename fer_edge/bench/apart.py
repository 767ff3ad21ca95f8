"""Measuring in a process of its own: its memory, its threads and its caches are nobody else's."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from fer_edge.errors import FerEdgeError, ModelError

_TIMEOUT_S = 300


def run(
    module: str,
    arguments: Sequence[str],
    what: str,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = _TIMEOUT_S,
) -> dict[str, Any]:
    """What `fer_edge.bench.MODULE.main` answers to these arguments in a new Python.

    environment: variables set besides the present ones. Raises ModelError, naming `what`, with the
    child's own words if it fails.
    """
    root = str(Path(__file__).resolve().parents[2])
    # -P and the path at the end: a numpy.py in the working folder must not be imported
    program = f"import sys; sys.path.append({root!r}); from fer_edge.bench.{module} import main; main()"
    command = [sys.executable, "-P", "-c", program, *arguments]
    variables = {**os.environ, **(environment or {})}
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, check=False, env=variables
        )
        result: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{what} did not run within {timeout_s:.0f} s") from error
    except (ValueError, IndexError) as error:
        how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise ModelError(f"{what} ended its process ({how}): {last}") from error
    if "error" in result:
        raise ModelError(result["error"])
    return result


def answer(measure: Callable[[], dict[str, Any]]) -> None:
    """The child's side: one line of JSON on standard output, then the end of the process."""
    try:
        print(json.dumps(measure()), flush=True)
    except FerEdgeError as error:
        print(json.dumps({"error": str(error)}), flush=True)
    os._exit(0)  # nothing to tidy up, and thread pools need not be waited for
