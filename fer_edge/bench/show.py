"""Prints and writes what a benchmark found."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

from fer_edge import console, files, tables
from fer_edge.bench import clip_sheets, compare, flat, html, output, plot, sheets
from fer_edge.errors import UsageError


def result(value: dict[str, Any]) -> None:
    """The table, as wide as the terminal, and a line on whatever disturbed it."""
    out = console.console()
    tables.show(output.table(value, out.width if out.is_terminal else tables.PLAIN_WIDTH))
    if value["config"]["data"]:
        _say(output.accuracy_note(value))
    for sheet in sheets.all_of(value):
        console.say("")
        sheet_of(sheet)
    if value["energy"]["reason"]:
        _say(f"energy: {value['energy']['reason']}")
    if any(row["disturbed"] for row in value["results"]):
        _say(output.BUSY)


def loop(value: dict[str, Any], markdown: Path | None) -> None:
    """The tables of `bench --loop`, also as Markdown where asked for."""
    shown = [sheets.loop(value), *clip_sheets.both(value["detectors"])]
    for sheet in shown:
        sheet_of(sheet)
    busy = any(row["disturbed"] for row in value["loop"]["rows"])
    if busy:
        _say(output.BUSY)
    if markdown is not None:
        text = "\n".join(sheet.markdown() for sheet in shown)
        files.write_text(markdown, text + (output.BUSY + ".\n" if busy else ""))


def sheet_of(sheet: sheets.Sheet) -> None:
    """One of the smaller tables and its notes."""
    tables.show(sheet.table())
    for note in sheet.notes:
        _say(note)


def _say(text: str) -> None:
    """A line as it is, or lines as wide as the terminal, broken between words."""
    out = console.console()
    for line in textwrap.wrap(text, out.width) if out.is_terminal else [text]:
        console.say(line)


def write(
    value: dict[str, Any],
    *,
    csv: Path | None,
    markdown: Path | None,
    plot_to: Path | None,
    html_to: Path | None,
) -> None:
    """Writes the forms that were asked for; raises OutputError, MissingExtraError."""
    if csv is not None:
        files.write_text(csv, flat.as_csv(value))
    if markdown is not None:
        files.write_text(markdown, output.markdown(value))
    if plot_to is not None:
        plot.draw(value, plot_to)
    if html_to is not None:
        files.write_text(html_to, html.page(value))


def compared(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> None:
    """Prints what changed. Raises GateError past the tolerance, UsageError if nothing can be compared."""
    found = compare.changes(old, new, tolerance)
    if not found:
        raise UsageError("--compare: the older benchmark has none of these models with these thread counts")
    if not compare.same_machine(old, new):
        console.warn("the older benchmark is of another machine: times and memory are not compared")
    if compare.disturbed(*old["results"], *new["results"]):
        console.warn("times of rows that were measured on a busy machine (*) are not compared")
    told = [change for change in found if change.verdict != "same"]
    table = tables.new_table("beyond the noise")
    for name in ("model", "thr", "figure", "old", "new", "change", "verdict"):
        table.add_column(name, justify="right" if name in ("thr", "old", "new", "change") else "left")
    for change in told:
        figures = (f"{change.old:.4g}", f"{change.new:.4g}", f"{change.percent:+.1f} %")
        table.add_row(change.model, str(change.threads), change.figure, *figures, change.verdict)
    if told:
        tables.show(table)
    console.say(f"{len(found)} figures compared, {len(told)} changed beyond the noise")
    compare.gate(found)
