"""A benchmark's results: table, CSV, picture, advice, comparison with an earlier run."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from fer_edge import console, files
from fer_edge.console import Table, milliseconds, percent, size
from fer_edge.errors import DataError, GateError, OutputError, UsageError
from fer_edge.spec import MIRROR, MIRROR_NOTE, Format, split_name

Row = dict[str, Any]
FRACTIONS = ("accuracy", "macro_f1", "agreement")
BUSY = "* the machine was busy: do not quote these times"
HALF_A_POINT = 0.005
"""How much accuracy a recommended file may lack, and how much accuracy, macro-F1 or agreement on the same
pictures may be lost since an earlier benchmark, as in conversion."""
MARKERS = {
    Format.FLOAT32: "o", Format.FLOAT16: "s", Format.DYNAMIC_RANGE: "^", Format.INT8: "D",
    Format.FULL_INTEGER: "v", Format.INT16X8: "P",
}  # fmt: skip
COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "model": lambda row: str(row["model"]),
    "thr": lambda row: str(row["threads"]),
    "size": lambda row: size(row["bytes"]),
    "speed-up": lambda row: row["speed_up"],
    "p50 ms": lambda row: milliseconds(row["p50"]) + "*" * row["disturbed"],
    "min": lambda row: milliseconds(row["min"]),
    "p50 from .. to": lambda row: f"{milliseconds(row['p50_low'])}..{milliseconds(row['p50_high'])}",
    "p90": lambda row: milliseconds(row["p90"]),
    "p99": lambda row: milliseconds(row["p99"]),
    "fps": lambda row: f"{row['fps']:.0f}",
    "load ms": lambda row: milliseconds(row["load_ms"]),
    "MiB": lambda row: None if row["peak_rss_mib"] is None else f"{row['peak_rss_mib']:.0f}",
    "acc %": lambda row: percent(row["accuracy"], 2),
    "F1 %": lambda row: percent(row["macro_f1"]),
    "agree %": lambda row: percent(row["agreement"], 2),
}
OPTIONAL = (
    *("p50 from .. to", "load ms", "p99", "p90", "F1 %", "MiB", "fps", "min", "thr", "agree %", "speed-up"),
    *("acc %", "size"),
)
"""Columns that a narrow terminal drops, in this order."""


def table(result: Row, headers: Sequence[str] = tuple(COLUMNS)) -> Table:
    """The rows, with those columns of `headers` that are not empty.

    The speed-up is relative to the same network's float32 file with the same number of threads.
    """
    p50_ms = {(row["model"], row["threads"]): row["latency_ms"]["p50"] for row in result["results"]}
    rows = []
    for row in result["results"]:
        float32 = f"{split_name(row['model'])[0]}_{Format.FLOAT32}"
        slow = p50_ms.get((float32, row["threads"]))
        speed_up = slow and f"{slow / row['latency_ms']['p50']:.1f}"
        rows.append({**row, **row["latency_ms"], "speed_up": speed_up})
    cells = {header: [COLUMNS[header](row) for row in rows] for header in headers}
    if len({row["threads"] for row in rows}) == 1:
        cells.pop("thr", None)
    told = {header: column for header, column in cells.items() if set(column) - {None, "-"}}
    lines = list(zip(*told.values(), strict=True))
    title = result["machine"].get("cpu") or "benchmark"
    return Table(title, list(told), [*lines], optional=OPTIONAL, notes=notes(result))


def csv(result: Row) -> str:
    """A header and one line per row: every figure of the JSON, empty if not measured."""
    lines = []
    for row in result["results"]:
        line = {key: value for key, value in row.items() if key not in ("latency_ms", "accuracy_interval")}
        line |= {f"latency_{name}_ms": value for name, value in row["latency_ms"].items()}
        line["accuracy_low"], line["accuracy_high"] = row["accuracy_interval"] or (None, None)
        lines.append(line)
    return Table("", list(lines[0]), [list(line.values()) for line in lines]).csv()


def notes(result: Row) -> list[str]:
    """Lines about machine and data, and about the columns."""
    machine, config, rows = result["machine"], result["config"], result["results"]
    where = ", ".join(str(machine[key]) for key in ("cpu", "system", "interpreter") if machine.get(key))
    threads = ", ".join(map(str, sorted({row["threads"] for row in rows})))
    lines = [
        f"{where}; threads: {threads}. A face in, probabilities out; {config['runs']} inferences in "
        f"{config['processes']} fresh processes. speed-up: against the same network in float32. fps: 1000 / "
        "p50. MiB: peak of a process with Python, numpy, the interpreter and the model."
    ]
    if judged := [row for row in rows if row.get("accuracy_interval")]:
        on, best = config["data"], max(judged, key=lambda row: row["accuracy"])
        low, high = map(percent, best["accuracy_interval"])
        lines.append(
            f"Accuracy on {on['n']} pictures ({on['split']}, protocol {on['protocol']}): the 95 % interval "
            f"of {percent(best['accuracy'])} % is {low} to {high} %."
        )
    if any(split_name(row["model"])[0].endswith(MIRROR) for row in rows):
        lines.append(MIRROR_NOTE)
    if any(row["disturbed"] for row in rows):
        lines.append(BUSY + ".")
    return lines


def advice(rows: Sequence[Row]) -> list[Row]:
    """The fastest file of each network whose accuracy is within half a point of its best file's.

    One row per network: `network`, `model` and its `threads`, `p50_ms`, `accuracy`, `best_accuracy`,
    `disturbed`. Accuracies are measured, or else from the cards; files and networks without one are ignored.
    """
    networks: dict[str, list[Row]] = {}
    for row in rows:
        if (accuracy := accuracy_of(row)) is not None:
            networks.setdefault(split_name(row["model"])[0], []).append({**row, "accuracy": accuracy})
    found = []
    for network, own in networks.items():
        best = max(row["accuracy"] for row in own)
        near = [row for row in own if best - row["accuracy"] <= HALF_A_POINT + 1e-9]
        chosen = min(near, key=lambda row: row["latency_ms"]["p50"])
        told = {"network": network, "p50_ms": chosen["latency_ms"]["p50"], "best_accuracy": best}
        told |= {key: chosen[key] for key in ("model", "threads", "accuracy")}
        found.append({**told, "disturbed": any(row["disturbed"] for row in near)})
    return found


def advice_table(result: Row) -> Table:
    """The advice, one row per network."""
    headers = ("network", "run", "thr", "p50 ms", "acc %", "best %")
    found = Table("", headers, words=("network", "run"), optional=("best %", "thr"))
    for row in result["advice"]:
        time = milliseconds(row["p50_ms"]) + "*" * row["disturbed"]
        accuracy = (percent(row[key], 2) for key in ("accuracy", "best_accuracy"))
        found.add(row["network"], row["model"], row["threads"], time, *accuracy)
    told = [] if result["advice"] else ["No accuracy is known: give --data to measure it."]
    if found.rows and any(row["accuracy"] is None for row in result["results"]):
        told.append("Accuracies that were not measured here are the cards'.")
    if any(row["disturbed"] for row in result["advice"]):
        told.append(BUSY + ".")
    found.notes = told
    return found


def accuracy_of(row: Row) -> float | None:
    """As measured, else from the card, else None."""
    return row["accuracy"] if row["accuracy"] is not None else row.get("card_accuracy")


def draw(result: Row, path: Path) -> None:
    """Plots accuracy against latency and against size; the suffix of `path` sets the format.

    For the lowest number of threads, without times from a busy machine and files of unknown accuracy. Raises
    OutputError if the file cannot be written or nothing is left to plot.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogLocator

    fewest = min(row["threads"] for row in result["results"])
    shown = [row for row in result["results"] if row["threads"] == fewest and accuracy_of(row) is not None]
    if not shown:
        raise OutputError(f"{path}: no accuracy to plot: give --data to measure it")
    quiet = [row for row in shown if not row["disturbed"]]
    networks = dict.fromkeys(split_name(row["model"])[0] for row in shown)
    colours = {network: f"C{n % 10}" for n, network in enumerate(networks)}
    figure = Figure(figsize=(11, 5), layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    for axes, own in ((left, quiet), (right, shown)):
        for row in own:
            cost = row["latency_ms"]["p50"] if axes is left else row["bytes"] / 1e6
            colour, marker = colours[split_name(row["model"])[0]], MARKERS.get(row["format"], "X")
            place = cost, 100 * accuracy_of(row)  # type: ignore[operator]
            axes.scatter(*place, s=80, color=colour, marker=marker, label=row["model"], zorder=3)
        axes.set_xscale("log")
        axes.xaxis.set(major_locator=LogLocator(subs=(1, 2, 5)), major_formatter="{x:g}")
        axes.xaxis.minorticks_off()
        axes.grid(alpha=0.3)
    busy = "; without files timed on a busy machine" if quiet != shown else ""
    left.set(xlabel=f"p50 ms{busy}", ylabel="accuracy, %")
    right.set_xlabel("size, MB")
    right.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False)
    files.write_figure(path, figure)


# --- beside an older benchmark


class Change(NamedTuple):
    """One figure of one row. verdict: `same`, `better`, `regression`."""

    model: str
    threads: int
    figure: str
    old: float
    new: float
    verdict: str


def read(path: Path) -> Row:
    """A file from `bench --json`. Raises DataError, in one line, for anything else."""
    try:
        old: Row = files.parse_json(path.read_bytes())
        if old["schema"] != 1:
            raise ValueError(f"its schema is {old['schema']!r}")
        changes(old, old, 0.0)
    except OSError as error:
        raise DataError(f"cannot compare with {path}: {error.strerror or error}") from error
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        what = f"{type(error).__name__}: {error}"
        raise DataError(f"{path} is not a benchmark from fer-edge bench --json ({what})") from error
    return old


def same_machine(old: Row, new: Row) -> bool:
    """Whether times and memory can be compared."""
    keys = ("cpu", "board", "architecture", "usable_cores")
    return all(old["machine"][key] == new["machine"][key] for key in keys)


def changes(old: Row, new: Row, tolerance: float) -> list[Change]:
    """Every figure of the rows in both (same model, same threads), in the new one's order.

    tolerance: the fraction by which time (p50), size and memory may grow. Times count only on the same
    machine if neither row was disturbed; accuracy, macro-F1 and agreement only on the same pictures.
    """
    never = set() if same_machine(old, new) else {"p50_ms", "peak_rss_mib"}
    earlier, data = old["config"]["data"], new["config"]["data"]
    if not (earlier and data and all(earlier[key] == data[key] for key in ("sha256", "split", "n"))):
        never |= {*FRACTIONS}
    before = {(row["model"], row["threads"]): row for row in old["results"]}
    both = [(before[key], b) for b in new["results"] if (key := (b["model"], b["threads"])) in before]
    found = []
    for a, b in both:
        without = {*never, "p50_ms"} if a["disturbed"] or b["disturbed"] else never
        for figure in ("p50_ms", "bytes", "peak_rss_mib", *FRACTIONS):
            was, now = ((row["latency_ms"]["p50"] if figure == "p50_ms" else row[figure]) for row in (a, b))
            if was is None or now is None or figure in without:
                continue
            worse, allowed = now - was, was * tolerance
            if figure in FRACTIONS:  # higher is better
                worse, allowed = was - now, HALF_A_POINT
            verdict = "regression" if worse > allowed else "better" if -worse > allowed else "same"
            found.append(Change(b["model"], int(b["threads"]), figure, float(was), float(now), verdict))
    return found


def show_changes(old: Row, new: Row, tolerance: float) -> None:
    """Prints what changed. Raises GateError past the tolerance, UsageError if nothing can be compared."""
    found = changes(old, new, tolerance)
    if not found:
        raise UsageError("--compare: the earlier benchmark has none of these models with these thread counts")
    if not same_machine(old, new):
        console.warn("the earlier benchmark is from another machine: times and memory are not compared")
    if any(row["disturbed"] for row in (*old["results"], *new["results"])):
        console.warn("times of rows that were measured on a busy machine (*) are not compared")
    if old["config"]["data"] and not any(one.figure in FRACTIONS for one in found):
        console.warn("accuracies are not compared: that needs --data with the earlier benchmark's pictures")
    headers = ("model", "thr", "figure", "old", "new", "verdict")
    told = Table("beyond the tolerance", headers, words=("model", "figure", "verdict"))
    for one in found:
        if one.verdict != "same":
            told.add(*one[:3], f"{one.old:.4g}", f"{one.new:.4g}", one.verdict)
    if told.rows:
        told.show()
    console.say(f"{len(found)} figures compared, {len(told.rows)} changed beyond the tolerance")
    if bad := [f"{one.model} {one.figure}" for one in found if one.verdict == "regression"]:
        raise GateError(f"{len(bad)} of {len(found)} figures are worse: {', '.join(bad)}")
