"""Tables in the documentation that commands write, between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import platform
import time
from pathlib import Path

from fer_edge import files, machine


def put(page: Path, name: str, lines: list[str], command: str) -> None:
    """Puts the rows of a table in, and says by which command, on which machine and when they were made.

    Rows for other things stay where they were; a table of other columns is replaced as a whole.
    """
    text = page.read_text(encoding="utf-8")
    old = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].splitlines()
    kept = [line for line in old if line.startswith("|")][2:] if lines[0] in old else []
    rows = {line.split("|")[1]: line for line in [*kept, *lines[2:]]}
    where = f"{machine.cpu_name() or platform.machine()}, Python {platform.python_version()}"
    new = ", ".join(line.split("|")[1].strip() for line in lines[2:])
    made = f"{new}: made by `{command}` on {time.strftime('%Y-%m-%d')}, {where}."
    table = [*lines[:2], *rows.values(), "", made]
    files.write_text(page, files.put_between_markers(text, name, "\n".join(table)))
