#!/usr/bin/env python3
"""Accuracy against size and against latency: every model that ships, and the peers, in one picture.

Usage: python benchmarks/plot.py OUT.png [FOLDER]

Ours are the rows of shipped.json in the folder (benchmarks/results) with one thread; peers are those of
peer_figures.toml, with the latency and accuracy of peers.json where that has them. Peers under LEAST % are
named in a note; what was timed on a busy machine is left out.
"""

from __future__ import annotations

import json
import sys
import textwrap
import tomllib
from pathlib import Path
from typing import Any, NamedTuple

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from matplotlib.ticker import LogLocator

from fer_edge import files
from fer_edge.bench.report import MARKERS
from fer_edge.spec import Format, split_name

HERE = Path(__file__).resolve().parent
FORMATS = {Format.FLOAT32: "float32", Format.DYNAMIC_RANGE: "dynamic range", Format.INT8: "int8"}
LEAST = 62.0
"""Accuracy in percent, from which on a point is drawn."""
PLACES = [
    (side * x, y)
    for x, y in ((7, 4), (7, -12), (0, 10), (0, -18), (9, 18), (9, -26), (14, 32), (14, -40), (18, 46))
    for side in ((1, -1) if x else (1,))
]
"""Where a label is tried beside its point, in typographic points."""
FAR = 20
"""From so many points on, a thin line leads from the label to its point."""
GRAY, PALE = "0.35", "0.6"
_LEADER = {"arrowstyle": "-", "linewidth": 0.6, "color": PALE, "shrinkA": 0, "shrinkB": 4}


class Point(NamedTuple):
    """A file in the picture. mb: 1e6 bytes. ms: p50. accuracy: percent. network: of ours."""

    label: str
    mb: float
    ms: float
    accuracy: float
    network: str | None
    marker: str
    hollow: bool = False


def ours(shipped: dict[str, Any]) -> list[Point]:
    """The rows of FORMATS with the fewest threads, their accuracy measured, timed on a quiet machine."""
    rows = [row for row in shipped["results"] if row["format"] in FORMATS and row["accuracy"] is not None]
    fewest = min(row["threads"] for row in rows)
    found = []
    for row in rows:
        if row["threads"] == fewest and not row["disturbed"]:
            network, marker = split_name(row["model"])[0], MARKERS[row["format"]]
            place = row["bytes"] / 1e6, row["latency_ms"]["p50"], 100 * row["accuracy"]
            found.append(Point(row["model"], *place, network, marker))
    return found


def peers(figures: dict[str, Any], measured: dict[str, Any] | None) -> list[Point]:
    """The peers, by this machine's own run where there is one."""
    rows = {row["name"]: row for row in measured["rows"] if not row["disturbed"]} if measured else {}
    found = []
    for peer in figures["measured"]:
        row = rows.get(peer.get("measured_as", ""), {})
        ms = row["latency_ms"]["p50"] if row else peer["p50_ms"]
        accuracy = row.get("accuracy") or peer["accuracy"]
        hollow = bool(peer.get("chosen_on_test"))
        found.append(Point(peer["name"], peer["bytes"] / 1e6, ms, 100 * accuracy, None, "o", hollow))
    return found


def draw(every: list[Point], caption: str, path: Path) -> None:
    """Both panels into `path`."""
    shown = [point for point in every if point.accuracy >= LEAST]
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    panels = dict(zip(("mb", "ms"), figure.subplots(1, 2, sharey=True), strict=True))
    for cost, axes in panels.items():
        colours = panel(axes, shown, cost)
        for network, colour in colours.items():
            own = sorted((getattr(p, cost), p.accuracy) for p in shown if network and p.network == network)
            axes.plot(*zip(*own, strict=True), color=colour, linewidth=5, alpha=0.2, zorder=1)
        axes.margins(x=0.06)
        axes.set_xlabel("size of the file, MB" if cost == "mb" else "one face, ms", fontsize=11)
    accuracies = [point.accuracy for point in shown]
    panels["mb"].set_ylim(min(accuracies) - 0.7, max(accuracies) + 0.7)
    panels["mb"].set_ylabel("accuracy on PrivateTest, %", fontsize=11)
    below = [f"{p.label} {p.accuracy:.0f} %, {p.mb:.2g} MB" for p in every if p not in shown]
    note = "\n" + textwrap.fill(f"Below the picture: {'; '.join(below)}.", 110) if below else ""
    figure.supxlabel(caption + note, fontsize=9, color=GRAY)
    figure.legend(handles=_legend(), loc="outside upper center", ncols=5, fontsize=9, frameon=False)
    figure.draw_without_rendering()  # so that the labels know where the points are
    for cost, axes in panels.items():
        _label(axes, shown, [getattr(point, cost) for point in shown], colours)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=160)


def panel(axes: Axes, shown: list[Point], cost: str) -> dict[str | None, str]:
    """Draws points and the line of those that none beats; gives the colours of the networks, and of peers.

    cost: `ms` or `mb`, the x axis, which is logarithmic.
    """
    networks = dict.fromkeys(point.network for point in shown if point.network)
    colours: dict[str | None, str] = {network: f"C{n % 10}" for n, network in enumerate(networks)}
    colours[None] = GRAY
    for point in shown:
        edge, size = colours[point.network], 80 if point.network else 45
        look: dict[str, Any] = {"color": "white" if point.hollow else edge, "edgecolors": edge, "s": size}
        axes.scatter(getattr(point, cost), point.accuracy, zorder=3, marker=point.marker, **look)
    front = pareto_front([(getattr(point, cost), point.accuracy) for point in shown])
    axes.plot(*zip(*front, strict=True), color="0.2", linestyle="--", linewidth=1.4, zorder=2)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.minorticks_off()
    axes.grid(alpha=0.3)
    return colours


def pareto_front(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) points that no other point beats (no dearer and better, or cheaper and no worse),
    by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, gain in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((cost, gain))
    return front


def _legend() -> list[Line2D]:
    marks = [(MARKERS[known], name, GRAY, GRAY) for known, name in FORMATS.items()]
    marks.append(("o", "chosen on the test set", "white", GRAY))
    dots = [
        Line2D([], [], marker=marker, linestyle="", label=name, color=face, markeredgecolor=edge)
        for marker, name, face, edge in marks
    ]
    return [*dots, Line2D([], [], color="0.2", linestyle="--", label="best of its size or speed")]


def _label(axes: Axes, shown: list[Point], costs: list[float], colours: dict[str | None, str]) -> None:
    """A name for each of our networks and each peer, at the first of PLACES where it covers nothing."""
    renderer = FigureCanvasAgg(axes.figure).get_renderer()  # type: ignore[arg-type]
    marks = [axes.transData.transform((cost, p.accuracy)) for cost, p in zip(costs, shown, strict=True)]
    inside = axes.get_window_extent(renderer)
    taken: list[Any] = []
    named = set()
    for index in sorted(range(len(shown)), key=lambda n: (shown[n].network is None, -costs[n])):
        point = shown[index]
        name = point.network or point.label
        if name in named:
            continue
        named.add(name)
        for x, y in PLACES:
            text = axes.annotate(
                name,
                (costs[index], point.accuracy),
                (x, y),
                textcoords="offset points",
                ha="left" if x > 0 else "right" if x < 0 else "center",
                fontsize=11 if point.network else 9.5,
                fontweight="bold" if point.network else "normal",
                color=colours[point.network],
                zorder=4,
                arrowprops=_LEADER if abs(y) > FAR else None,
            )
            text.set_in_layout(False)
            text.update_positions(renderer)
            box = Text.get_window_extent(text, renderer).padded(7)  # without the line
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
    caption = f"Coloured: fer-edge, one thread of {shipped['machine']['cpu']}. Gray: others."
    draw(ours(shipped) + peers(figures, measured), caption, Path(sys.argv[1]))


if __name__ == "__main__":
    main()
