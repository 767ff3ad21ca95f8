#!/usr/bin/env python3
"""All measurements that the documentation quotes, one after the other on a quiet machine; some ten minutes.

Usage: python benchmarks/run_all.py --data fer2013.csv --clip VIDEO [--faces N] [--skip peers] [--only plot]

Writes benchmarks/results: shipped.json (models that ship: speed, limits, operators, accuracy), loop.json,
peers.json (in an environment of its own, made at the first run, which takes some minutes more),
crosscheck.json, accuracy.png and README.md with all tables; then the README's tables. A step that fails is
told at the end, the others are done all the same; exit 1 then.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import update_readme

from fer_edge.bench import output, sheets

HERE = Path(__file__).resolve().parent
STEPS = ("shipped", "loop", "peers", "crosscheck", "plot", "readme")
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
    failed = []
    for step in options.only or [step for step in STEPS if step not in options.skip]:
        start = time.monotonic()
        print(f"--- {step}", flush=True)
        if step == "readme":
            (options.results / "README.md").write_text(all_tables(options.results))
            if options.results == HERE / "results":
                update_readme.main()
        elif (code := subprocess.run(todo[step], check=False, env=_environment()).returncode) != 0:
            failed.append(f"{step} (exit {code})")
        print(f"--- {step}: {time.monotonic() - start:.0f} s", flush=True)
    for name in busy(options.results):
        print(f"{name}: the machine was busy: its times are not to be quoted")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


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


def all_tables(results: Path) -> str:
    """results/README.md: every table of every file that is there."""
    parts = [
        "# Results",
        "Made by `python benchmarks/run_all.py`. Times of a busy machine carry an asterisk.",
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


def busy(results: Path) -> list[str]:
    """Names of the result files that say that they were disturbed."""
    found = []
    for path in sorted(results.glob("*.json")):
        if '"disturbed": true' in path.read_text():
            found.append(path.name)
    return found


if __name__ == "__main__":
    main()
