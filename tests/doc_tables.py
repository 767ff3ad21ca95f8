"""Tables in the documentation that commands write, between `<!-- NAME -->` and `<!-- /NAME -->`."""

from __future__ import annotations

import platform
import re
import time
from pathlib import Path

from fer_edge import files, machine

_MADE = re.compile(r"^(?:(?P<rows>.+): m|M)ade by (?P<how>`.+)$")


def put(page: Path, name: str, lines: list[str], command: str) -> None:
    """Puts the rows of a table in, and says by which command, on which machine and when they were made.

    Rows of that table that others made, for other things, stay, with what made them.
    """
    where = f"{machine.cpu_name() or platform.machine()}, Python {platform.python_version()}"
    how = f"`{command}` on {time.strftime('%Y-%m-%d')}, {where}."
    text = page.read_text(encoding="utf-8")
    old = text.partition(f"<!-- {name} -->")[2].partition(f"<!-- /{name} -->")[0].splitlines()
    text = files.put_between_markers(text, name, "\n".join(_merged(old, lines, how)))
    files.write_text(page, text)


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def _merged(old: list[str], new: list[str], how: str) -> list[str]:
    """The new rows in the place of old ones of the same first cell; cells go by their columns' names."""
    head = _cells(new[0])
    made = {_cells(line)[0]: line for line in new[2:]}
    origin = dict.fromkeys(made, how)
    kept = [line for line in old if line.startswith("|")]
    for cells in [_cells(line) for line in kept[2:]]:
        row = dict(zip(_cells(kept[0]), cells, strict=True))
        made.setdefault(cells[0], f"| {' | '.join(row.get(column, '') for column in head)} |")
    for found in filter(None, map(_MADE.match, old)):
        for row_name in (found["rows"] or ", ".join(made)).split(", "):
            origin.setdefault(row_name, found["how"])
    order = list(dict.fromkeys([_cells(line)[0] for line in kept[2:]] + list(made)))
    lines = [*new[:2], *(made[row_name] for row_name in order)]
    for source in dict.fromkeys(origin.values()):
        rows = [row_name for row_name in order if origin.get(row_name) == source]
        lines += [
            "",
            f"{', '.join(rows)}: made by {source}" if len(rows) < len(order) else f"Made by {source}",
        ]
    return lines
