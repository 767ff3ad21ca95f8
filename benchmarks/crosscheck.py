#!/usr/bin/env python3
"""Is what bench says true? Its times beside a plain loop of the interpreter and beside litert-benchmark.

Usage: python benchmarks/crosscheck.py [--bench FILE] [--json FILE] [--markdown FILE] [--runs N]

FILE of --bench: what `fer-edge bench --json` wrote; without it, it is measured in between.

The plain loop, in a fresh process: a face into the interpreter, invoke, the output out, and the clock;
the best median of its processes. litert-benchmark comes with ai-edge-litert, loads a model through another
interface (CompiledModel) and feeds random bytes. All take turns, on one thread. Exit 3 where bench was not
disturbed and yet differs from the plain loop by more than 5 %, or the second tool by more than 10 %.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.bench import measure, report
from fer_edge.console import Table, milliseconds
from fer_edge.model import shipped

ROUNDS = 3
WITHIN = {"plain_ms": 0.05, "litert_ms": 0.10}
ROUNDING_MS = 0.005
"""litert-benchmark gives hundredths of a millisecond, which is much for the smallest models."""
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
    parser.add_argument("--bench", type=Path)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--markdown", type=Path)
    parser.add_argument("--runs", type=int, default=1000)
    options = parser.parse_args()
    result = json.loads(options.bench.read_text()) if options.bench else None
    value = compared(shipped.models(), options.runs, result)
    shown = table(value)
    shown.show()
    if options.markdown:
        files.write_text(options.markdown, shown.markdown())
    if options.json:
        files.write_text(options.json, json.dumps(value, indent=2) + "\n")
    sys.exit(0 if all(row["agrees"] for row in value["rows"] if not row["disturbed"]) else 3)


def compared(paths: list[Path], runs: int, result: dict[str, Any] | None = None) -> dict[str, Any]:
    """A row a model: `bench_ms`, `plain_ms`, `litert_ms` (None without the tool), `disturbed`, `agrees`.

    result: a benchmark's; None measures it here.
    """
    plain: dict[Path, list[float]] = {path: [] for path in paths}
    litert: dict[Path, list[float]] = {path: [] for path in paths}

    def others() -> None:
        for path in paths:
            done = [sys.executable, "-c", PLAIN_LOOP, str(path)]
            plain[path].append(float(subprocess.run(done, capture_output=True, check=True).stdout))
            if TOOL.exists():
                litert[path].append(litert_ms(path, runs))

    for _ in range(ROUNDS // 2):
        others()
    result = result or measure.run(paths, runs=runs)
    for _ in range(ROUNDS - ROUNDS // 2):
        others()
    one_thread = {row["model"]: row for row in result["results"] if row["threads"] == 1}
    rows = []
    for path in (path for path in paths if path.stem in one_thread):
        timed = one_thread[path.stem]
        row = {"model": path.stem, "bench_ms": timed["latency_ms"]["p50"], "disturbed": timed["disturbed"]}
        row |= {"plain_ms": min(plain[path]), "litert_ms": min(litert[path], default=None)}
        rows.append({**row, "agrees": agrees(row)})
    about = {key: result[key] for key in ("machine", "config", "reference")}
    return {"schema": 1, **about, "disturbed": any(row["disturbed"] for row in rows), "rows": rows}


def agrees(row: dict[str, Any]) -> bool:
    """Whether bench is as near to both as `WITHIN` allows."""
    return all(
        row[other] is None or abs(row["bench_ms"] - row[other]) <= allowed * row[other] + ROUNDING_MS
        for other, allowed in WITHIN.items()
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
    headers = ("model", "bench", "plain loop", "off %", "litert-benchmark", "off % of it")
    found = Table("cross-check", headers)
    for row in value["rows"]:
        other = [row["plain_ms"], row["litert_ms"]]
        apart = [None if ms is None else f"{100 * (row['bench_ms'] / ms - 1):+.1f}" for ms in other]
        bench = milliseconds(row["bench_ms"]) + ("*" if row["disturbed"] else "")
        found.add(row["model"], bench, milliseconds(other[0]), apart[0], milliseconds(other[1]), apart[1])
    agree = sum(row["agrees"] for row in value["rows"])
    found.notes = [
        f"{value['machine']['cpu']}, {value['machine']['interpreter']}, ms on one thread: {agree} of "
        f"{len(found.rows)} agree within 5 % with a plain loop of the interpreter (best median of {ROUNDS} "
        "processes) and within 10 % with litert-benchmark (of as many), half a hundredth of a millisecond "
        "allowed besides.",
        *([report.BUSY + "."] if value["disturbed"] else []),
    ]
    return found


if __name__ == "__main__":
    main()
