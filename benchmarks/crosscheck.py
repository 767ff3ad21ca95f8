#!/usr/bin/env python3
"""Is what bench says true? Its times beside a plain loop of the interpreter and beside litert-benchmark.

Usage: python benchmarks/crosscheck.py BENCH.json [--json FILE] [--markdown FILE] [--runs N]

BENCH.json: what `fer-edge bench --json` wrote of the models that ship.

The plain loop, in a fresh process: a face into the interpreter, invoke, the output out, and the clock;
the median of its processes' medians. litert-benchmark comes with ai-edge-litert, loads a model through
another interface (CompiledModel) and feeds random bytes. Both take turns, on one thread. Exit 3 where bench
was not disturbed and yet differs from the plain loop by more than 5 %, or the second tool by more than 10 %.
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

from fer_edge import files
from fer_edge.bench import report
from fer_edge.console import Table, milliseconds
from fer_edge.model import shipped

ROUNDS = 5
WITHIN = {"plain_ms": (0.05, 0.0), "litert_ms": (0.10, 0.005)}
"""The share by which bench may differ, and milliseconds besides: litert-benchmark gives whole hundredths."""
TOOL = Path(sys.executable).with_name("litert-benchmark")
PLAIN_LOOP = """
import sys, time, numpy
from ai_edge_litert.interpreter import Interpreter
model = Interpreter(sys.argv[1], num_threads=1)
model.allocate_tensors()
entry, out = model.get_input_details()[0], model.get_output_details()[0]
face, times = numpy.full(entry["shape"], 90, entry["dtype"]), []
for _ in range(700):
    start = time.perf_counter()
    model.set_tensor(entry["index"], face)
    model.invoke()
    model.get_tensor(out["index"])
    times.append(time.perf_counter() - start)
print(1e3 * numpy.median(times[100:]))
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bench", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    value = compared(shipped.models(), options.runs, report.read(options.bench))
    shown = table(value)
    shown.show()
    if options.markdown:
        files.write_text(options.markdown, shown.markdown())
    if options.json:
        files.write_text(options.json, json.dumps(value, indent=2) + "\n")
    sys.exit(0 if all(row["agrees"] for row in value["rows"] if not row["disturbed"]) else 3)


def compared(paths: list[Path], runs: int, result: dict[str, Any]) -> dict[str, Any]:
    """A row a model of the benchmark `result`: `bench_ms`, `plain_ms`, `litert_ms` (None without the tool),
    `disturbed`, `agrees`."""
    one_thread = {row["model"]: row for row in result["results"] if row["threads"] == 1}
    paths = [path for path in paths if path.stem in one_thread]
    plain: dict[Path, list[float]] = {path: [] for path in paths}
    litert: dict[Path, list[float]] = {path: [] for path in paths}
    for path in paths * ROUNDS:
        done = [sys.executable, "-c", PLAIN_LOOP, str(path)]
        plain[path].append(float(subprocess.run(done, capture_output=True, check=True).stdout))
        if TOOL.exists():
            litert[path].append(litert_ms(path, runs))
    rows = []
    for path in paths:
        timed = one_thread[path.stem]
        row = {"model": path.stem, "bench_ms": timed["latency_ms"]["p50"], "disturbed": timed["disturbed"]}
        row["plain_ms"] = statistics.median(plain[path])
        row["litert_ms"] = statistics.median(litert[path]) if litert[path] else None
        rows.append({**row, "agrees": agrees(row)})
    return {"schema": 1, "machine": result["machine"], "rows": rows}


def agrees(row: dict[str, Any]) -> bool:
    """Whether bench is as near to both as `WITHIN` allows."""
    return all(
        row[other] is None or abs(row["bench_ms"] - row[other]) <= share * row[other] + besides_ms
        for other, (share, besides_ms) in WITHIN.items()
    )


def litert_ms(path: Path, runs: int) -> float:
    """The tool's median, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        result = Path(folder, "result.json")
        command = [sys.executable, str(TOOL), "--model", str(path), "--num_threads", "1"]
        command += ["--num_runs", str(runs), "--warmup_runs", "50", "--result_json", str(result)]
        subprocess.run(command, capture_output=True, check=True, timeout=300)
        return float(json.loads(result.read_text())["latency"]["median_ms"])


def table(value: dict[str, Any]) -> Table:
    """The rows as a table."""
    headers = ("model", "off %", "bench", "plain loop", "off % of it", "litert-benchmark")
    found = Table("cross-check", headers)
    for row in value["rows"]:
        own, plain, litert = (row[key] for key in ("bench_ms", "plain_ms", "litert_ms"))
        off = [None if ms is None else f"{100 * (own / ms - 1):+.1f}" for ms in (plain, litert)]
        bench = milliseconds(own) + "*" * row["disturbed"]
        found.add(row["model"], off[0], bench, milliseconds(plain), off[1], milliseconds(litert))
    agree = sum(row["agrees"] for row in value["rows"])
    found.notes = [
        f"{value['machine']['cpu']}, {value['machine']['interpreter']}, ms on one thread: {agree} of "
        f"{len(found.rows)} agree within 5 % with a plain loop of the interpreter (median of {ROUNDS} "
        "processes) and within 10 % with litert-benchmark (of as many; its times are whole hundredths).",
        *[report.BUSY + "."] * any(row["disturbed"] for row in value["rows"]),
    ]
    return found


if __name__ == "__main__":
    main()
