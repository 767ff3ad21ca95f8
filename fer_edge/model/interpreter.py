"""The TFLite interpreter that is installed here: LiteRT, else tflite_runtime, else TensorFlow's own."""

from __future__ import annotations

import importlib
import operator
import os
from typing import Any

from fer_edge.errors import FerEdgeError, ModelError, UsageError
from fer_edge.quiet import quiet_stderr
from fer_edge.spec import LARGEST_SIDE

RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "Interpreter"),
    "tflite_runtime": ("tflite_runtime.interpreter", "Interpreter"),
    "tensorflow": ("tensorflow", "lite.Interpreter"),
}
"""Name -> module and attribute of an interpreter's class, in the order in which they are tried."""

VARIABLE = "FER_EDGE_INTERPRETER"
"""Names the one of RUNTIMES to be used where several are installed."""


def find() -> tuple[str, Any]:
    """The package name of the interpreter that is used, and its class: the first that can be imported.

    Raises FerEdgeError with what to install if there is none, if one is installed and broken, or if the one
    that FER_EDGE_INTERPRETER names is not there; UsageError if it names none.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted and wanted not in RUNTIMES:
        raise UsageError(f"{VARIABLE}={wanted} is no interpreter: {', '.join(RUNTIMES)} are known")
    failures = []
    for module, attribute in [RUNTIMES[wanted]] if wanted else RUNTIMES.values():
        name = module.split(".")[0]
        try:
            with quiet_stderr():
                found = operator.attrgetter(attribute)(importlib.import_module(module))
        except ModuleNotFoundError:
            continue
        except Exception as error:  # a wheel built for another numpy or C library fails in its own ways
            failures.append(f"{name} is installed but fails: {first_line(error)}")
            continue
        return name, found
    named = f"{VARIABLE} names {wanted}, which is not installed"
    reason = "; ".join(failures) or (named if wanted else "no TFLite interpreter is installed")
    raise FerEdgeError(
        f"{reason}: pip install ai-edge-litert (on 32-bit Arm: pip install tflite-runtime 'numpy<2')"
    )


def load(model: bytes, num_threads: int, name: str) -> Any:
    """An interpreter for the bytes of a .tflite file, its tensors allocated.

    The bytes must have passed `file.check` or be trusted: interpreters do not verify them. Raises ModelError,
    naming `name`, if the runtime refuses the model, or if its input is over 1024x1024 or has no fixed size.
    """
    runtime, interpreter_class = find()
    try:
        with quiet_stderr():
            interpreter = interpreter_class(model_content=model, num_threads=num_threads)
            for details in interpreter.get_input_details():
                _check_input(details, name)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{name}: {runtime} cannot use this model: {first_line(error)}") from error
    return interpreter


def _check_input(details: dict[str, Any], name: str) -> None:
    """Before anything is allocated. The first size, of the batch, may be open: it is 1 then."""
    shape = [int(side) for side in details["shape"]]
    signature = [int(side) for side in details.get("shape_signature", shape)]
    if -1 in signature[1:]:
        raise ModelError(f"{name}: its input {signature} leaves sizes open (-1): convert it with fixed ones")
    if max(shape, default=0) > LARGEST_SIDE:
        raise ModelError(f"{name}: its input {shape} is larger than {LARGEST_SIDE}x{LARGEST_SIDE} pixels")


def first_line(error: Exception) -> str:
    """Of a library's words, which may be many; the kind of the error where it says nothing."""
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
