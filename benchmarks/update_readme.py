#!/usr/bin/env python3
"""The tables of results/README.md and of README.md, from the JSON files in benchmarks/results.

Usage: python benchmarks/update_readme.py [--publish]

README.md gets what stands between `<!-- bench -->` and `<!-- /bench -->`: each network on one thread in
float32, dynamic range and int8, without the rows that were measured on a busy machine. Where cross-check
disagrees, README.md stays as it is and the exit code is 1, unless --publish is given.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.bench import loop as looping
from fer_edge.bench import report
from fer_edge.model import shipped as shipped_files

HERE = Path(__file__).resolve().parent
README = HERE.parent / "README.md"
RESULTS = HERE / "results"
FORMATS = ("float32", "dynamic_range", "int8")
COLUMNS = ("model", "size", "speed-up", "p50 ms", "min", "acc %", "agree %", "MiB")
MEASURED = ("shipped", "ferplus", "loop", "crosscheck", "limits", "peers")
"""The stages of run_all.py that measure, each with its JSON in the results."""


def shipped(results: Path) -> dict[str, Any]:
    """shipped.json, with the accuracies of FER+'s models from ferplus.json."""
    value: dict[str, Any] = json.loads((results / "shipped.json").read_text())
    own = results / "ferplus.json"
    if own.exists():
        judged = json.loads(own.read_text())
        rows = {row["model"]: row for row in judged["results"]}
        for row in value["results"]:
            if row["accuracy"] is None and row["model"] in rows:
                row.update({key: rows[row["model"]][key] for key in ("accuracy", "macro_f1", "agreement")})
        value["config"]["ferplus"] = judged["config"]["data"]["n"]
        value["advice"] = report.advice(value["results"])
    return value


def bench(results: Path) -> str:
    """The main table, shortened: every format and thread count stands in results/README.md."""
    value = shipped(results)
    fewest = min(row["threads"] for row in value["results"])
    kept = [row for row in value["results"] if row["threads"] == fewest and row["format"] in FORMATS]
    quiet = [row for row in kept if not row["disturbed"]]
    if not quiet:
        raise LookupError("every row was measured on a busy machine")
    table = report.table({**value, "results": quiet}, COLUMNS)
    best = ", ".join(row["model"] for row in value["advice"] if not row["disturbed"])
    table.notes = [*table.notes, f"Here `bench --advise`, the fastest within half a point, says: {best}."]
    if n := value["config"].get("ferplus"):
        note = f"edge_ferplus: of FER+'s eight expressions, on the {n} pictures whose voters agree."
        table.notes = [*table.notes, note]
    return table.markdown()


def best(results: Path) -> dict[str, dict[str, str]]:
    """fer_edge/model/best.json anew: of each kind of processor and network, the file that `run` takes.

    Only what was measured on a quiet machine changes.
    """
    value = shipped(results)
    known: dict[str, dict[str, str]] = json.loads(shipped_files.BEST.read_text())
    own = known.setdefault(value["machine"]["architecture"], {})
    own.update({row["network"]: row["model"] for row in value["advice"] if not row["disturbed"]})
    return known


def disagreeing(results: Path) -> list[str]:
    """Models whose times a plain loop or the second tool contradicts; none where that was not tried."""
    path = results / "crosscheck.json"
    rows = json.loads(path.read_text())["rows"] if path.exists() else []
    return [row["model"] for row in rows if not row["agrees"] and not row.get("disturbed")]


def all_tables(results: Path) -> str:
    """results/README.md: every table of every file that is there."""
    parts = ["# Results", f"Made by `python benchmarks/run_all.py`: {origin(results)}."]
    if (results / "accuracy.png").exists():
        parts.append("![accuracy against size and latency](accuracy.png)")
    if (results / "shipped.json").exists():
        told = [name for name in report.COLUMNS if name != "p50 from .. to"]
        parts.append(f"## The models that ship\n\n{report.table(shipped(results), told).markdown()}")
        parts.append(f"Which file to run here:\n\n{report.advice_table(shipped(results)).markdown()}")
    if (results / "loop.json").exists():
        loop = looping.table(json.loads((results / "loop.json").read_text()))
        parts.append(f"## The loop\n\n{loop.markdown()}")
    titles = {"crosscheck": "A plain loop, and a second tool", "peers": "Peers", "limits": "Limits"}
    for name, title in titles.items():
        path = results / f"{name}.md"
        if path.exists():
            parts.append(f"## {title}\n\n{path.read_text()}")
    if (results / "twice.md").exists():
        parts.append("[Two runs half an hour apart, and one beside two busy loops](twice.md)")
    return "\n\n".join(part.strip() for part in parts) + "\n"


def origin(results: Path) -> str:
    """Which results are of which commit, and from when."""
    runs: dict[str, list[tuple[str, str]]] = {}
    for path in (results / f"{name}.json" for name in MEASURED):
        if path.exists():
            about = json.loads(path.read_text())["machine"]
            runs.setdefault(about["commit"], []).append((about["time"][:16], path.stem))
    told = (f"{', '.join(n for _, n in own)} from {min(own)[0]} on, commit {c}" for c, own in runs.items())
    return "; ".join(told)


def write(results: Path = RESULTS, readme: Path = README, publish: bool = False) -> str | None:
    """Writes results/README.md, and README.md and best.json of our own results; what hindered it, or None."""
    files.write_text(results / "README.md", all_tables(results))
    if results != RESULTS:
        return None
    wrong = disagreeing(results)
    if wrong and not publish:
        return f"not published, cross-check disagrees on {', '.join(wrong)} (--publish does it all the same)"
    if (results / "shipped.json").exists():
        page = readme.read_text(encoding="utf-8")
        files.write_text(readme, files.put_between_markers(page, "bench", bench(results)))
    files.write_text(shipped_files.BEST, json.dumps(best(results), indent=2) + "\n")
    return None


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--publish", action="store_true")
    sys.exit(write(publish=parser.parse_args().publish))
