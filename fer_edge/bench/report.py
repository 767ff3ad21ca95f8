"""What a benchmark found: as a table, as CSV and Markdown, as a picture, and as advice which file to run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import files
from fer_edge.errors import MissingExtraError, OutputError
from fer_edge.evaluation import metrics
from fer_edge.spec import Format, split_name
from fer_edge.tables import Table, milliseconds, percent, size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Row = dict[str, Any]
BUSY = "* the machine was busy: these times are not to be quoted"
NEAR = 0.005
"""Half a point: so much accuracy a faster file may lack and still be the one to run."""
MARKERS = {
    Format.FLOAT32: "o",
    Format.FLOAT16: "s",
    Format.DYNAMIC_RANGE: "^",
    Format.INT8: "D",
    Format.FULL_INTEGER: "v",
    Format.INT16X8: "P",
}
OTHER_MARKER = "X"


def _ms(key: str) -> Callable[[Row], str]:
    return lambda row: milliseconds(row["latency_ms"][key])


def _whole(key: str) -> Callable[[Row], str | None]:
    return lambda row: None if row[key] is None else f"{row[key]:.0f}"


COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "model": lambda row: str(row["model"]),
    "thr": lambda row: str(row["threads"]),
    "size": lambda row: size(row["bytes"]),
    "speed-up": lambda row: row["speed_up"],
    "p50 ms": lambda row: _ms("p50")(row) + "*" * row["disturbed"],
    "min": _ms("min"),
    "p50 from .. to": lambda row: f"{_ms('p50_low')(row)}..{_ms('p50_high')(row)}",
    "p90": _ms("p90"),
    "p99": _ms("p99"),
    "fps": _whole("fps"),
    "load ms": lambda row: milliseconds(row["load_ms"]),
    "first ms": lambda row: milliseconds(row["first_ms"]),
    "cpu ms": lambda row: milliseconds(row["cpu_ms"]),
    "MiB": _whole("peak_rss_mib"),
    "acc %": lambda row: percent(row["accuracy"], 2),
    "F1 %": lambda row: percent(row["macro_f1"]),
    "agree %": lambda row: percent(row["agreement"], 2),
}
OPTIONAL = (
    *("cpu ms", "first ms", "p50 from .. to", "load ms", "p99", "p90", "F1 %", "MiB", "fps", "min"),
    *("thr", "agree %", "speed-up", "acc %", "size"),
)
"""What a narrow terminal does without, the first one first."""
IN_MARKDOWN = tuple(name for name in COLUMNS if name not in {"cpu ms", "first ms", "p50 from .. to"})


def table(result: Row, headers: Sequence[str] = tuple(COLUMNS)) -> Table:
    """The rows, with the columns of `headers` that have something to say."""
    rows = [{**row, "speed_up": _speed_up(row, result["results"])} for row in result["results"]]
    cells = {header: [COLUMNS[header](row) for row in rows] for header in headers}
    told = [header for header, column in cells.items() if any(cell not in (None, "-") for cell in column)]
    if len({row["threads"] for row in rows}) == 1:
        told = [header for header in told if header != "thr"]
    lines = list(zip(*(cells[header] for header in told), strict=True))
    title = result["machine"].get("cpu") or "benchmark"
    return Table(title, told, [*lines], optional=OPTIONAL, notes=notes(result))


def csv(result: Row) -> str:
    """One line a row under a header: every figure of the JSON, nothing for what was not measured."""
    lines = []
    for row in result["results"]:
        line: Row = {}
        for key, value in row.items():
            if key == "latency_ms":
                line.update({f"latency_{name}_ms": figure for name, figure in value.items()})
            elif key.endswith("_interval"):
                name = key.removesuffix("_interval")
                line[f"{name}_low"], line[f"{name}_high"] = value or (None, None)
            elif key != "process_p50_ms":
                line[key] = value
        lines.append(line)
    return Table("", list(lines[0]), [list(line.values()) for line in lines]).csv()


def _speed_up(row: Row, rows: Sequence[Row]) -> str | None:
    """How many times as fast as the same network's float32 file on as many threads."""
    floats = f"{split_name(row['model'])[0]}_{Format.FLOAT32}", row["threads"]
    slow = [one["latency_ms"]["p50"] for one in rows if (one["model"], one["threads"]) == floats]
    return f"{slow[0] / row['latency_ms']['p50']:.1f}" if slow else None


def notes(result: Row) -> list[str]:
    """Lines that say where and on what the figures were measured, and what the columns are."""
    machine, config = result["machine"], result["config"]
    where = ", ".join(str(machine[key]) for key in ("cpu", "system", "interpreter") if machine.get(key))
    threads = ", ".join(map(str, sorted({row["threads"] for row in result["results"]})))
    lines = [
        f"{where}; threads: {threads}. A face in, probabilities out; {config['runs']} inferences in "
        f"{config['processes']} fresh processes. speed-up: against the same network in float32. fps: 1000 / "
        "p50. MiB: peak of a process with Python, numpy, the interpreter and the model."
    ]
    if on := config.get("data"):
        best = max((row["accuracy"] for row in result["results"] if row["accuracy"] is not None), default=0.5)
        low, high = metrics.wilson_interval(round(best * on["n"]), on["n"])
        lines.append(
            f"Accuracy on {on['n']} pictures ({on['split']}, protocol {on['protocol']}): the 95 % interval "
            f"of {percent(best)} % is {percent(low)} to {percent(high)} %."
        )
    if any(row["disturbed"] for row in result["results"]):
        lines.append(BUSY + ".")
    return lines


def advice(rows: Sequence[Row]) -> list[Row]:
    """Of each network, the fastest file whose accuracy is within half a point of its best file's.

    A row a network: `network`, `model` and its `threads`, `p50_ms`, `accuracy`, `best_accuracy`, `disturbed`.
    Accuracies are those measured, else the cards'; a network that has them of a part of its files only
    is judged by these, and one without any is left out.
    """
    networks: dict[str, list[Row]] = {}
    for row in rows:
        accuracy = accuracy_of(row)
        if accuracy is not None:
            networks.setdefault(split_name(row["model"])[0], []).append({**row, "accuracy": accuracy})
    found = []
    for network, own in networks.items():
        best = max(row["accuracy"] for row in own)
        near = [row for row in own if best - row["accuracy"] <= NEAR + 1e-9]
        chosen = min(near, key=lambda row: row["latency_ms"]["p50"])
        told = {"network": network, "model": chosen["model"], "threads": chosen["threads"]}
        told |= {"p50_ms": chosen["latency_ms"]["p50"], "accuracy": chosen["accuracy"]}
        disturbed = any(row["disturbed"] for row in near)
        found.append({**told, "best_accuracy": best, "disturbed": disturbed})
    return found


def advice_table(result: Row) -> Table:
    """The advice, a row a network."""
    found = Table(
        "",
        ("network", "run", "thr", "p50 ms", "acc %", "best %"),
        words=("network", "run"),
        optional=("best %", "thr"),
        notes=[] if result["config"]["data"] else ["Accuracies are the cards'."],
    )
    for row in result["advice"]:
        time = milliseconds(row["p50_ms"]) + ("*" if row["disturbed"] else "")
        accuracy = (percent(row[key], 2) for key in ("accuracy", "best_accuracy"))
        found.add(row["network"], row["model"], row["threads"], time, *accuracy)
    return found


def pareto_front(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The (cost, gain) points that no other point beats (no dearer and better, or cheaper and no worse),
    by rising cost."""
    front: list[tuple[float, float]] = []
    for cost, gain in sorted(set(points), key=lambda point: (point[0], -point[1])):
        if not front or gain > front[-1][1]:
            front.append((cost, gain))
    return front


def accuracy_of(row: Row) -> float | None:
    """As measured, else as the card states it, else None."""
    accuracy: float | None = row["accuracy"] if row["accuracy"] is not None else row.get("card_accuracy")
    return accuracy


def draw(result: Row, path: Path) -> None:
    """Draws accuracy against latency and against size into `path`, whose suffix chooses the format.

    Times of a busy machine are left out, and files of which no accuracy is known. Raises MissingExtraError
    without matplotlib, OutputError where the file cannot be written or nothing is left to draw.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train", "drawing a benchmark") from error
    fewest = min(row["threads"] for row in result["results"])
    rows = [row for row in result["results"] if accuracy_of(row) is not None and row["threads"] == fewest]
    if not rows:
        raise OutputError(f"{path}: no accuracy is known: give --data to measure it")
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    times = [None if row["disturbed"] else row["latency_ms"]["p50"] for row in rows]
    for axes, costs in ((left, times), (right, [row["bytes"] / 1e6 for row in rows])):
        if any(costs):
            _scatter(axes, rows, costs)
    busy = "; files that were timed on a busy machine are left out" if None in times else ""
    left.set(xlabel=f"p50 ms, threads: {fewest}{busy}", ylabel="accuracy, %")
    right.set_xlabel("size, MB")
    right.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=120)


def _scatter(axes: Axes, rows: list[Row], costs: Sequence[float | None]) -> None:
    networks = list(dict.fromkeys(split_name(row["model"])[0] for row in rows))
    points = []
    for row, cost in zip(rows, costs, strict=True):
        if cost is not None:
            network, known = split_name(row["model"])
            points.append((cost, 100 * (accuracy_of(row) or 0)))
            look = {"marker": MARKERS[known] if known else OTHER_MARKER, "label": row["model"], "s": 60}
            axes.scatter(*points[-1], color=f"C{networks.index(network) % 10}", zorder=2, **look)
    axes.plot(*zip(*pareto_front(points), strict=True), color="0.4", linestyle="--", zorder=1)
    log_axis(axes)


def log_axis(axes: Axes) -> None:
    """Makes the x axis logarithmic, with marks at 1, 2, 5, 10, ..."""
    from matplotlib.ticker import LogLocator

    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.minorticks_off()
    axes.grid(alpha=0.3)
