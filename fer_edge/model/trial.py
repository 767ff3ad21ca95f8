"""Tries an unknown model in a process of its own, since a damaged one can crash the interpreter.

LiteRT verifies that offsets stay inside the file, not that the graph makes sense: of 600 files with
a few bytes changed, 4 ended in a segmentation fault. HDF5, which holds the weights of a `.keras` file, can
turn in a circle that damaged addresses make.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path
from typing import Any

from fer_edge.errors import ModelError

_TIMEOUT_S = 120.0
_CPU_S = 10
_CHILD = "import sys; sys.path.insert(0, {root!r}); from fer_edge.model import trial; trial.{what}"


def run_apart(data: bytes, where: str) -> None:
    """Loads the .tflite file's bytes in a child process and runs it once, on zeros.

    Raises ModelError, naming `where`, if the interpreter refuses the model or dies of it.
    """
    reason = _outcome(data)
    if reason:
        raise ModelError(f"{where}: {reason}")


def read_weights_apart(hdf5: bytes, where: str) -> None:
    """Reads the HDF5 file's bytes in a child process, from one end to the other.

    Raises ModelError, naming `where`, if that never ends (10 s of the processor, however busy it is) or the
    library dies of it. What only cannot be read is left to who reads it next, who knows more to say.
    """
    if _child(f"_read_once({_CPU_S})", hdf5, None).returncode < 0:
        raise ModelError(f"{where}: its weights cannot be read to their end: the file is damaged")


@functools.lru_cache(maxsize=16)
def _outcome(data: bytes) -> str:
    try:
        child = _child("_run_once()", data, _TIMEOUT_S)
    except subprocess.TimeoutExpired:
        return f"one run of this model takes over {_TIMEOUT_S:.0f} s"
    said = child.stdout.decode(errors="replace").strip()
    if child.returncode == 0:
        return ""
    return said or "the interpreter dies of this model: the file is damaged"


def _child(what: str, data: bytes, timeout_s: float | None) -> subprocess.CompletedProcess[bytes]:
    root = str(Path(__file__).resolve().parents[2])
    return subprocess.run(
        [sys.executable, "-c", _CHILD.format(root=root, what=what)],
        input=data,
        capture_output=True,
        timeout=timeout_s,
        check=False,
    )


def _run_once() -> None:
    """In the child: exit 0 if the model on standard input runs, else 1 with the reason on standard output."""
    import numpy as np

    from fer_edge.errors import FerEdgeError
    from fer_edge.model import interpreter

    try:
        model = interpreter.load(sys.stdin.buffer.read(), 1, "")
        with interpreter.quiet_stderr():
            for tensor in model.get_input_details():
                model.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
            model.invoke()
    except (FerEdgeError, RuntimeError, ValueError) as error:
        print(str(error).strip().removeprefix(": ").splitlines()[0])
        sys.exit(1)


def _read_once(cpu_s: int) -> None:
    """In the child: reads every weight on standard input, within so many seconds of the processor."""
    import io
    import resource

    import h5py

    def read(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            item[()]
        else:
            "vars" in item  # noqa: B015  as Keras asks

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
    with h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r") as weights:
        weights.visititems(read)
