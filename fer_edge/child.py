"""Runs work in a separate process, so that it cannot crash, hang, print or use memory in this one.

A new Python calls one function. It imports nothing from the working folder (`-P`), which may contain a
`numpy.py`. Only the function's result counts: a child that ends without an answer has failed, whatever its
exit code.
"""

from __future__ import annotations

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

TIMEOUT_S = 300.0
_ROOT = Path(__file__).resolve().parents[1]
_PROGRAM = (
    f"import sys; sys.path.append({str(_ROOT)!r}); from fer_edge import child; child.answer(sys.argv[1])"
)


class ChildError(ModelError):
    """The child gave no answer: it crashed or took too long."""


def run(
    function: Callable[..., Any],
    *arguments: str | int | float,
    what: str,
    data: bytes = b"",
    timeout_s: float = TIMEOUT_S,
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

    with tempfile.TemporaryDirectory(prefix="fer-edge-") as name:
        folder = Path(name)
        (folder / "given").write_bytes(data)
        asked = json.dumps([function.__module__, function.__name__, arguments, str(folder / "answer")])
        code = _process(asked, folder, timeout_s, {**os.environ, **(environment or {})}, heard)
        try:
            found: dict[str, Any] = json.loads((folder / "answer").read_bytes())
        except (OSError, ValueError):
            if code is None:
                raise ChildError(f"{what} took over {timeout_s:.0f} s") from None
            how = f"signal {-code}" if code < 0 else f"exit {code}"
            lines = (folder / "errors").read_text(errors="replace").strip().splitlines()
            said = lines[-1].strip() if lines else "no message"
            raise ChildError(f"{what} crashed its process ({how}): {said}") from None
    if "error" in found:
        raise ModelError(found["error"] if what in found["error"] else f"{what}: {found['error']}")
    return found["answer"]


def _process(asked: str, folder: Path, timeout_s: float, environment: Any, heard: Any) -> int | None:
    """Reads `given` in the folder, writes `errors`. Returns the exit code, None if it took too long."""
    import threading

    command, until = [sys.executable, "-P", "-c", _PROGRAM, asked], time.monotonic() + timeout_s
    with (
        (folder / "given").open("rb") as given,
        (folder / "errors").open("wb") as errors,
        subprocess.Popen(
            command, stdin=given, stdout=subprocess.PIPE, stderr=errors, env=environment
        ) as process,
    ):
        end = threading.Timer(timeout_s, process.kill)
        end.start()
        try:
            for line in process.stdout or ():
                if heard is not None:
                    heard(line.decode(errors="replace").rstrip())
            process.wait()
            return None if time.monotonic() > until else process.returncode
        finally:
            end.cancel()
            process.kill()


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


def limit(*, memory_bytes: int | None = None, cpu_s: int | None = None) -> None:
    """Called in a child: limits further address space and processor time.

    Does nothing on systems without such limits.
    """
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        if cpu_s is not None:
            resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s))
        if memory_bytes is not None:
            pages = int(Path("/proc/self/statm").read_text().split()[0])
            most = pages * resource.getpagesize() + memory_bytes
            resource.setrlimit(resource.RLIMIT_AS, (most, most))
