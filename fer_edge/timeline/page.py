"""A recording as one self-contained page: what was seen, the timeline, each face's figures."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import MissingExtraError
from fer_edge.tables import percent
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
{"".join(_row(face, recording) for face in drawn_faces(recording))}</tbody>
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
        draw(recording, path)
        text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]  # without the XML declaration, which HTML does not take


def _heads(recording: Recording) -> str:
    return "".join(f"<th>{escape(name)} %</th>" for name in _columns(recording))


def _row(face: Face, recording: Recording) -> str:
    name = f"{Path(face.source).name}, {face.track}" if len(recording.sources) > 1 else str(face.track)
    start, seconds = clock(float(face.times_s[0])), f"{face.seconds:.1f}"
    shares = (percent(face.shares.get(label, 0.0)) for label in _columns(recording))
    return _cells((name, start, seconds, str(len(face.shown)), str(face.changes), *shares))


def _cells(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>\n"


def _left_out(recording: Recording) -> str:
    hidden = len(recording.faces) - len(drawn_faces(recording))
    return (
        f"{hidden} faces that were seen in fewer frames are left out of timeline and table." if hidden else ""
    )


if TYPE_CHECKING:
    from matplotlib.axes import Axes

MOST_FACES = 8
MOST_COLUMNS = 900  # of time in a picture: a longer recording is averaged
GAP_S = 1.0  # a face that was away for longer leaves a gap


def drawn_faces(recording: Recording) -> tuple[Face, ...]:
    """The faces that a picture has room for: those seen in most frames."""
    return recording.faces[:MOST_FACES]


def draw(recording: Recording, path: Path) -> None:
    """Draws into `path`, whose suffix chooses the format: a panel a face.

    Raises MissingExtraError without matplotlib, OutputError where the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing a report") from error
    faces = drawn_faces(recording)
    figure = Figure(figsize=(11, 1.6 + 2.1 * max(1, len(faces))), layout="constrained")
    panels = figure.subplots(max(1, len(faces)), 1, squeeze=False)[:, 0]
    if not faces:
        panels[0].text(0.5, 0.5, "no face in this recording", ha="center", va="center")
        panels[0].set_axis_off()
    for axes, face in zip(panels, faces, strict=False):
        _panel(axes, face, recording)
    if faces:
        panels[-1].set_xlabel("time in the source, minutes:seconds")
        figure.legend(
            handles=_legend(recording), loc="outside upper center", ncols=min(9, len(recording.labels) + 1)
        )
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=110)


def _legend(recording: Recording) -> list[object]:
    from matplotlib.patches import Patch

    names = [*recording.labels, *([None] if any(None in face.shown for face in recording.faces) else [])]
    return [Patch(color=hex_color(name), label=name or "uncertain") for name in names]


def _panel(axes: Axes, face: Face, recording: Recording) -> None:
    for times_s, shares, shown in binned(face):
        axes.stackplot(times_s, shares.T, colors=[hex_color(label) for label in recording.labels], alpha=0.75)
        for begin_s, end_s, label in runs(times_s, shown):
            axes.broken_barh([(begin_s, end_s - begin_s)], (1.04, 0.12), color=hex_color(label))
    if face.times_s[0] == face.times_s[-1]:  # a picture: one moment has no width
        axes.axvline(face.times_s[0], color=hex_color(face.shown[0]))
    source = f"{Path(face.source).name}, " if len(recording.sources) > 1 else ""
    axes.set_title(f"{source}face {face.track}", loc="left", fontsize=10)
    axes.set(ylim=(0, 1.2), yticks=(0, 0.5, 1.1), yticklabels=("0", "0.5", "shown"), ylabel="probability")
    axes.margins(x=0)
    if len(recording.sources) == 1:  # panels of one source show the same time
        begin_s = min(float(one.times_s[0]) for one in drawn_faces(recording))
        end_s = max(float(one.times_s[-1]) for one in drawn_faces(recording))
        axes.set_xlim(begin_s, max(end_s, begin_s + 1e-3))
    axes.xaxis.set_major_formatter(lambda seconds, _: clock(seconds))


def clock(seconds: float) -> str:
    """`1:05`, with tenths below ten seconds' width left to the ticks: `0:07.5`."""
    minutes, rest = divmod(round(seconds, 3), 60)
    text = f"{rest:04.1f}" if rest % 1 else f"{rest:02.0f}"
    return f"{minutes:.0f}:{text}"


def binned(
    face: Face, most: int = MOST_COLUMNS
) -> list[tuple[NDArray[np.float64], NDArray[np.float32], list[str | None]]]:
    """The face's stretches without a gap: times (n,), mean probabilities (n, labels), labels shown.

    All stretches together have about `most` columns at most; a column shows its last frame's label.
    """
    step = max(1, math.ceil(len(face.times_s) / most))
    breaks = np.flatnonzero(np.diff(face.times_s) > GAP_S) + 1
    stretches = []
    for part in np.split(np.arange(len(face.times_s)), breaks):
        starts = np.arange(0, len(part), step)
        sums = np.add.reduceat(face.probabilities[part], starts, axis=0)
        counts = np.diff(np.append(starts, len(part)))
        last = part[np.append(starts[1:], len(part)) - 1]
        times_s = face.times_s[part[starts]].copy()
        times_s[-1] = face.times_s[part[-1]] if len(starts) > 1 else times_s[-1]
        means = (sums / counts[:, None]).astype(np.float32)
        stretches.append((times_s, means, [face.shown[i] for i in last]))
    return stretches


def runs(
    times_s: Sequence[float] | NDArray[np.float64], shown: Sequence[str | None]
) -> list[tuple[float, float, str | None]]:
    """(begin, end, label) of each time that a label was shown without a break."""
    found: list[tuple[float, float, str | None]] = []
    begin = 0
    for n in range(1, len(shown) + 1):
        if n == len(shown) or shown[n] != shown[begin]:
            end = min(n, len(shown) - 1)
            found.append((float(times_s[begin]), float(times_s[end]), shown[begin]))
            begin = n
    return found
