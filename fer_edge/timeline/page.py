"""A recording as one self-contained page: what was seen, the timeline, each face's figures."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from html import escape
from pathlib import Path

from fer_edge.tables import percent
from fer_edge.timeline import plot
from fer_edge.timeline.log import UNCERTAIN, Face, Recording
from fer_edge.vision.overlay import hex_color

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25em .7em; text-align: right; border-bottom: 1px solid #ddd }
th:first-child, td:first-child { text-align: left }
div { overflow-x: auto } svg { max-width: 100%; height: auto }
.share { display: flex; height: 1.6em; border-radius: 4px; overflow: hidden; margin: 1em 0 }
.share span { display: block } li { display: inline-block; margin-right: 1.2em } ul { padding: 0 }
i { display: inline-block; width: .8em; height: .8em; margin-right: .35em }
"""


def page(recording: Recording) -> str:
    """The whole page as HTML. Raises MissingExtraError without matplotlib."""
    names = ", ".join(escape(source) for source in recording.sources[:3])
    more = f" and {len(recording.sources) - 3} more" if len(recording.sources) > 3 else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(recording.path.name)}</title>
<style>{_STYLE}</style>
<h1>{escape(recording.path.name)}</h1>
<p>{names}{more}: {recording.frames} frames in {recording.seconds:.1f} s, a face in
{recording.frames_with_face}, {len(recording.faces)} different.</p>
{_shares(recording)}
<div>{_timeline(recording)}</div>
<div><table>
<thead><tr><th>face</th><th>from</th><th>seconds</th><th>frames</th><th>changes</th>{_heads(recording)}</tr></thead>
<tbody>
{"".join(_row(face, recording) for face in plot.drawn_faces(recording))}</tbody>
</table></div>
<p>The shares are of the label that was shown; the areas are each frame's own probabilities.
{_left_out(recording)}</p>
</html>
"""


def _columns(recording: Recording) -> tuple[str, ...]:
    return (*recording.labels, *([UNCERTAIN] if UNCERTAIN in recording.shares else []))


def _color(name: str) -> str:
    return hex_color(None if name == UNCERTAIN else name)


def _shares(recording: Recording) -> str:
    shares = recording.shares
    bars = "".join(
        f'<span style="width:{100 * share:.3f}%;background:{_color(name)}" title="{escape(name)}"></span>'
        for name, share in shares.items()
    )
    items = "".join(
        f'<li><i style="background:{_color(name)}"></i>{escape(name)} {percent(share)} %</li>'
        for name, share in shares.items()
    )
    return f'<div class="share">{bars}</div>\n<ul>{items}</ul>' if shares else ""


def _timeline(recording: Recording) -> str:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "timeline.svg")
        plot.draw(recording, path)
        text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]  # without the XML declaration, which HTML does not take


def _heads(recording: Recording) -> str:
    return "".join(f"<th>{escape(name)} %</th>" for name in _columns(recording))


def _row(face: Face, recording: Recording) -> str:
    name = f"{Path(face.source).name}, {face.track}" if len(recording.sources) > 1 else str(face.track)
    start, seconds = plot.clock(float(face.times_s[0])), f"{face.seconds:.1f}"
    shares = (percent(face.shares.get(label, 0.0)) for label in _columns(recording))
    return _cells((name, start, seconds, str(len(face.shown)), str(face.changes), *shares))


def _cells(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"


def _left_out(recording: Recording) -> str:
    hidden = len(recording.faces) - len(plot.drawn_faces(recording))
    return (
        f"{hidden} faces that were seen in fewer frames are left out of timeline and table." if hidden else ""
    )
