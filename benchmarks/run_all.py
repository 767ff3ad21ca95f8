#!/usr/bin/env python3
"""All measurements that the documentation quotes, one after another on a quiet machine.

Usage: python benchmarks/run_all.py --data fer2013.csv --votes fer2013new.csv --clip VIDEO
                                    [--quick] [--skip peers] [--only plot]

Stages: shipped (the models that ship: speed, memory, accuracy), ferplus (accuracy of the FER+ models; needs
--votes), loop, crosscheck, limits, peers (in an environment of its own, made at the first run, which takes
some minutes more), plot (accuracy.png), readme (results/README.md, README.md's tables, the table by
which `run` chooses its model). --quick leaves out limits, peers and the second thread: some minutes.

Everything goes to benchmarks/results. A stage that fails is told at the end, the others are done all the
same; exit 1 then.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import update_readme

HERE = Path(__file__).resolve().parent
STAGES = (*update_readme.MEASURED, "plot", "readme")
NOT_QUICK = ("limits", "peers")
FER_EDGE = [sys.executable, "-c", "from fer_edge.cli import main; main()"]


def commands(options: argparse.Namespace) -> dict[str, list[str]]:
    """The command of each stage."""
    here, results = [sys.executable], options.results
    to = {name: ["--json", str(results / f"{name}.json")] for name in STAGES}
    tables = {name: ["--markdown", str(results / f"{name}.md")] for name in STAGES}
    data, runs = ["--data", options.data], ["--runs", str(options.runs)]
    bench = [*FER_EDGE, "bench"]
    known = ("float32", "float16", "dynamic_range", "int8", "mirror_dynamic_range", "mirror_int8")
    ferplus = [f"edge_ferplus_{name}" for name in known]
    judged = [*data, "--labels", f"ferplus:{options.votes}", "--runs", "10", "--patience", "0"]
    besides = {"--file": options.file, "--detector": options.detector}
    peers = [part for name, texts in besides.items() for text in texts for part in (name, text)]
    peers += ["--pictures", str(options.pictures), "--patience", str(5 * options.patience)]  # slow to load
    patience = ["--patience", str(options.patience)]
    timed = ["--threads", "1" if options.quick else options.threads, *runs, *patience]
    crosscheck = [*here, str(HERE / "crosscheck.py"), str(results / "shipped.json")]
    return {
        "shipped": [*bench, *timed, *data, *to["shipped"], "--force"],
        "ferplus": [*bench, *ferplus, *judged, *to["ferplus"], "--force"],
        "loop": [*bench, "--loop", options.clip, *to["loop"], "--force"],
        "crosscheck": [*crosscheck, *to["crosscheck"], *tables["crosscheck"]],
        "limits": [*here, str(HERE / "limits.py"), *to["limits"], *tables["limits"]],
        "peers": [
            *(*here, str(HERE / "peers/run.py"), *to["peers"], *tables["peers"], *data),
            *("--clip", options.clip, "--runs", str(min(options.runs, 300)), *peers),
        ],
        "plot": [*here, str(HERE / "plot.py"), str(results / "accuracy.png"), str(results)],
    }


def main() -> None:
    options = _options()
    options.results.mkdir(parents=True, exist_ok=True)
    todo = commands(options)
    skipped = {*options.skip, *(NOT_QUICK if options.quick else ()), *(() if options.votes else ("ferplus",))}
    failed = []
    for stage in options.only or [stage for stage in STAGES if stage not in skipped]:
        start = time.monotonic()
        print(f"--- {stage}", flush=True)
        how = written(options.results, options.publish) if stage == "readme" else done(todo[stage])
        seconds = round(time.monotonic() - start)
        print(f"--- {stage}: {seconds} s{', FAILED: ' + how if how else ''}", flush=True)
        if how:
            failed.append(f"{stage} ({how})")
    for path in sorted(options.results.glob("*.json")):
        if '"disturbed": true' in path.read_text():
            print(f"{path.name}: the machine was busy: times with an asterisk are not to be quoted")
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def done(command: list[str]) -> str | None:
    """Runs a stage; what it ended with, None if all is well."""
    environment = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3"}
    code = subprocess.run(command, check=False, env=environment).returncode
    return f"exit {code}" if code else None


def written(results: Path, publish: bool = False) -> str | None:
    """Writes the tables; what hindered it, None if nothing did."""
    try:
        return update_readme.write(results, publish=publish)
    except Exception as error:  # a result that an older version wrote, say: the measurements are kept
        return f"{type(error).__name__}: {error}"


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--votes", help="FER+'s fer2013new.csv")
    parser.add_argument("--clip", required=True)
    parser.add_argument("--threads", default="1,2")
    parser.add_argument("--runs", type=int, default=1000)
    parser.add_argument("--patience", type=float, default=60.0, help="seconds for what was disturbed")
    parser.add_argument("--results", type=Path, default=HERE / "results", help="elsewhere: README.md stays")
    parser.add_argument("--file", action="append", default=[], metavar="NAME=PATH:LOW:HIGH", help="for peers")
    parser.add_argument("--detector", action="append", default=[], metavar="NAME=FILE", help="for peers")
    parser.add_argument("--pictures", type=int, default=0, help="for peers: about so many; 0 is all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--publish", action="store_true", help="even where cross-check disagrees")
    parser.add_argument("--skip", action="append", default=[], choices=STAGES)
    parser.add_argument("--only", action="append", choices=STAGES)
    return parser.parse_args()


if __name__ == "__main__":
    main()
