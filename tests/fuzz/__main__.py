"""`python tests/fuzz`: tries inputs by kind, prints a table, keeps what it finds."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, as pytest has it

from doc_tables import put

from fuzz.harness import FINDS, OUTCOMES, Tally, generated, tried_apart, work
from fuzz.kinds import KINDS, PROBE


def _keep(tally: Tally, seed: int) -> None:
    """One input for each place that a fault comes from."""
    places = {text.split(":", 2)[0]: (name, outcome, text) for name, outcome, text in tally.faults}
    for name, outcome, text in places.values():
        if name.isdecimal():
            data = generated(KINDS[tally.kind], seed, int(name))
            path = FINDS / tally.kind / hashlib.sha256(data).hexdigest()[:12]
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
        print(f"  {tally.kind}: {outcome}: {text} (input {name})", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(KINDS)}; default: all")
    parser.add_argument("--inputs", type=int, default=1000, help="of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--jobs", type=int, default=1, help="inputs tried at a time")
    parser.add_argument("--keep", action="store_true", help=f"write what is found to {FINDS.name}/")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into docs/hardening.md")
    parser.add_argument("--work", metavar="KIND", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.work:
        work((KINDS | {PROBE.name: PROBE})[asked.work], asked.seed, sys.stdin.read().split())
        return 0
    table = [
        f"| kind | inputs | {' | '.join(OUTCOMES)} | seconds |",
        f"| --- {'| --: ' * (len(OUTCOMES) + 2)}|",
    ]
    print("\n".join(table))
    failed = False
    for name in asked.kinds or KINDS:
        numbers = [str(n) for n in range(asked.first, asked.first + asked.inputs)]
        tally = tried_apart(KINDS[name], numbers, asked.seed, time.monotonic() + asked.seconds, asked.jobs)
        counts = " | ".join(f"{tally.counts[outcome]:,}" for outcome in OUTCOMES)
        table.append(f"| {name} | {tally.tried:,} | {counts} | {tally.seconds:.0f} |")
        print(table[-1], flush=True)
        if asked.write:
            put(asked.write, "fuzz", table, f"python tests/fuzz {' '.join(sys.argv[1:])}")
        if asked.keep:
            _keep(tally, asked.seed)
        elif tally.faults:
            for fault in sorted({text for _, _, text in tally.faults})[:12]:
                number = next(n for n, _, text in tally.faults if text == fault)
                print(f"  input {number}: {fault}", file=sys.stderr, flush=True)
        failed |= bool(tally.faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
