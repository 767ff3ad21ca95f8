"""A benchmark as one self-contained page: the table, the pictures, the machine, the data behind them."""

from __future__ import annotations

import json
import tempfile
from html import escape
from pathlib import Path
from typing import Any

from fer_edge.bench import output, plot, sheets
from fer_edge.errors import MissingExtraError

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 85em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-size: 14px; font-variant-numeric: tabular-nums }
th, td { padding: .25em .5em; text-align: right; white-space: nowrap; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
div { overflow-x: auto } svg { max-width: 100%; height: auto } pre { background: #f5f5f5; padding: 1em }
"""
_LEFT_OUT = {"first ms", "cpu ms"}  # so that the accuracy is seen without scrolling; the JSON has them


def page(result: dict[str, Any]) -> str:
    """The whole page as HTML; without matplotlib it has no pictures."""
    columns = [c for c in output.chosen_columns(result["results"], 10_000) if c.header not in _LEFT_OUT]
    head = "".join(f"<th>{escape(column.header)}</th>" for column in columns)
    body = "\n".join(
        "<tr>" + "".join(f"<td>{escape(column.cell(row))}</td>" for column in columns) + "</tr>"
        for row in result["results"]
    )
    notes = "".join(f"<p>{escape(line)}</p>" for line in output.footnotes(result))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>fer-edge bench</title>
<style>{_STYLE}</style>
<h1>fer-edge bench</h1>
<div><table>
<thead><tr>{head}</tr></thead>
<tbody>
{body}
</tbody>
</table></div>
{notes}
{_picture(result)}
{"".join(sheet.html() for sheet in sheets.all_of(result))}
<details><summary>All figures (JSON)</summary>
<pre>{escape(json.dumps(result, indent=2, ensure_ascii=False))}</pre></details>
</html>
"""


def _picture(result: dict[str, Any]) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.svg")
        try:
            plot.draw(result, path)
        except MissingExtraError:
            return ""
        text = path.read_text()
    return text[text.index("<svg") :]  # without the XML declaration, which HTML does not take
