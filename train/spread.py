"""How far the scores of trainings with other seeds lie apart: mean and standard deviation over runs."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import files
from fer_edge.errors import DataError, UsageError

if TYPE_CHECKING:
    from rich.table import Table

MAIN = ("accuracy", "accuracy_without_duplicates", "macro_precision", "macro_recall", "macro_f1")


def read(path: Path) -> dict[str, Any]:
    """A metrics.json value (`evaluate --json`, or `metrics.json` in a run's folder).

    Raises DataError for a file that is none.
    """
    file = path / "metrics.json" if path.is_dir() else path
    try:
        value = files.parse_json(file.read_bytes())
        scores_of(value)
        value["data"]["split"], value["data"]["sha256"]
    except OSError as error:
        raise DataError(f"cannot read {file}: {error.strerror or error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{file} is no metrics.json: give run folders, or files of evaluate --json"
        ) from error
    return dict(value)


def scores_of(metrics: dict[str, Any]) -> dict[str, float]:
    """All scores of one metrics.json value by name, each in 0..1; those that are null are left out."""
    scores = {name: metrics[name] for name in MAIN if metrics[name] is not None}
    scores |= {f"recall {label}": row["recall"] for label, row in metrics["per_class"].items()}
    spoilt = metrics.get("robustness", {"conditions": {}})["conditions"]
    scores |= {f"accuracy, {name}": row["accuracy"] for name, row in spoilt.items()}
    return {name: float(score) for name, score in scores.items()}


def summarise(runs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean, sample standard deviation (n - 1), least and largest of each score that all runs have.

    Raises UsageError for fewer than two runs, DataError where they were measured on other pictures.
    """
    if len(runs) < 2:
        raise UsageError("a spread needs at least two runs")
    first = runs[0]["data"]
    for run in runs[1:]:
        for name in ("split", "sha256", "n"):
            if run["data"].get(name) != first.get(name):
                raise DataError(
                    f"the runs were not measured on the same pictures: {name} is {first.get(name)} and "
                    f"{run['data'].get(name)}"
                )
    every = [scores_of(run) for run in runs]
    shared = [name for name in every[0] if all(name in scores for scores in every)]
    return {
        "models": [run.get("model") for run in runs],
        "data": first,
        "runs": len(runs),
        "scores": {name: _spread([scores[name] for scores in every]) for name in shared},
    }


def _spread(values: list[float]) -> dict[str, Any]:
    return {
        "mean": statistics.fmean(values),
        "standard_deviation": statistics.stdev(values),
        "min": min(values),
        "max": max(values),
        "values": values,
    }


def rows(summary: dict[str, Any]) -> list[list[str]]:
    """Name, mean, standard deviation, least and largest of each score, in per cent."""
    out = []
    for name, row in summary["scores"].items():
        numbers = (row[key] for key in ("mean", "standard_deviation", "min", "max"))
        out.append([name.replace("_", " "), *(f"{100 * number:.2f}" for number in numbers)])
    return out


HEADERS = ("score %", "mean", "std", "min", "max")


def heading(summary: dict[str, Any]) -> str:
    """`3 runs, PrivateTest (3589 pictures)`."""
    return f"{summary['runs']} runs, {summary['data']['split']} ({summary['data'].get('n')} pictures)"


def table(summary: dict[str, Any]) -> Table:
    """The value of `summarise` as a table."""
    from fer_edge.tables import new_table

    out = new_table(heading(summary))
    for header in HEADERS:
        out.add_column(header, justify="left" if header == HEADERS[0] else "right")
    for row in rows(summary):
        out.add_row(*row)
    return out


def markdown(summary: dict[str, Any]) -> str:
    """The same in Markdown, the heading under it."""
    lines = ["| " + " | ".join(HEADERS) + " |", "| --- |" + " --: |" * (len(HEADERS) - 1)]
    lines += ["| " + " | ".join(row) + " |" for row in rows(summary)]
    note = "std is the sample standard deviation over runs."
    return "\n".join([*lines, "", f"{heading(summary)}; {note}"]) + "\n"
