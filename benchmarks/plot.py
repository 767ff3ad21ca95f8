#!/usr/bin/env python3
"""Accuracy against size and against latency: every model that ships, and the peers, in one picture.

Usage: python benchmarks/plot.py OUT.png [FOLDER]

Ours are the rows of shipped.json in the folder (benchmarks/results) with one thread, in float32 and int8;
peers are those of peer_figures.toml, with the latency and accuracy of peers.json where that has them.
"""

from __future__ import annotations

import json
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from fer_edge import files
from fer_edge.bench.report import MARKERS, log_axis, pareto_front
from fer_edge.spec import Format, split_name

HERE = Path(__file__).resolve().parent
FORMATS = (Format.FLOAT32, Format.INT8)
PLACES = (
    *((7, 3), (7, -10), (-7, 3), (-7, -10), (0, 9), (0, -16), (12, 14), (-12, 14), (12, -22), (-12, -22)),
    *((16, 28), (-16, 28), (16, -36), (-16, -36), (20, 42), (-20, 42), (20, -50), (-20, -50)),
)
FAR = 20
"""From so many points on, a thin line leads from the label to its point."""
"""Where a label is tried beside its point, in typographic points."""


_LEADER = {"arrowstyle": "-", "linewidth": 0.5, "color": "0.6", "shrinkA": 0, "shrinkB": 4}


@dataclass(frozen=True)
class Point:
    """mb: 1e6 bytes. accuracy: percent. family: ours, None for a peer. open: chosen on the test set."""

    label: str
    mb: float
    ms: float
    accuracy: float
    family: str | None = None
    marker: str = "o"
    hollow: bool = False


def ours(shipped: dict[str, Any]) -> list[Point]:
    """The rows with the fewest threads in float32 and int8 whose accuracy was measured."""
    rows = [
        row
        for row in shipped["results"]
        if row["accuracy"] is not None and row["format"] in FORMATS and not row["disturbed"]
    ]
    fewest = min((row["threads"] for row in rows), default=1)
    return [
        Point(
            row["model"].replace("_", " "),
            row["bytes"] / 1e6,
            row["latency_ms"]["p50"],
            100 * row["accuracy"],
            split_name(row["model"])[0],
            MARKERS[Format(row["format"])],
        )
        for row in rows
        if row["threads"] == fewest
    ]


def peers(figures: dict[str, Any], measured: dict[str, Any] | None) -> list[Point]:
    """The peers, by this machine's own run where there is one."""
    rows = {row["name"]: row for row in measured["rows"]} if measured else {}
    points = []
    for peer in figures["measured"]:
        row = rows.get(peer.get("measured_as", ""), {})
        ms = row["latency_ms"]["p50"] if row else peer["p50_ms"]
        accuracy = row.get("accuracy") or peer["accuracy"]
        hollow = bool(peer.get("chosen_on_test"))
        points.append(Point(peer["name"], peer["bytes"] / 1e6, ms, 100 * accuracy, hollow=hollow))
    return points


def draw(points: list[Point], caption: str, path: Path) -> None:
    """Both panels into `path`."""
    figure = Figure(figsize=(11, 6.2), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    families = list(dict.fromkeys(point.family for point in points if point.family))
    for axes, costs, title in (
        (left, [point.mb for point in points], "size of the file, MB"),
        (right, [point.ms for point in points], "one face, p50 ms on one thread"),
    ):
        front = pareto_front([(c, p.accuracy) for c, p in zip(costs, points, strict=True)])
        axes.plot(*zip(*front, strict=True), color="0.7", linestyle="--", linewidth=1, zorder=1)
        for point, cost in zip(points, costs, strict=True):
            colour = f"C{families.index(point.family)}" if point.family else "0.45"
            face = "white" if point.hollow else colour
            size = 60 if point.family else 34
            axes.scatter(
                cost, point.accuracy, s=size, marker=point.marker, color=face, edgecolors=colour, zorder=3
            )
        log_axis(axes, costs)
        axes.set_xlabel(title)
    left.set_ylabel("accuracy on FER-2013's PrivateTest, %")
    figure.supxlabel(caption, fontsize=7.5, color="0.35")
    figure.draw_without_rendering()  # so that the labels know where the points are
    for axes, costs in ((left, [p.mb for p in points]), (right, [p.ms for p in points])):
        _label(axes, points, costs, families)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=130)


def _label(axes: Axes, points: list[Point], costs: list[float], families: list[str]) -> None:
    """A name beside each point, at the first of PLACES where it covers nothing, ours first."""
    renderer = FigureCanvasAgg(axes.figure).get_renderer()
    marks = [axes.transData.transform((cost, p.accuracy)) for cost, p in zip(costs, points, strict=True)]
    taken: list[Any] = []
    inside = axes.get_window_extent(renderer)
    for index in sorted(range(len(points)), key=lambda n: points[n].family is None):
        point = points[index]
        colour = f"C{families.index(point.family)}" if point.family else "0.3"
        for x, y in PLACES:
            side = "left" if x > 0 else "right" if x < 0 else "center"
            text = axes.annotate(
                point.label,
                (costs[index], point.accuracy),
                (x, y),
                textcoords="offset points",
                ha=side,
                fontsize=8.5 if point.family else 7.5,
                fontweight="bold" if point.family else "normal",
                color=colour,
                zorder=4,
                arrowprops=_LEADER if abs(y) > FAR else None,
            )
            text.set_in_layout(False)
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer).padded(3)  # without the line
            covers = any(box.overlaps(other) for other in taken) or any(box.contains(*mark) for mark in marks)
            within = (
                inside.x0 <= box.x0 and box.x1 <= inside.x1 and inside.y0 <= box.y0 and box.y1 <= inside.y1
            )
            if within and not covers:
                break
            if (x, y) != PLACES[-1]:
                text.remove()
        taken.append(box)


def main() -> None:
    results = Path(sys.argv[2]) if len(sys.argv) > 2 else HERE / "results"
    shipped = json.loads((results / "shipped.json").read_text())
    peers_file = results / "peers.json"
    measured = json.loads(peers_file.read_text()) if peers_file.exists() else None
    figures = tomllib.loads((HERE / "peer_figures.toml").read_text())
    caption = (
        f"Coloured: fer-edge ({shipped['machine']['cpu']}; circles float32, diamonds int8). Gray: peers, see "
        "benchmarks/peer_figures.toml; hollow: weights chosen on the test set. Dashed: Pareto front."
    )
    draw(ours(shipped) + peers(figures, measured), caption, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
