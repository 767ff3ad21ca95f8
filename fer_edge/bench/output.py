"""A benchmark as a table and as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from fer_edge.bench import sheets
from fer_edge.evaluation import metrics
from fer_edge.tables import new_table, percent

if TYPE_CHECKING:
    from rich.table import Table

Row = dict[str, Any]
BUSY = "* the machine was busy meanwhile: times are not to be quoted"


@dataclass(frozen=True)
class Column:
    """cell: a row's text, "-" for what was not measured. importance: the lowest stays longest."""

    header: str
    importance: int
    cell: Callable[[Row], str]


def _ms(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:.3f}" if value < 1 else f"{value:.2f}" if value < 100 else f"{value:.0f}"


def _latency(key: str) -> Callable[[Row], str]:
    return lambda row: _ms(row["latency_ms"][key])


def _median(row: Row) -> str:
    return _ms(row["latency_ms"]["p50"]) + ("*" if row["disturbed"] else "")


def _interval(row: Row) -> str:
    latency = row["latency_ms"]
    return f"{_ms(latency['p50_low'])}..{_ms(latency['p50_high'])}"


def _times_floor(row: Row) -> str:
    floor = row.get("floor_ms")
    return f"{row['latency_ms']['p50'] / floor:.2f}" if floor else "-"


def _mib(row: Row) -> str:
    return "-" if row["peak_rss_mib"] is None else f"{row['peak_rss_mib']:.0f}"


def size(count: int) -> str:
    """Bytes in decimal units: `93 kB`, `2.57 MB`."""
    return f"{count / 1e6:.2f} MB" if count >= 1e6 else f"{count / 1e3:.0f} kB"


COLUMNS = (
    Column("model", 0, lambda row: str(row["model"])),
    Column("thr", 4, lambda row: str(row["threads"])),
    Column("size", 1, lambda row: size(row["bytes"])),
    Column("p50 ms", 0, _median),
    Column("95 % interval", 11, _interval),
    Column("p90 ms", 9, _latency("p90")),
    Column("p99 ms", 8, _latency("p99")),
    Column("fps", 5, lambda row: f"{row['fps']:.0f}"),
    Column("load ms", 10, lambda row: _ms(row["load_ms"])),
    Column("first ms", 12, lambda row: _ms(row["first_ms"])),
    Column("cpu ms", 13, lambda row: _ms(row["cpu_ms"])),
    Column("MiB", 6, _mib),
    Column("acc %", 2, lambda row: percent(row["accuracy"], 2)),
    Column("F1 %", 7, lambda row: percent(row["macro_f1"])),
    Column("agree %", 3, lambda row: percent(row["agreement"], 2)),
    Column("x floor", 14, _times_floor),
    Column("mJ", 15, lambda row: _ms(row.get("energy_mj"))),
)


def chosen_columns(rows: Sequence[Row], width: int) -> list[Column]:
    """The columns that have something to say, the most important first until `width` is used up."""
    told = [column for column in COLUMNS if any(column.cell(row) != "-" for row in rows)]
    chosen, used = [], 0
    for column in sorted(told, key=lambda column: column.importance):
        wide = 2 + max(len(column.header), *(len(column.cell(row)) for row in rows))
        if used + wide > width + 2 and column.importance > 0:  # the last one has no space after it
            break
        chosen.append(column)
        used += wide
    return [column for column in COLUMNS if column in chosen]


def table(result: Row, width: int) -> Table:
    """A rich table of at most `width` columns; narrow model names are never cut."""
    rows = result["results"]
    out = new_table(f"{result['machine'].get('cpu') or 'benchmark'}, {result['config']['runs']} runs each")
    columns = chosen_columns(rows, width)
    for column in columns:
        out.add_column(column.header, justify="left" if column.header == "model" else "right", no_wrap=True)
    for row in rows:
        out.add_row(*(column.cell(row) for column in columns))
    return out


def markdown(result: Row) -> str:
    """The main table in Markdown and what is said under it, then the other tables."""
    others = [f"\n### {sheet.title}\n\n{sheet.markdown()}" for sheet in sheets.all_of(result)]
    return main_markdown(result) + "".join(others)


def main_markdown(result: Row) -> str:
    """The main table in Markdown, with the machine, the data and the units under it."""
    rows = result["results"]
    left_out = {"first ms", "cpu ms", "95 % interval"}
    columns = [c for c in chosen_columns(rows, 10_000) if c.header not in left_out]
    lines = [
        "| " + " | ".join(column.header for column in columns) + " |",
        "| " + " | ".join("---" if column.header == "model" else "--:" for column in columns) + " |",
        *(
            "| " + " | ".join(column.cell(row).replace("*", "\\*") for column in columns) + " |"
            for row in rows
        ),
        "",
        *footnotes(result),
    ]
    return "\n".join(lines) + "\n"


def footnotes(result: Row) -> list[str]:
    """Lines that say where and on what the figures were measured."""
    machine, config = result["machine"], result["config"]
    where = ", ".join(str(machine[key]) for key in ("cpu", "system", "interpreter") if machine.get(key))
    count = config.get("processes", 1)
    each = f" in each of {count} processes" if count > 1 else ""
    timed = f"{config['runs']} timed{' in all' if count > 1 else ''}"
    lines = [
        f"{where}; {config['warmup']} inferences of warm-up{each}, {timed}, a face in and "
        "probabilities out. fps is 1000 / p50; MiB is the peak of a process with Python, numpy, the "
        "interpreter and the model."
    ]
    on = config.get("data")
    if on:
        lines.append(accuracy_note(result))
    reason = (result.get("energy") or {}).get("reason")
    if reason:
        lines.append(f"Energy: {reason}.")
    if any(row["disturbed"] for row in result["results"]):
        lines.append(BUSY + ".")
    return lines


def accuracy_note(result: Row) -> str:
    """What the accuracies were measured on, and how far chance alone moves one of them."""
    on = result["config"]["data"]
    best = max((row["accuracy"] for row in result["results"] if row["accuracy"] is not None), default=0.5)
    low, high = metrics.wilson_interval(round(best * on["n"]), on["n"])
    return (
        f"Accuracy on {on['n']} pictures ({on['split']}, protocol {on['protocol']}): the 95 % interval of "
        f"{percent(best)} % is {percent(low)} to {percent(high)} %."
    )
