"""Runs work in a separate process, so that it cannot crash, hang, print or use memory in this one.

A new Python calls one function. It imports nothing from the working folder (`-P`), which may contain a
`numpy.py`. Only the function's result counts, not the exit code: a child without an answer has failed.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fer_edge.errors import FerEdgeError, ModelError

_ROOT = str(Path(__file__).resolve().parents[1])
_PROGRAM = f"import sys; sys.path.append({_ROOT!r}); from fer_edge import child; child.answer(sys.argv[1])"


class ChildError(ModelError):
    """The child gave no answer: it crashed or took too long."""


def run(
    function: Callable[..., Any],
    *arguments: str | int | float,
    what: str,
    data: bytes = b"",
    timeout_s: float = 300.0,
    environment: Mapping[str, str] | None = None,
    heard: Callable[[str], object] | None = None,
) -> Any:
    """What `function(*arguments)` returns in a new Python: plain values, as JSON has them.

    function: must be importable by its module and name. what: the file or model, with which error messages
    begin. data: bytes for the child's standard input. environment: additional variables. heard: called
    with each line that the function prints. Raises ModelError with the function's message if it raised a
    FerEdgeError, ChildError if it gave no answer.
    """
    import tempfile  # heavy, and `run` imports this module without calling it
    import threading

    with tempfile.TemporaryDirectory(prefix="fer-edge-") as name:
        given, errors, answered = (Path(name, file) for file in ("given", "errors", "answer"))
        given.write_bytes(data)
        asked = json.dumps([function.__module__, function.__name__, arguments, str(answered)])
        with given.open() as stdin, errors.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, "-P", "-c", _PROGRAM, asked],
                stdin=stdin,
                stdout=subprocess.PIPE,
                stderr=stderr,
                env={**os.environ, **(environment or {})},
            )
        end, until = threading.Timer(timeout_s, process.kill), time.monotonic() + timeout_s
        end.start()
        with process:
            try:
                for line in process.stdout or ():
                    if heard is not None:
                        heard(line.decode(errors="replace").rstrip())
                code = process.wait()
            finally:
                end.cancel()
                process.kill()
        try:
            found: dict[str, Any] = json.loads(answered.read_bytes())
        except (OSError, ValueError):
            if time.monotonic() > until:
                raise ChildError(f"{what} took over {timeout_s:.0f} s") from None
            how = f"signal {-code}" if code < 0 else f"exit {code}"
            said = (errors.read_text(errors="replace").strip() or "no message").splitlines()[-1].strip()
            raise ChildError(f"{what} crashed its process ({how}): {said}") from None
    if "error" in found:
        raise ModelError(found["error"] if what in found["error"] else f"{what}: {found['error']}")
    return found["answer"]


def answer(asked: str) -> None:
    """The child's side: calls the function, writes its result, and ends the process immediately."""
    module, name, arguments, said = json.loads(asked)
    try:
        result = {"answer": getattr(importlib.import_module(module), name)(*arguments)}
    except FerEdgeError as error:
        result = {"error": str(error)}
    Path(said).write_text(json.dumps(result))
    sys.stdout.flush()
    os._exit(0)  # without waiting for thread pools; a library that crashes at exit does no harm


def limit(*, memory_bytes: int, cpu_s: int | None = None) -> None:
    """Called in a child: limits further address space and processor time, on systems with such limits."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if cpu_s is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        most = pages * resource.getpagesize() + memory_bytes
        resource.setrlimit(resource.RLIMIT_AS, (most, most))
