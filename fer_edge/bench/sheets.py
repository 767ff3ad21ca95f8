"""Tables beside the main one: floor and projections, operators, parts; for terminal, Markdown and HTML."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from fer_edge.tables import new_table

if TYPE_CHECKING:
    from rich.table import Table


STAGES = ("read", "detect", "crop", "classify", "draw", "write", "other")
"""Stages of the loop, in their order; other: what no stage claims."""


@dataclass(frozen=True)
class Sheet:
    """left: how many columns, from the first, hold text; the others hold numbers.

    notes: lines under it. sources: more of them, for Markdown and HTML alone.
    """

    title: str
    headers: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    left: int = 1
    notes: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()

    def table(self) -> Table:
        """For the terminal, without the notes."""
        out = new_table(self.title)
        for n, header in enumerate(self.headers):
            out.add_column(header, justify="left" if n < self.left else "right", no_wrap=n >= self.left)
        for row in self.rows:
            out.add_row(*row)
        return out

    def markdown(self) -> str:
        """With the notes, without the title."""
        marks = ["---" if n < self.left else "--:" for n in range(len(self.headers))]
        lines = ["| " + " | ".join(cells) + " |" for cells in (self.headers, marks, *self.rows)]
        return "\n".join([*lines, "", *self.notes, *(f"- {line}" for line in self.sources)]).rstrip() + "\n"

    def html(self) -> str:
        """With title and notes."""
        head = "".join(f"<th>{escape(header)}</th>" for header in self.headers)
        body = "".join(
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in self.rows
        )
        notes = "".join(f"<p>{escape(note)}</p>" for note in self.notes + self.sources)
        table = f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table>"
        return f"<h2>{escape(self.title)}</h2>\n<div>{table}</div>\n{notes}\n"


def ms(value: float | None) -> str:
    """Three figures, about: `0.412`, `4.12`, `41.2`, `412`; a dash for None."""
    if value is None:
        return "-"
    places = 3 if abs(value) < 1 else 2 if abs(value) < 10 else 1 if abs(value) < 100 else 0
    return f"{value:.{places}f}"


def all_of(result: dict[str, Any]) -> list[Sheet]:
    """The sheets that this benchmark has something for."""
    sheets = [parts(result["results"])] if any(row.get("parts_ms") for row in result["results"]) else []
    if result.get("limits"):
        sheets.append(floors(result))
    return sheets + [operators(row) for row in result["results"] if row.get("profile")]


def parts(rows: Sequence[dict[str, Any]]) -> Sheet:
    """Where the time of a face goes."""
    names = tuple(rows[0]["parts_ms"])
    cells = [(r["model"], str(r["threads"]), *(ms(r["parts_ms"][name]) for name in names)) for r in rows]
    note = "crop: a square of 180 px out of a gray frame, shrunk to the input; each a median of its own."
    return Sheet("ms of a face", ("model", "thr", *names), tuple(cells), notes=(note,))


def floors(result: dict[str, Any]) -> Sheet:
    """How near each row is to what the core can do, and what a Raspberry Pi should take."""
    limit = result["limits"]
    boards = [projection["board"] for projection in result["results"][0]["projections"]]
    rows = []
    for row in result["results"]:
        floor, p50 = row["floor_ms"], row["latency_ms"]["p50"]
        cells = [row["model"], str(row["threads"]), f"{row['macs'] / 1e6:.1f}", ms(floor)]
        cells.append("-" if floor is None else f"{p50 / floor:.2f}" + ("*" if row["disturbed"] else ""))
        rows.append((*cells, *(_range(projection) for projection in row["projections"])))
    int8 = "-" if limit["int8_gmacs"] is None else f"{limit['int8_gmacs']:.0f} in int8 ({limit['int8_by']})"
    notes = (
        f"One core here: {limit['float32_gmacs']:.0f} G multiply-accumulates a second in float32 "
        f"({limit['float32_by']}), {int8}, {limit['cache_gbs']:.0f} GB/s in its cache, "
        f"{limit['memory_gbs']:.1f} GB/s in memory. The floor is the multiply-accumulates at that rate, or "
        "the weights read once from the cache.",
        "Pi 4 and Pi 5 are projections, not measurements, of the network alone on one core: at the core's "
        "peak, to the rate at which MobileNet v1 was published to run there (a dash: not published).",
    )
    short = (f"{board.removeprefix('Raspberry ')} ms" for board in boards)
    headers = ("model", "thr", "M MAC", "floor ms", "x floor", *short)
    return Sheet("how near to the limit", headers, tuple(rows), notes=notes, sources=tuple(limit["boards"]))


def operators(row: dict[str, Any]) -> Sheet:
    """Each operator's time and rate."""
    total = sum(operator["ms"] for operator in row["profile"])
    rows = [
        (
            operator["op"],
            "x".join(map(str, operator["shape"])),
            f"{operator['macs'] / 1e6:.2f}" if operator["macs"] else "",
            f"{operator['ms'] * 1e3:.1f}",
            f"{operator['ms_low'] * 1e3:.1f}..{operator['ms_high'] * 1e3:.1f}",
            f"{round(100 * operator['ms'] / total)}",  # rounded before it is text: no -0
            f"{operator['macs'] / operator['ms'] / 1e6:.0f}"
            if operator["macs"] and operator["ms"] > 0
            else "",
        )
        for operator in row["profile"]
    ]
    title = f"{row['model']}, {row['threads']} thr: {total:.3f} ms by operator"
    headers = ("operator", "output", "M MAC", "us", "95 % interval", "%", "G MAC/s")
    note = "An operator's time is what the network cut after it takes more than the one cut before it."
    return Sheet(title, headers, tuple(rows), left=2, notes=(note,))


def loop(result: dict[str, Any]) -> Sheet:
    """Frames a second of the whole loop, and each stage's part of a frame."""
    about = result["loop"]
    names = [name for name in STAGES if any(name in row["stages_ms"] for row in about["rows"])]
    rows = []
    for row in about["rows"]:
        cells = [f"{row['width']}x{row['height']}", f"{row['fps']:.0f}" + ("*" if row["disturbed"] else "")]
        cells += [ms(row["stages_ms"].get(name)) for name in names]
        cells.append("-" if row["found"] is None else f"{100 * row['found']:.1f}")
        cells.append(str(row["extra"]))
        cells.append("-" if row["peak_rss_mib"] is None else f"{row['peak_rss_mib']:.0f}")
        rows.append(tuple(cells))
    note = (
        f"{about['video']}, {about['rows'][0]['frames']} frames with {about['faces']} face(s) each, "
        f"{about['model']}, {about['threads']} thread(s), {result['machine'].get('cpu')}; stages in ms, mean "
        "a frame; found: percent of the faces; extra: boxes too many; MiB: peak of the whole process."
    )
    return Sheet("the loop", ("frame", "fps", *names, "found", "extra", "MiB"), tuple(rows), notes=(note,))


def _range(projection: dict[str, Any]) -> str:
    low, high = projection["at_peak_ms"], projection["at_network_ms"]
    return f"{low:.2g}..{high:.2g}" if high is not None else f"{low:.2g}..-"
