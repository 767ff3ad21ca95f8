"""The TFLite interpreter that is installed here: LiteRT, else tflite_runtime, else TensorFlow's own."""

from __future__ import annotations

import contextlib
import importlib
import operator
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

from fer_edge.errors import FerEdgeError, ModelError

RUNTIMES = (
    ("ai_edge_litert.interpreter", "Interpreter"),
    ("tflite_runtime.interpreter", "Interpreter"),
    ("tensorflow", "lite.Interpreter"),
)
"""Where an interpreter's class is, module and attribute, in the order in which they are tried."""

_stderr_lock = threading.RLock()  # blocks nest


def find() -> tuple[str, Any]:
    """The package name of the first runtime that can be imported, and its Interpreter class.

    Raises FerEdgeError with what to install if there is none, or if one is installed and broken.
    """
    failures = []
    for module, attribute in RUNTIMES:
        name = module.split(".")[0]
        try:
            with quiet_stderr():
                found = operator.attrgetter(attribute)(importlib.import_module(module))
        except ModuleNotFoundError:
            continue
        except Exception as error:  # a wheel built for another numpy or C library fails in its own ways
            failures.append(f"{name} is installed but fails: {_first_line(error)}")
            continue
        return name, found
    reason = "; ".join(failures) or "no TFLite interpreter is installed"
    raise FerEdgeError(
        f"{reason}: pip install ai-edge-litert (on 32-bit Arm: pip install tflite-runtime 'numpy<2')"
    )


def load(model: bytes, num_threads: int, name: str) -> Any:
    """An interpreter for the bytes of a .tflite file, its tensors allocated.

    The bytes must have passed `modelfile.check` or be trusted: interpreters do not verify them.
    Raises ModelError, naming `name`, if the runtime refuses the model.
    """
    runtime, interpreter_class = find()
    try:
        with quiet_stderr():
            interpreter = interpreter_class(model_content=model, num_threads=num_threads)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{name}: {runtime} cannot use this model: {_first_line(error)}") from error
    return interpreter


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Keeps what native code prints on standard error (delegates, log levels) out of the way.

    Whole-process, hence for short moments only; Python's own exceptions are not affected.
    """
    with _stderr_lock:
        sys.stderr.flush()
        try:
            kept = os.dup(2)
        except OSError:  # standard error is closed: nothing to keep quiet
            yield
            return
        try:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, 2)
            os.close(nowhere)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _first_line(error: Exception) -> str:
    text = str(error).strip()
    return text.splitlines()[0] if text else type(error).__name__
