#!/usr/bin/env python3
"""All measurements that the documentation quotes, one after another on a quiet machine; a quarter of an hour.

Usage: python benchmarks/run_all.py --data fer2013.csv --clip VIDEO [--faces N] [--skip peers] [--only plot]

Writes benchmarks/results: shipped.json (models that ship: speed, limits, operators, accuracy), loop.json,
peers.json (in an environment of its own, made at the first run, which takes some minutes more),
crosscheck.json, accuracy.png and README.md with all tables; then the README's tables. run.json says when the
run began, how long each step took and how it ended; README.md names what is of an earlier run. A step that
fails is told at the end, the others are done all the same; exit 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import result_tables
import update_readme

from fer_edge import files, machine

HERE = Path(__file__).resolve().parent
STEPS = (*result_tables.MEASURED, "plot", "readme")
FER_EDGE = [sys.executable, "-c", "from fer_edge.cli import main; main()"]


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """The command of each step."""
    here, results = [sys.executable], options.results
    json_of = {name: str(results / f"{name}.json") for name in STEPS}
    models = [*FER_EDGE, "bench", "--threads", options.threads, "--runs", str(options.runs)]
    models += ["--limits", "--profile", "--data", options.data, "--json", json_of["shipped"], "--force"]
    loop = [*FER_EDGE, "bench", "--loop", options.clip, "--faces", str(options.faces)]
    peers = [*here, str(HERE / "peers/run.py"), "--json", json_of["peers"], "--clip", options.clip]
    peers += ["--markdown", str(results / "peers.md"), "--data", options.data]
    peers += ["--runs", str(min(options.runs, 300))]
    peers += [part for text in options.file for part in ("--file", text)]
    crosscheck = [*here, str(HERE / "crosscheck.py"), "--json", json_of["crosscheck"]]
    return {
        "shipped": models,
        "loop": [*loop, "--json", json_of["loop"], "--force"],
        "peers": peers,
        "crosscheck": [
            *crosscheck,
            "--markdown",
            str(results / "crosscheck.md"),
            "--runs",
            str(options.runs),
        ],
        "plot": [*here, str(HERE / "plot.py"), str(results / "accuracy.png"), str(results)],
    }


def main() -> None:
    options = _options()
    options.results.mkdir(parents=True, exist_ok=True)
    todo = commands(options)
    run: dict[str, Any] = {"schema": 1, "machine": machine.describe(), "steps": {}}
    failed = []
    for step in options.only or [step for step in STEPS if step not in options.skip]:
        start = time.monotonic()
        print(f"--- {step}", flush=True)
        how = written(options.results) if step == "readme" else done(todo[step])
        seconds = round(time.monotonic() - start)
        print(f"--- {step}: {seconds} s{', FAILED: ' + how if how else ''}", flush=True)
        if how:
            failed.append(f"{step} ({how})")
        if step in result_tables.MEASURED:
            run["steps"][step] = {"seconds": seconds, "failed": how}
            files.write_text(options.results / "run.json", json.dumps(run, indent=2) + "\n")
    for name in result_tables.busy(options.results):
        print(f"{name}: the machine was busy: its times are not to be quoted")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def done(command: list[str]) -> str | None:
    """Runs a step; what it ended with, None if all is well."""
    code = subprocess.run(command, check=False, env=_environment()).returncode
    return f"exit {code}" if code else None


def written(results: Path) -> str | None:
    """Writes the tables; what hindered it, None if nothing did."""
    try:
        files.write_text(results / "README.md", result_tables.all_tables(results))
        if results == HERE / "results":
            update_readme.main()
    except Exception as error:  # a result that an older version wrote, say: the measurements are kept
        return f"{type(error).__name__}: {error}"
    return None


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--clip", required=True)
    parser.add_argument("--faces", type=int, default=1, help="in each frame of the clip")
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--runs", type=int, default=500)
    parser.add_argument("--results", type=Path, default=HERE / "results", help="elsewhere: README.md stays")
    parser.add_argument(
        "--file", action="append", default=[], metavar="NAME=PATH:LOW:HIGH", help="peers/run.py"
    )
    parser.add_argument("--skip", action="append", default=[], choices=STEPS)
    parser.add_argument("--only", action="append", choices=STEPS)
    return parser.parse_args()


def _environment() -> dict[str, str]:
    return {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}


if __name__ == "__main__":
    main()
