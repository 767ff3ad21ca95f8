"""results/README.md: every table of every measurement, and what run it is of."""

from __future__ import annotations

import datetime
import json
from pathlib import Path

from fer_edge.bench import output, sheets

MEASURED = ("shipped", "loop", "peers", "crosscheck")
"""The steps of run_all.py that measure, each with its JSON in the results."""


def all_tables(results: Path) -> str:
    """results/README.md: every table of every file that is there."""
    parts = [
        "# Results",
        f"Made by `python benchmarks/run_all.py`{origin(results)}. Times of a busy machine carry an "
        "asterisk.",
    ]
    if (results / "accuracy.png").exists():
        parts.append("![accuracy against size and latency](accuracy.png)")
    for name, title in (("shipped", "The models that ship"), ("loop", "The loop")):
        path = results / f"{name}.json"
        if path.exists():
            value = json.loads(path.read_text())
            table = output.markdown(value) if name == "shipped" else sheets.loop(value).markdown()
            parts.append(f"## {title}\n\n{table}")
    for name, title in (("peers", "Peers"), ("crosscheck", "A second tool")):
        path = results / f"{name}.md"
        if path.exists():
            parts.append(f"## {title}\n\n{path.read_text()}")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def origin(results: Path) -> str:
    """When and from what commit the run was, and which results are not of it; empty if that is not known."""
    try:
        about = json.loads((results / "run.json").read_text())["machine"]
    except FileNotFoundError:
        return ""
    began = datetime.datetime.fromisoformat(about["time"])
    older = []
    for name in MEASURED:
        path = results / f"{name}.json"
        if path.exists() and datetime.datetime.fromisoformat(_time(path)) < began:
            older.append(name)
    text = f" in one run from {about['time']} on, commit {about['commit']}"
    return text + (f"; of an earlier run: {', '.join(older)}" if older else "")


def _time(path: Path) -> str:
    return str(json.loads(path.read_text())["machine"]["time"])


def busy(results: Path) -> list[str]:
    """Names of the result files that say that they were disturbed."""
    found = []
    for path in sorted(results.glob("*.json")):
        if '"disturbed": true' in path.read_text():
            found.append(path.name)
    return found
