"""Reports on a `run --jsonl` log: each face's expressions over time, as a picture and a page."""

from __future__ import annotations

import io
import json
import math
import sys
import warnings
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.errors import DataError, printable
from fer_edge.vision.overlay import hex_color

if TYPE_CHECKING:
    from matplotlib.axes import Axes

UNCERTAIN = "uncertain"
LATEST_S = 1e9  # thirty years: no recording has a later time
MOST_FACES = 8  # that a page has room for: those seen in most frames
MOST_LABELS = 64  # that a log may have: no model of expressions has more
MOST_COLUMNS = 900  # of time in a picture: a longer recording is averaged
GAP_S = 1.0  # a face that was away for longer leaves a gap
TEXT = "#222222"  # colour of letters and lines; on the page, the reader's own


@dataclass
class Face:
    """One track of one source. times_s: when it was seen. shown: the label then, None while uncertain.

    probabilities: float32 (n, labels), each frame's own.
    """

    source: str
    track: int
    times_s: NDArray[np.float64]
    shown: tuple[str | None, ...]
    probabilities: NDArray[np.float32]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for `report --json`."""
        about = {"source": self.source, "track": self.track, "frames": len(self.shown)}
        return {**about, "shares": shares([self])}


@dataclass
class Recording:
    """A whole log. frames: analysed ones. faces: those seen most come first. seconds: of all sources."""

    path: Path
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    frames: int
    frames_with_face: int
    seconds: float
    faces: tuple[Face, ...]

    def as_dict(self) -> dict[str, Any]:
        """Plain types, for `report --json`."""
        return {
            "log": str(self.path),
            "sources": list(self.sources),
            "frames": self.frames,
            "frames_with_face": self.frames_with_face,
            "seconds": round(self.seconds, 3),
            "shares": shares(self.faces),
            "faces": [face.as_dict() for face in self.faces],
        }

    def in_words(self) -> str:
        shown = ", ".join(f"{name} {share:.0%}" for name, share in shares(self.faces).items())
        return (
            f"{self.frames} frames in {console.clock(self.seconds)}, a face in {self.frames_with_face}, "
            f"{len(self.faces)} different: {shown or 'no expression'}"
        )


def shares(faces: Iterable[Face]) -> dict[str, float]:
    """Each label's share of all their frames, the largest first."""
    counts = Counter(label or UNCERTAIN for face in faces for label in face.shown)
    return {label: n / counts.total() for label, n in counts.most_common()}


# --- the log ---


def read(path: Path) -> Recording:
    """Raises DataError, with the line, if it is not a log; skips a truncated last line."""
    seen: dict[tuple[str, int], tuple[array[float], list[str | None]]] = {}  # compact: a log may be of days
    ends: dict[str, list[float]] = {}
    labels: tuple[str, ...] = ()
    frames = with_face = 0
    try:
        file = path.open("rb")
    except OSError as error:
        raise DataError(f"no log from run --jsonl: {path}: {error.strerror}") from error
    with file:
        for number, line in enumerate(file, 1):
            try:
                row = json.loads(line)
                source, time_s = printable(row["source"]), float(row["time_s"])
                found = [_face(face) for face in row["faces"]]
                analysed = row.get("analysed", True) is not False
                if not -LATEST_S < time_s < LATEST_S:
                    raise ValueError("no time of a run")
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError) as error:
                if not line.endswith(b"\n"):
                    console.warn(f"the last line of {path} is cut short; left out")
                    break
                raise DataError(f"line {number} of {path} is not from run --jsonl") from error
            frames += analysed  # `run --every` skips the others
            with_face += bool(found)
            ends.setdefault(source, [time_s, time_s])[1] = time_s
            for track, own, label, values in found:
                labels = labels or own
                if own != labels:
                    what = f"line {number} of {path} has other labels than the lines before"
                    raise DataError(f"{what}: two models' logs?")
                numbers, shown = seen.setdefault((source, track), (array("d"), []))
                numbers.extend((time_s, *values))
                shown.append(label and sys.intern(label))
    if not ends:
        raise DataError(f"{path} has no lines: is it from run --jsonl?")
    whole = []
    for (source, track), (numbers, shown) in sorted(seen.items(), key=lambda item: -len(item[1][1])):
        rows = np.array(numbers).reshape(len(shown), -1)
        whole.append(Face(source, track, rows[:, 0].copy(), tuple(shown), rows[:, 1:].astype(np.float32)))
    seconds = sum(last - first for first, last in ends.values())
    return Recording(path, labels, tuple(ends), frames, with_face, seconds, tuple(whole))


def _face(face: Any) -> tuple[int, tuple[str, ...], str | None, list[float]]:
    """Track, labels, label shown, probabilities. Raises what reading odd JSON raises."""
    labels = tuple(map(printable, face["probabilities"]))
    values = [float(share) for share in face["probabilities"].values()]
    if not (0 < len(labels) <= MOST_LABELS and all(map(math.isfinite, values))):
        raise ValueError("no face of a run")
    return int(face["track"]), labels, None if face["label"] is None else printable(face["label"]), values


# --- the picture ---


def draw(recording: Recording, path: Path, html: Path) -> None:
    """Plots to `path`, whose suffix sets the format, and writes the page; both or neither.

    Raises OutputError if a file cannot be written.
    """
    text = page(recording)
    with files.written_aside(path) as aside:
        _save(recording, aside, format=path.suffix[1:] or "png")
        files.write_text(html, text)


def _save(recording: Recording, target: Path | io.BytesIO, **options: Any) -> None:
    from matplotlib import rc_context
    from matplotlib.figure import Figure
    from matplotlib.patches import Patch

    inked = ("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color")
    look: dict[Any, Any] = {"font.size": 11, "svg.fonttype": "none", "text.parse_math": False}
    look |= dict.fromkeys(inked, TEXT)
    faces = recording.faces[:MOST_FACES]
    with rc_context(look), warnings.catch_warnings(action="ignore"):  # of letters that the font lacks
        figure = Figure(figsize=(5.6, 1.3 + 1.7 * max(1, len(faces))), layout="constrained")
        alone = len(recording.sources) == 1  # panels of one source show the same time
        panels = list(figure.subplots(max(1, len(faces)), 1, squeeze=False, sharex=alone)[:, 0])
        for axes, face in zip(panels, faces, strict=False):
            _draw_face(axes, face, recording)
        if faces:
            names = [*recording.labels, *([None] if UNCERTAIN in shares(recording.faces) else [])]
            patches = [Patch(color=hex_color(name), label=name or UNCERTAIN) for name in names]
            figure.legend(handles=patches, loc="outside upper center", ncols=4, frameon=False)
            panels[-1].set_xlabel("minutes:seconds")
        else:
            panels[0].text(0.5, 0.5, "no face in this recording", ha="center", va="center")
            panels[0].set_axis_off()
        figure.savefig(target, dpi=180, **options)


def _draw_face(axes: Axes, face: Face, recording: Recording) -> None:
    """Areas of its probabilities; above them, a strip of the labels shown."""
    from matplotlib.ticker import MaxNLocator

    colors = [hex_color(label) for label in recording.labels]
    strip = axes.inset_axes((0, 1.02, 1, 0.09), sharex=axes)
    strip.set_axis_off()
    for part in stretches(face):
        axes.stackplot(part.times_s, part.probabilities.T, colors=colors, alpha=0.8)
        shown = np.array(part.shown, object)
        begins = np.flatnonzero(np.append(True, shown[1:] != shown[:-1]))
        begins_s = part.times_s[begins]
        bars = [*zip(begins_s, np.diff(begins_s, append=part.times_s[-1]), strict=True)]
        strip.broken_barh(bars, (0, 1), color=[hex_color(label) for label in shown[begins]])
    if face.times_s[0] == face.times_s[-1]:  # a picture: one moment has no width
        axes.axvline(face.times_s[0], color=hex_color(face.shown[0]))
    source = f"{Path(face.source).name}, " if len(recording.sources) > 1 else ""
    axes.set_title(f"{source}face {face.track}", loc="left", pad=16)
    axes.set(ylim=(0, 1), yticks=(0, 0.5, 1))
    axes.margins(x=0)
    axes.xaxis.set_major_locator(MaxNLocator(7, steps=[1, 1.5, 3, 6, 10], integer=True))
    axes.xaxis.set_major_formatter(lambda seconds, _: console.clock(seconds))


def stretches(face: Face, most: int = MOST_COLUMNS) -> list[Face]:
    """The face's times without a gap, one after another, each as a face of its own.

    All together have at most about `most` columns of time: the mean probabilities and the last label.
    """
    step = max(1, math.ceil(len(face.times_s) / most))
    between_s = np.diff(face.times_s)
    # Frames may be far apart.
    gap_s = max(GAP_S, 3 * float(np.median(between_s))) if len(between_s) else GAP_S
    parts = []
    for rows in np.split(np.arange(len(face.times_s)), np.flatnonzero(between_s > gap_s) + 1):
        columns = np.array_split(rows, math.ceil(len(rows) / step))
        times_s = face.times_s[[column[0] for column in columns]]
        if len(columns) > 1:
            times_s[-1] = face.times_s[rows[-1]]
        means = np.array([face.probabilities[column].mean(axis=0) for column in columns], np.float32)
        shown = tuple(face.shown[column[-1]] for column in columns)
        parts.append(replace(face, times_s=times_s, shown=shown, probabilities=means))
    return parts


# --- the page ---

_STYLE = """
:root { color-scheme: light dark; --quiet: #666 }
@media (prefers-color-scheme: dark) { :root { --quiet: #9aa0a6; background: #16181b } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46em; margin: 1.5em auto; padding: 0 1em }
h1 { font-size: 1.4em } h1, p { overflow-wrap: anywhere } .quiet { color: var(--quiet) }
svg { width: 100%; height: auto; display: block }
"""


def page(recording: Recording) -> str:
    """The whole page as HTML."""
    names = ", ".join(escape(Path(source).name) for source in recording.sources[:3])
    more = f" and {len(recording.sources) - 3} more" if len(recording.sources) > 3 else ""
    svg = io.BytesIO()
    _save(recording, svg, format="svg", transparent=True)
    drawn = svg.getvalue().decode().replace(TEXT, "currentColor")
    fewer = len(recording.faces) - MOST_FACES
    left_out = f"{fewer} faces seen in fewer frames are left out." if fewer > 0 else ""
    return f"""<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(printable(recording.path.name))}</title>
<style>{_STYLE}</style>
<h1>{escape(printable(recording.path.name))}</h1>
<p>{names}{more}: {escape(recording.in_words())}</p>
{drawn[drawn.index("<svg") :]}
<p class="quiet">Upper strip and shares: the label that was shown. Areas: each frame's own probabilities.
{left_out}</p>
</html>
"""
