"""`python tests/faults`: disturbs commands again and again and prints the count.

Nothing here is random but the moment, which comes from --seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, as pytest has it

from faults.rounds import MET, PHASES, ROUNDS, Bench, WrongError


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=ROUNDS, default=list(ROUNDS))
    asked = parser.parse_args()
    head = ("fault", "rounds", "disturbed", *PHASES, "wrong")
    print(f"| {' | '.join(head)} |\n| --- {'| --: ' * (len(head) - 1)}|", flush=True)
    wrong = 0
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), random.Random(asked.seed))
        for kind in asked.kinds:
            counts, until = Counter[str](), time.monotonic() + asked.seconds
            while counts.total() < asked.rounds and time.monotonic() < until:
                try:
                    counts[ROUNDS[kind](bench)] += 1
                except WrongError as fault:
                    counts["wrong"] += 1
                    print(f"  {kind}: {fault}", file=sys.stderr, flush=True)
            phases = [counts[phase] for phase in PHASES]
            cells = (kind, counts.total(), counts[MET] + sum(phases), *phases, counts["wrong"])
            print(f"| {' | '.join(map(str, cells))} |", flush=True)
            wrong += counts["wrong"]
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
