"""`python tests/faults`: disturbs commands again and again and prints the count.

Nothing here is random but the moment, which comes from --seed.
"""

from __future__ import annotations

import argparse
import random
import shlex
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, as pytest has it

from doc_tables import put

from faults.moments import PHASES
from faults.rounds import MET, ROUNDS
from faults.workbench import Bench, WrongError

AMID = "between first and last change"
HEAD = ("fault", "rounds", "disturbed", *PHASES, AMID, "wrong")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=ROUNDS, default=list(ROUNDS))
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into docs/hardening.md")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), random.Random(asked.seed))
        table = [f"| {' | '.join(HEAD)} |", f"| --- {'| --: ' * (len(HEAD) - 1)}|"]
        print("\n".join(table), flush=True)
        wrong = 0
        for kind in asked.kinds:
            counts = disturbed(kind, bench, asked.rounds, time.monotonic() + asked.seconds)
            table.append(row(kind, counts))
            wrong += counts["wrong"]
            print(table[-1], flush=True)
            if asked.write:
                put(asked.write, "faults", table, f"python tests/faults {shlex.join(sys.argv[1:])}")
    return int(wrong > 0)


def disturbed(kind: str, bench: Bench, rounds: int, until: float) -> Counter[str]:
    """How often each phase was met; `wrong` and `rounds` are counted too."""
    counts: Counter[str] = Counter()
    while counts["rounds"] < rounds and time.monotonic() < until:
        counts["rounds"] += 1
        try:
            met = ROUNDS[kind](bench)
            counts[met.phase] += 1
            counts[AMID] += met.amid
        except WrongError as fault:
            counts["wrong"] += 1
            print(f"  {kind}: {fault}", file=sys.stderr, flush=True)
    return counts


def row(kind: str, counts: Counter[str]) -> str:
    """A line of the table; only kills have phases."""
    phases = [str(counts[phase]) if kind.startswith("kill") else "" for phase in (*PHASES, AMID)]
    met = counts[MET.phase] + sum(counts[phase] for phase in PHASES)
    cells = (kind, counts["rounds"], met, *phases, counts["wrong"])
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    sys.exit(main())
