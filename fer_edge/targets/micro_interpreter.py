"""TFLite Micro's interpreter behind the interface of LiteRT's, so that `Classifier` runs on it unchanged."""

from __future__ import annotations

import os
import re
import tempfile
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.model.interpreter import quiet_stderr

_ROOM = 64 << 20  # bytes: as much arena as no microcontroller has, to see what is used of it
_STEP = 1024  # bytes, in which the smallest arena is searched
_TOTAL = re.compile(rb"Arena allocation total (\d+) bytes")


class MicroInterpreter:
    """A model in TFLite Micro. `arena`: bytes of working memory that it may use."""

    def __init__(self, model: bytes, arena: int = _ROOM) -> None:
        """Raises ModelError with TFLite Micro's own reason if it cannot run the model."""
        from tflite_micro.python.tflite_micro import runtime

        said, made = _stderr_of(lambda: runtime.Interpreter.from_bytes(model, arena_size=arena))
        if isinstance(made, Exception):
            raise ModelError(_reason(said, made))
        self._made = made
        self._ends = [made.get_input_details(0)], [made.get_output_details(0)]

    def get_input_details(self) -> list[dict[str, Any]]:
        return [_details(*self._ends[0])]

    def get_output_details(self) -> list[dict[str, Any]]:
        return [_details(*self._ends[1])]

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._made.set_input(value, index)

    def get_tensor(self, index: int) -> NDArray[Any]:
        return np.asarray(self._made.get_output(index))

    def invoke(self) -> None:
        """Raises ModelError with TFLite Micro's own reason."""
        said, done = _stderr_of(self._made.invoke)
        if isinstance(done, Exception):
            raise ModelError(_reason(said, done))

    def run_zeros(self) -> None:
        """One inference, which finds operators that are refused only then."""
        details = self.get_input_details()[0]
        self.set_tensor(0, np.zeros(details["shape"], details["dtype"]))
        self.invoke()

    def used_bytes(self) -> int:
        """Of the arena, after a run, as its recording allocator counts them."""
        said, _ = _stderr_of(self._made.print_allocations)
        found = _TOTAL.search(said)
        if found is None:
            raise ModelError("TFLite Micro does not say what it allocated")
        return int(found[1])


def load(model: bytes, num_threads: int, name: str) -> MicroInterpreter:
    """As `interpreter.load`; TFLite Micro has one thread whatever is asked for."""
    try:
        return MicroInterpreter(model)
    except ModelError as error:
        raise ModelError(f"{name}: {error}") from error


def smallest_arena(model: bytes) -> int:
    """Bytes of the smallest arena, in steps of 1 KiB, with which the model runs on this machine.

    Planning needs room beside what stays allocated, so the figure is found by trying.
    """
    whole = MicroInterpreter(model)
    whole.run_zeros()
    size = -(-whole.used_bytes() // _STEP) * _STEP
    while size < _ROOM:
        try:
            MicroInterpreter(model, size).run_zeros()
        except ModelError:
            size += _STEP
        else:
            return size
    raise ModelError(f"no arena up to {_ROOM >> 20} MiB is enough")


def _details(details: dict[str, Any]) -> dict[str, Any]:
    found = details["quantization_parameters"]
    scales, zero_points = list(found["scales"]), list(found["zero_points"])
    quantization = (float(scales[0]), int(zero_points[0])) if scales else (0.0, 0)
    return {
        "index": 0,
        "shape": np.asarray(details["shape"]),
        "dtype": details["dtype"],
        "quantization": quantization,
    }


def _stderr_of(call: Any) -> tuple[bytes, Any]:
    """What native code prints on standard error meanwhile, and the result or exception of the call."""
    with quiet_stderr(), tempfile.TemporaryFile() as file:
        nowhere = os.dup(2)
        os.dup2(file.fileno(), 2)
        try:
            result = call()
        except (RuntimeError, ValueError) as error:
            result = error
        finally:
            os.dup2(nowhere, 2)
            os.close(nowhere)
        file.seek(0)
        return file.read(), result


def _reason(said: bytes, error: Exception) -> str:
    lines = [line.strip() for line in said.decode(errors="replace").splitlines() if line.strip()]
    complaints = [re.sub(r"^\S*/(\S+\.(cc|h)):?\d*\s*", "", line) for line in lines if "Allocat" not in line]
    return "TFLite Micro refuses: " + ("; ".join(complaints[-2:]) or str(error).strip() or "no reason given")
