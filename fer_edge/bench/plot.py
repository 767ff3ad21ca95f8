"""Accuracy against latency and against size, with the Pareto front, and how the latencies spread."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import files
from fer_edge.bench.accuracy import split_name
from fer_edge.errors import MissingExtraError
from fer_edge.spec import Format

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import SubFigure

MARKERS = {
    Format.FLOAT32: "o",
    Format.FLOAT16: "s",
    Format.DYNAMIC_RANGE: "^",
    Format.INT8: "D",
    Format.FULL_INTEGER: "v",
    Format.INT16X8: "P",
}
OTHER_MARKER = "X"
Row = dict[str, Any]


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) points that no other point beats (no dearer and better, or cheaper and no worse),
    by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, gain in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((cost, gain))
    return front


def draw(result: dict[str, Any], path: Path) -> None:
    """Draws the result of a benchmark into `path`, whose suffix chooses the format.

    Without accuracies only the latencies are drawn. Raises MissingExtraError without matplotlib,
    OutputError where the file cannot be written.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train", "drawing a benchmark") from error
    rows: list[Row] = result["results"]
    fewest = min(row["threads"] for row in rows)
    scored = [row for row in rows if row["accuracy"] is not None and row["threads"] == fewest]
    height = 1.6 + 0.32 * len(rows)
    figure = Figure(figsize=(11, height + (4.6 if scored else 0)), layout="constrained")
    lower: Figure | SubFigure = figure
    if scored:
        halves: Any = figure.subfigures(2, 1, height_ratios=[4.6, height])
        upper, lower = halves
        left, right = upper.subplots(1, 2, sharey=True)
        _scatter(
            left,
            scored,
            [row["latency_ms"]["p50"] for row in scored],
            f"p50 ms, {fewest} thread{'s' * (fewest > 1)}",
        )
        _scatter(right, scored, [row["bytes"] / 1e6 for row in scored], "size, MB")
        left.set_ylabel("accuracy, %")
        right.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    _spread(lower.subplots(), rows)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=120)


def _scatter(axes: Axes, rows: list[Row], costs: list[float], title: str) -> None:
    gains = [100 * row["accuracy"] for row in rows]
    families = list(dict.fromkeys(split_name(row["model"])[0] for row in rows))
    front = pareto_front(list(zip(costs, gains, strict=True)))
    axes.plot(
        *zip(*front, strict=True),
        color="0.6",
        linestyle="--",
        linewidth=1,
        label="Pareto front",
        zorder=1,
        drawstyle="steps-post",  # between two of its points nothing better is known than the cheaper one
    )
    for row, cost, gain in zip(rows, costs, gains, strict=True):
        family, known = split_name(row["model"])
        marker = MARKERS[Format(known)] if known else OTHER_MARKER
        colour = f"C{families.index(family) % 10}"
        axes.scatter(cost, gain, marker=marker, color=colour, s=60, label=row["model"], zorder=2)
    log_axis(axes, costs)
    axes.set_xlabel(title)


def _spread(axes: Axes, rows: list[Row]) -> None:
    """A line from the fastest to p99, a bar from the fastest to p90, a mark at the median."""
    for height, row in enumerate(reversed(rows)):
        latency = row["latency_ms"]
        axes.plot([latency["min"], latency["p99"]], [height, height], color="0.6", linewidth=1, zorder=1)
        axes.plot(
            [latency["min"], latency["p90"]], [height, height], color="C0", linewidth=7, alpha=0.4, zorder=1
        )
        axes.scatter(latency["p50"], height, color="C0", s=30, zorder=2)
    names = [
        f"{row['model']}, {row['threads']} thr{' *' if row['disturbed'] else ''}" for row in reversed(rows)
    ]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(-0.7, len(rows) - 0.3)
    log_axis(axes, [row["latency_ms"][key] for row in rows for key in ("min", "p99")])
    busy = "; * the machine was busy" if any(row["disturbed"] for row in rows) else ""
    axes.set_xlabel(f"latency, ms: median (dot), fastest to p90 (bar), to p99 (line){busy}")


def log_axis(axes: Axes, values: Sequence[float]) -> None:
    """A logarithmic x axis with marks at 1, 2, 5, 10, ... round the values."""
    low, high = min(values) / 1.25, max(values) * 1.25
    marks = [digit * 10.0**power for power in range(-5, 7) for digit in (1, 2, 5)]
    marks = [mark for mark in marks if low <= mark <= high]
    axes.set(xscale="log", xlim=(low, high))
    axes.set_xticks(marks, [f"{mark:g}" for mark in marks])
    axes.xaxis.minorticks_off()
    axes.grid(alpha=0.3)
