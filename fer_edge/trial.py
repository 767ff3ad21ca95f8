"""Tries an unknown model in a process of its own, since a damaged one can crash the interpreter.

LiteRT verifies that offsets stay inside the file, not that the graph makes sense: of 600 files with
a few bytes changed, 4 ended in a segmentation fault.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

from fer_edge.errors import ModelError

_TIMEOUT_S = 120.0
_CHILD = "import sys; sys.path.insert(0, {root!r}); from fer_edge.trial import _run_once; _run_once()"


def run_apart(data: bytes, where: str) -> None:
    """Loads the .tflite file's bytes in a child process and runs it once, on zeros.

    Raises ModelError, naming `where`, if the interpreter refuses the model or dies of it.
    """
    reason = _outcome(data)
    if reason:
        raise ModelError(f"{where}: {reason}")


@functools.lru_cache(maxsize=16)
def _outcome(data: bytes) -> str:
    try:
        child = _child(data)
    except subprocess.TimeoutExpired:
        return f"one run of this model takes over {_TIMEOUT_S:.0f} s"
    said = child.stdout.decode(errors="replace").strip()
    if child.returncode == 0:
        return ""
    return said or "the interpreter dies of this model: the file is damaged"


def _child(data: bytes) -> subprocess.CompletedProcess[bytes]:
    root = str(Path(__file__).resolve().parent.parent)
    return subprocess.run(
        [sys.executable, "-c", _CHILD.format(root=root)],
        input=data,
        capture_output=True,
        timeout=_TIMEOUT_S,
        check=False,
    )


def _run_once() -> None:
    """In the child: exit 0 if the model on standard input runs, else 1 with the reason on standard output."""
    import numpy as np

    from fer_edge import interpreter
    from fer_edge.errors import FerEdgeError

    try:
        model = interpreter.load(sys.stdin.buffer.read(), 1, "")
        with interpreter.quiet_stderr():
            for tensor in model.get_input_details():
                model.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
            model.invoke()
    except (FerEdgeError, RuntimeError, ValueError) as error:
        print(str(error).strip().removeprefix(": ").splitlines()[0])
        sys.exit(1)
