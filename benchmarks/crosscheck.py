#!/usr/bin/env python3
"""Our inference time against LiteRT's own tool, litert-benchmark, on the same files in the same minutes.

Usage: python benchmarks/crosscheck.py --json FILE [--tolerance PERCENT]

litert-benchmark comes with ai-edge-litert; it loads a model through another interface of the library
(CompiledModel) and feeds random bytes. Both run in turn, three times each, one thread; the medians are
compared. Exit 3 where one differs by more than the tolerance (10 %).
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fer_edge import console, machine
from fer_edge.bench import parts
from fer_edge.bench.output import BUSY
from fer_edge.bench.sheets import Sheet, ms
from fer_edge.bench.watch import Watch, is_busy
from fer_edge.model import shipped

ROUNDS, WARMUP = 3, 50
ROUNDING_MS = 0.005
"""litert-benchmark gives hundredths of a millisecond, which is much for the smallest models."""
TOOL = Path(sys.executable).with_name("litert-benchmark")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", required=True)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--tolerance", type=float, default=10.0)
    parser.add_argument("--runs", type=int, default=500)
    options = parser.parse_args()
    if not TOOL.exists():
        sys.exit(f"there is no {TOOL}: pip install 'ai-edge-litert>=2.3'")
    value = measure(shipped.models(), options.runs, options.tolerance / 100)
    text = sheet(value).markdown()
    print(text)
    if options.markdown:
        options.markdown.write_text(text)
    console.write_json(options.json, value, force=True)
    sys.exit(0 if all(row["agrees"] for row in value["rows"]) else 3)


def measure(paths: list[Path], runs: int, tolerance: float) -> dict[str, Any]:
    """A row a model: `ours_ms`, `litert_ms`, `ratio`, `agrees`, and whether the machine was busy."""
    described = machine.describe()
    taken: dict[Path, list[tuple[float, float]]] = {path: [] for path in paths}
    with Watch() as watch:
        for _ in range(ROUNDS):
            for path, pairs in taken.items():
                (own,) = parts.measure([parts.Subject(path, 1, None)], runs, seed=0)
                pairs.append((own["inference"], litert_ms(path, runs)))
    others = watch.others_share()
    rows = []
    for path, pairs in taken.items():
        ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
        row = {"model": path.stem, "ours_ms": ours, "litert_ms": theirs, "ratio": ours / theirs}
        rows.append({**row, "agrees": abs(ours - theirs) <= tolerance * theirs + ROUNDING_MS})
    value = {"schema": 1, "machine": {**described, "others_share": others}, "tolerance": tolerance}
    return {**value, "disturbed": is_busy(others), "rows": rows}


def litert_ms(path: Path, runs: int) -> float:
    """The tool's median, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [sys.executable, str(TOOL), "--model", str(path), "--num_threads", "1"]
        command += ["--num_runs", str(runs), "--warmup_runs", str(WARMUP), "--result_json", str(result)]
        subprocess.run(command, capture_output=True, check=True, timeout=300)
        return float(json.loads(result.read_text())["latency"]["median_ms"])


def sheet(value: dict[str, Any]) -> Sheet:
    """The rows as a table."""
    rows = tuple(
        (row["model"], ms(row["ours_ms"]), ms(row["litert_ms"]), f"{100 * (row['ratio'] - 1):+.1f}")
        for row in value["rows"]
    )
    agree = sum(row["agrees"] for row in value["rows"])
    note = (
        f"{value['machine']['cpu']}, {value['machine']['interpreter']}, one thread, median of {ROUNDS} "
        f"rounds: {agree} of {len(rows)} agree within {100 * value['tolerance']:.0f} %. litert-benchmark "
        "gives hundredths of a millisecond: half of one is allowed besides."
    )
    headers = ("model", "fer-edge ms", "litert-benchmark ms", "difference %")
    return Sheet("cross-check", headers, rows, notes=(note + (f"\n\n{BUSY}." if value["disturbed"] else ""),))


if __name__ == "__main__":
    main()
