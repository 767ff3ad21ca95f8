"""A recording drawn: each face's expressions over time as a picture, and one self-contained page round it."""

from __future__ import annotations

import io
import math
import warnings
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import MissingExtraError
from fer_edge.tables import percent
from fer_edge.timeline.log import UNCERTAIN, Face, Recording
from fer_edge.vision.overlay import hex_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_FACES, MOST_LABELS = 8, 16  # that a page has room for: those seen in most frames, the most probable
MOST_COLUMNS = 900  # of time in a picture: a longer recording is averaged
GAP_S = 1.0  # a face that was away for longer leaves a gap
TEXT = "#222222"  # colour of letters and lines; on the page, the reader's own
_LOOK: dict[Any, Any] = {
    "font.size": 11,
    "svg.fonttype": "none",
    "text.parse_math": False,
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), TEXT),
}
_STYLE = """
:root { color-scheme: light dark; --line: #ddd; --quiet: #666 }
@media (prefers-color-scheme: dark) { :root { --line: #3a3e44; --quiet: #9aa0a6; background: #16181b } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60em; margin: 1.5em auto; padding: 0 1em }
h1 { font-size: 1.4em; overflow-wrap: anywhere } p { overflow-wrap: anywhere } .quiet { color: var(--quiet) }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .9em }
th, td { padding: .25em .6em; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }
th:first-child, td:first-child { text-align: left }
.wide { overflow-x: auto } svg { width: 100%; height: auto; display: block }
.share { display: flex; height: 1.6em; border-radius: 4px; overflow: hidden; margin: 1em 0 }
.share span { display: block } li { display: inline-block; margin-right: 1.2em } ul { padding: 0 }
i { display: inline-block; width: .8em; height: .8em; margin-right: .35em; border-radius: 2px }
"""


def drawn_faces(recording: Recording) -> tuple[Face, ...]:
    """The faces that a page has room for."""
    return recording.faces[:MOST_FACES]


def drawn_labels(recording: Recording) -> list[int]:
    """Indices of the labels that a page has room for, in their order."""
    if len(recording.labels) <= MOST_LABELS or not recording.faces:
        return list(range(min(len(recording.labels), MOST_LABELS)))
    sums = np.sum([face.probabilities.sum(axis=0) for face in recording.faces], axis=0)
    return sorted(int(i) for i in np.argsort(-sums)[:MOST_LABELS])


def draw(recording: Recording, path: Path, html: Path | None = None) -> None:
    """Draws into `path`, whose suffix chooses the format, and writes the page; both or neither.

    Raises MissingExtraError without matplotlib, OutputError where a file cannot be written.
    """
    text = page(recording) if html else ""
    with files.written_aside(path) as aside:
        _save(_figure(recording), aside)
        if html:
            files.write_text(html, text)


def _save(figure: Figure, target: Path | io.BytesIO, **options: object) -> None:
    from matplotlib import rc_context

    with rc_context(_LOOK), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # letters that the font lacks
        figure.savefig(target, dpi=180, **options)  # type: ignore[arg-type]


def _figure(recording: Recording) -> Figure:
    try:
        from matplotlib import rc_context
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "plot", "drawing a report") from error
    faces = drawn_faces(recording)
    with rc_context(_LOOK):
        figure = Figure(figsize=(5.6, 1.3 + 1.7 * max(1, len(faces))), layout="constrained")
        panels = figure.subplots(max(1, len(faces)), 1, squeeze=False)[:, 0]
        if not faces:
            panels[0].text(0.5, 0.5, "no face in this recording", ha="center", va="center")
            panels[0].set_axis_off()
        for axes, face in zip(panels, faces, strict=False):
            _panel(axes, face, recording)
        if faces:
            panels[-1].set_xlabel("minutes:seconds")
            _legend(figure, recording)
    return figure


def _legend(figure: Figure, recording: Recording) -> None:
    from matplotlib.patches import Patch

    patches = [Patch(color=hex_color(name), label=name or UNCERTAIN) for name in _names(recording)]
    figure.legend(handles=patches, loc="outside upper center", ncols=4, frameon=False)


def _names(recording: Recording) -> list[str | None]:
    names: list[str | None] = [recording.labels[i] for i in drawn_labels(recording)]
    return [*names, None] if UNCERTAIN in recording.shares else names


def _panel(axes: Axes, face: Face, recording: Recording) -> None:
    labels = drawn_labels(recording)
    colors = [hex_color(recording.labels[i]) for i in labels]
    strip = axes.inset_axes((0, 1.02, 1, 0.09), sharex=axes)
    strip.set_axis_off()
    for times_s, shares, shown in binned(face):
        axes.stackplot(times_s, shares[:, labels].T, colors=colors, alpha=0.8)
        for begin_s, end_s, label in runs(times_s, shown):
            strip.broken_barh([(begin_s, end_s - begin_s)], (0, 1), color=hex_color(label))
    if face.times_s[0] == face.times_s[-1]:  # a picture: one moment has no width
        axes.axvline(face.times_s[0], color=hex_color(face.shown[0]))
    source = f"{Path(face.source).name}, " if len(recording.sources) > 1 else ""
    axes.set_title(f"{source}face {face.track}", loc="left", fontsize=11, pad=16)
    axes.set(ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.margins(x=0)
    if len(recording.sources) == 1:  # panels of one source show the same time
        begin_s = min(float(one.times_s[0]) for one in drawn_faces(recording))
        end_s = max(float(one.times_s[-1]) for one in drawn_faces(recording))
        axes.set_xlim(begin_s, max(end_s, begin_s + 1e-3))
    axes.xaxis.set_major_formatter(lambda seconds, _: clock(seconds))


def clock(seconds: float) -> str:
    """`1:05`; `0:07.5` where a tick lies between seconds."""
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
    between_s = np.diff(face.times_s)
    gap_s = (
        max(GAP_S, 3 * float(np.median(between_s))) if len(between_s) else GAP_S
    )  # frames may be far apart
    stretches = []
    for part in np.split(np.arange(len(face.times_s)), np.flatnonzero(between_s > gap_s) + 1):
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


def page(recording: Recording) -> str:
    """The whole page as HTML. Raises MissingExtraError without matplotlib."""
    names = ", ".join(escape(Path(source).name) for source in recording.sources[:3])
    more = f" and {len(recording.sources) - 3} more" if len(recording.sources) > 3 else ""
    rows = "".join(_row(face, recording) for face in drawn_faces(recording))
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(recording.path.name)}</title>
<style>{_STYLE}</style>
<h1>{escape(recording.path.name)}</h1>
<p>{names}{more}: {recording.frames} frames in {clock(round(recording.seconds))}, a face in
{recording.frames_with_face}, {len(recording.faces)} different.</p>
{_shares(recording)}
{_timeline(recording)}
<div class="wide"><table>
<thead>{_cells(("face", "from", "length", "frames", "changes", *_heads(recording)), "th")}</thead>
<tbody>
{rows}</tbody>
</table></div>
<p class="quiet">Upper strip and shares: the label that was shown. Areas: each frame's own probabilities.
{_left_out(recording)}</p>
</html>
"""


def _shares(recording: Recording) -> str:
    largest = list(recording.shares.items())[: MOST_LABELS + 1]
    color = {name: hex_color(None if name == UNCERTAIN else name) for name, _ in largest}
    bars = "".join(
        f'<span style="width:{100 * share:.3f}%;background:{color[name]}" title="{escape(name)}"></span>'
        for name, share in largest
    )
    items = "".join(
        f'<li><i style="background:{color[name]}"></i>{escape(name)} {percent(share)} %</li>'
        for name, share in largest
    )
    return f'<div class="share">{bars}</div>\n<ul>{items}</ul>' if largest else ""


def _timeline(recording: Recording) -> str:
    drawn = io.BytesIO()
    _save(_figure(recording), drawn, format="svg", transparent=True)
    text = drawn.getvalue().decode()
    return text[text.index("<svg") :].replace(TEXT, "currentColor")  # without what HTML does not take


def _heads(recording: Recording) -> Iterable[str]:
    return (f"{name or UNCERTAIN} %" for name in _names(recording))


def _row(face: Face, recording: Recording) -> str:
    name = f"{Path(face.source).name}, {face.track}" if len(recording.sources) > 1 else str(face.track)
    start, length = clock(round(float(face.times_s[0]))), clock(round(face.seconds))
    shares = (percent(face.shares.get(label or UNCERTAIN, 0.0)) for label in _names(recording))
    return _cells((name, start, length, str(len(face.shown)), str(face.changes), *shares))


def _cells(cells: Iterable[str], kind: str = "td") -> str:
    return "<tr>" + "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells) + "</tr>\n"


def _left_out(recording: Recording) -> str:
    faces = len(recording.faces) - len(drawn_faces(recording))
    labels = len(recording.labels) - len(drawn_labels(recording))
    said = [f"{faces} faces that were seen in fewer frames" if faces else ""]
    said += [f"{labels} labels of small probability" if labels else ""]
    return f"{' and '.join(filter(None, said))} are left out." if faces or labels else ""
