"""Tables in the documentation that commands write, between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from fer_edge import files, machine


def put(page: Path, name: str, lines: list[str], command: str) -> None:
    """Replaces the table, and says by which command, on which machine and when it was made."""
    where = f"{machine.cpu_name() or platform.machine()}, Python {platform.python_version()}"
    made = f"Made by `{command}` on {time.strftime('%Y-%m-%d')}, {where}."
    text = files.put_between_markers(page.read_text(encoding="utf-8"), name, "\n".join([*lines, "", made]))
    files.write_text(page, text)
