"""`python tests/faults`: disturbs commands again and again and prints the count.

Nothing here is random but the moment, which comes from --seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, as pytest has it

from faults.rounds import ROUNDS, Bench


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=ROUNDS, default=list(ROUNDS))
    asked = parser.parse_args()
    print("| fault | rounds | disturbed | wrong |\n| --- | --: | --: | --: |", flush=True)
    failed = False
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), random.Random(asked.seed))
        for kind in asked.kinds:
            rounds, disturbed, wrong, until = 0, 0, 0, time.monotonic() + asked.seconds
            while rounds < asked.rounds and time.monotonic() < until:
                rounds += 1
                try:
                    disturbed += ROUNDS[kind](bench)
                except AssertionError as fault:
                    wrong += 1
                    print(f"  {kind}: {fault}", file=sys.stderr, flush=True)
            print(f"| {kind} | {rounds} | {disturbed} | {wrong} |", flush=True)
            failed |= bool(wrong)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
