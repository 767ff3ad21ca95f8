"""The comparison as a table on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from fer_edge import console, tables
from fer_edge.targets.comparison import LITERT, Row, refusals


def _scaled(divisor: float, digits: int) -> Callable[[float | None], str]:
    return lambda value: "-" if value is None else f"{value / divisor:.{digits}f}"


_COLUMNS: tuple[tuple[str, Callable[[Row], str]], ...] = (
    ("kB", lambda row: _scaled(1e3, 0)(row.bytes)),
    ("zip kB", lambda row: _scaled(1e3, 0)(row.compressed_bytes)),
    ("ops", lambda row: _scaled(1, 0)(row.ops)),
    ("agree %", lambda row: tables.percent(row.agreement, 2)),
    ("acc %", lambda row: tables.percent(row.accuracy, 2)),
    ("ms here", lambda row: _scaled(1, 3)(row.ms)),
    ("KiB", lambda row: _scaled(1024, 0)(row.memory_bytes)),
    ("NPU ms", lambda row: _scaled(1, 2)(row.npu_ms)),
)

LEGEND = (
    "zip: compressed. agree: on the label, with the family's float32 file in LiteRT here. ms here: median in "
    "LiteRT, one thread. KiB: peak of activations (litert), measured arena (microcontroller), SRAM "
    "(ethos-u). NPU ms: Vela's estimate; nothing here can run its results."
)


def show(found: Sequence[Row], pictures: str) -> None:
    """The table, its legend, and what no target takes."""
    table = tables.new_table(f"files and targets on {pictures}")
    table.add_column("model, its targets", no_wrap=True)
    for heading, _ in _COLUMNS:
        table.add_column(heading, justify="right")
    for row in _taken(found):
        name = row.model if row.target == LITERT else f"  {row.target}"
        table.add_row(name, *(cell(row) for _, cell in _COLUMNS))
    tables.show(table)
    console.say(LEGEND)
    for line in refusals(found):
        console.say(f"refused: {line}")


def markdown(found: Sequence[Row], pictures: str, machine: str) -> str:
    """The same as Markdown, with the machine that it was measured on."""
    head = ["model", "target", *(heading for heading, _ in _COLUMNS)]
    lines = [f"| {' | '.join(head)} |", "| --- | --- |" + " --: |" * len(_COLUMNS)]
    for row in _taken(found):
        cells = (row.model, row.target, *(cell(row) for _, cell in _COLUMNS))
        lines.append(f"| {' | '.join(cells)} |")
    refused = [f"- refused: {line}" for line in refusals(found)]
    return "\n".join([*lines, "", f"{pictures}. {LEGEND} {machine}.", "", *refused]).rstrip() + "\n"


def _taken(found: Sequence[Row]) -> list[Row]:
    return [row for row in found if not row.refused]
