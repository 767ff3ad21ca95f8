"""Tries an unknown model in a process of its own, since a damaged one can crash the interpreter.

LiteRT verifies that offsets stay inside the file, not that the graph makes sense: of 600 files with
a few bytes changed, 4 ended in a segmentation fault. HDF5, which holds the weights of a `.keras` file, can
turn in a circle that damaged addresses make.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from fer_edge import child
from fer_edge.errors import FerEdgeError, ModelError

_TIMEOUT_S = 120.0
_CPU_S = 10
_MEMORY = 1 << 30
"""Bytes that one run of a model, or reading its weights, may take; ours take some millions."""


def run_apart(data: bytes, where: str) -> None:
    """Loads the .tflite file's bytes in a child process and runs it once, on zeros.

    Raises ModelError, naming `where`, if the interpreter refuses the model or dies of it.
    """
    reason = _outcome(data)
    if reason:
        raise ModelError(f"{where}: {reason}")


def read_weights_apart(hdf5: bytes, where: str) -> None:
    """Reads the HDF5 file's bytes in a child process, from one end to the other.

    Raises ModelError unless that ends well, within 10 s of the processor and 1 GiB.
    """
    try:
        reason = child.run(_read_once, _CPU_S, what=where, data=hdf5)
    except child.ChildError as error:
        raise ModelError(f"{where}: its weights cannot be read to their end: the file is damaged") from error
    if reason:
        raise ModelError(f"{where}: its weights cannot be read: {reason}")


@functools.lru_cache(maxsize=16)
def _outcome(data: bytes) -> str:
    environment = {"OPENBLAS_NUM_THREADS": "1"}  # each of whose threads takes address space
    try:
        reason: str = child.run(_run_once, what="", data=data, timeout_s=_TIMEOUT_S, environment=environment)
    except child.ChildError as error:
        return f"the interpreter dies of this model, which is damaged or needs over 1 GiB:{error}"
    return reason


def _run_once() -> str:
    """In the child: why the model on standard input does not run; empty if it does."""
    import numpy as np

    from fer_edge.model import interpreter

    try:
        interpreter.find()
        child.limit(memory_bytes=_MEMORY)
        model = interpreter.load(sys.stdin.buffer.read(), 1, "")
        with interpreter.quiet_stderr():
            for tensor in model.get_input_details():
                model.set_tensor(tensor["index"], np.zeros(tensor["shape"], tensor["dtype"]))
            model.invoke()
    except (FerEdgeError, RuntimeError, ValueError) as error:
        return str(error).strip().removeprefix(": ").splitlines()[0]
    return ""


def _read_once(cpu_s: int) -> str:
    """In the child: why the weights on standard input cannot be read; empty if all of them were."""
    import io

    import h5py

    def read(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            item[()]
        else:
            "vars" in item  # noqa: B015  as Keras asks

    child.limit(cpu_s=cpu_s, memory_bytes=_MEMORY)
    try:
        with h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r") as weights:
            weights.visititems(read)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        return str(error).splitlines()[0]
    return ""
