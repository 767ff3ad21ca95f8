"""A sweep's results as tables, as Markdown and as a picture, each beside the paper's figures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import files, paper
from fer_edge.errors import MissingExtraError
from fer_edge.evaluation import metrics
from fer_edge.tables import new_table, percent

if TYPE_CHECKING:
    from rich.table import Table

HEADERS = ("epochs run", "best epoch", "val acc %", "val loss", "last acc %", "the paper: val acc %")
TITLES = {"batch": "batch size", "epochs": "epochs", "dropout": "dropout"}


def _value(stage: str, value: float) -> str:
    return "1 (none)" if stage == "dropout" and value == 1 else f"{value:g}"


def _cells(stage: str, row: dict[str, Any]) -> list[str]:
    stated = percent(row["paper_val_accuracy"], 2)
    if "error" in row:
        return [_value(stage, row["value"]), "failed", *["-"] * 4, stated]
    early = " (stopped)" if row["ran_epochs"] < row["epochs"] else ""
    return [
        _value(stage, row["value"]),
        f"{row['ran_epochs']}{early}",
        str(row["best_epoch"]),
        percent(row["val_accuracy"], 2),
        f"{row['val_loss']:.3f}",
        percent(row["last_val_accuracy"], 2),
        stated,
    ]


def heading(stage: str, part: dict[str, Any]) -> str:
    """`dropout at batch 32, epochs 100 (best here: 1; the paper chose 0.6)`."""
    fixed = ", ".join(f"{name} {value:g}" for name, value in part["fixed"].items())
    best = "-" if part["best"] is None else _value(stage, part["best"])
    open_trials = f", {part['unfinished']} trials not ended" if part["unfinished"] else ""
    chosen = _value(stage, part["paper_chose"])
    return f"{TITLES[stage]} at {fixed} (best here: {best}; the paper chose {chosen}{open_trials})"


def tables(result: dict[str, Any]) -> list[tuple[str, Table]]:
    """Heading and table of each stage that has results."""
    out = []
    for stage, part in result["stages"].items():
        table = new_table("")
        table.add_column(TITLES[stage], justify="right")
        for header in HEADERS:
            table.add_column(header, justify="right")
        for row in part["rows"]:
            style = "bold" if row["value"] == part["best"] else None
            table.add_row(*_cells(stage, row), style=style)
        out.append((heading(stage, part), table))
    return out


def explanation(result: dict[str, Any]) -> str:
    """One paragraph: how large the sweep was, on what, and what the columns mean."""
    settings, devices = result["settings"], set()
    for part in result["stages"].values():
        devices |= {row["device"] for row in part["rows"] if "device" in row}
    overlap = ", which contains its test set" if settings["protocol"] == "paper" else ""
    return (
        f"Sweep {result['reduction']}. {settings['training_pictures']:,} pictures to train on, "
        f"{settings['validation_pictures']:,} to validate on (protocol {settings['protocol']}{overlap}), "
        f"seed {settings['seed']}; {'; '.join(sorted(devices)) or 'nothing trained yet'}. "
        f"The table's epochs are the paper's; `epochs run` are ours. `val acc` and `val loss` are "
        f"those of the best epoch by {settings['recipe']['monitor']}; `last acc` is the last epoch's. "
        f"{_chance(result)}A dash is a figure of the paper that is not at hand."
    )


def _chance(result: dict[str, Any]) -> str:
    """How far chance alone moves the best accuracy; nothing where there is none."""
    rows = [row for part in result["stages"].values() for row in part["rows"] if "error" not in row]
    if not rows:
        return ""
    count, best = result["settings"]["validation_pictures"], max(row["val_accuracy"] for row in rows)
    low, high = metrics.wilson_interval(round(best * count), count)
    return f"The 95 % interval of {percent(best)} % is {percent(low)} to {percent(high)}. "


def markdown(result: dict[str, Any]) -> str:
    """All tables and the explanation."""
    lines = [explanation(result), ""]
    for stage, part in result["stages"].items():
        lines += [f"**{heading(stage, part)}**", ""]
        lines += ["| " + " | ".join((TITLES[stage], *HEADERS)) + " |"]
        lines += ["| " + " | ".join(["--:"] * (len(HEADERS) + 1)) + " |"]
        lines += ["| " + " | ".join(_cells(stage, row)) + " |" for row in part["rows"]]
        lines += [""]
    return "\n".join(lines)


def draw(result: dict[str, Any], path: Path) -> None:
    """Validation accuracy over each stage's values, with what the paper states, as PNG."""
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "train", "drawing a sweep") from error
    stages = result["stages"]
    figure = Figure(figsize=(4 * max(len(stages), 1), 3.6), layout="constrained")
    panels = figure.subplots(1, max(len(stages), 1), sharey=True, squeeze=False)[0]
    for axes, (stage, part) in zip(panels, stages.items(), strict=False):
        rows = [row for row in part["rows"] if "error" not in row]
        ticks = [_value(stage, row["value"]) for row in rows]
        for key, label in (("val_accuracy", "best epoch"), ("last_val_accuracy", "last epoch")):
            axes.plot(ticks, [100 * row[key] for row in rows], marker="o", label=label)
        stated = [
            (t, 100 * r["paper_val_accuracy"])
            for t, r in zip(ticks, rows, strict=True)
            if r["paper_val_accuracy"]
        ]
        if stated:
            axes.plot(*zip(*stated, strict=True), "k*", label="the paper, this value")
        if rows and result["reduction"] == "whole":
            for accuracy in paper.VALIDATION_ACCURACY:
                axes.axhline(100 * accuracy, color="k", linestyle=":", linewidth=0.8)
        axes.set(xlabel=TITLES[stage])
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8)
    panels[0].set_ylabel("validation accuracy %")
    figure.suptitle(f"sweep, {result['reduction']}", fontsize=10)
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=110)
