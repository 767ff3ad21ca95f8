"""Tables in the documentation that commands write, between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from fer_edge import machine


def put(page: Path, name: str, lines: list[str], command: str) -> None:
    """Replaces the table, and says by which command, on which machine and when it was made."""
    where = f"{machine.cpu_name() or platform.machine()}, Python {platform.python_version()}"
    made = f"Made by `{command}` on {time.strftime('%Y-%m-%d')}, {where}."
    before, start, rest = page.read_text(encoding="utf-8").partition(f"<!-- {name} -->\n")
    _, end, after = rest.partition(f"<!-- /{name} -->")
    if not (start and end):
        raise SystemExit(f"{page} has no place for the table {name}")
    page.write_text(before + start + "\n".join([*lines, "", made]) + "\n" + end + after, encoding="utf-8")
