"""Work with a target's own tool, in a process of its own.

Native tools abort on models that they do not know, TensorFlow takes 600 MiB and prints: neither reaches
the command that asks.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from fer_edge.errors import ModelError

TIMEOUT_S = 900.0
_ANSWER = "answer.json"
_CHILD = (
    "import sys; sys.path.append({root!r}); from fer_edge.targets.{module} import child; child(*sys.argv[1:])"
)


def run(module: str, folder: Path, *arguments: str, what: str) -> dict[str, Any]:
    """Calls `child(folder, *arguments)` of fer_edge.targets.`module` in a new Python, and gives its `answer`.

    Raises ModelError, `what` first, in the child's own words where it fails.
    """
    root = str(Path(__file__).resolve().parents[2])
    program = _CHILD.format(root=root, module=module)
    command = [sys.executable, "-P", "-c", program, str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{what} took over {TIMEOUT_S:.0f} s") from error
    path = folder / _ANSWER
    if path.is_file():
        result: dict[str, Any] = json.loads(path.read_bytes())
        if "error" not in result:
            return result
        raise ModelError(f"{what}: {result['error']}")
    how = f"signal {-done.returncode}" if done.returncode < 0 else f"exit {done.returncode}"
    raise ModelError(f"{what} ended ({how}): {_last_line(done.stderr) or 'it said nothing'}")


def answer(folder: str, value: dict[str, Any]) -> None:
    """The child's side: what `run` gives back. `{"error": text}` makes `run` raise."""
    (Path(folder) / _ANSWER).write_text(json.dumps(value))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else ""
