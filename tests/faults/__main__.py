"""`python tests/faults`: disturbs commands again and again and prints the count.

Nothing here is random but the moment, which comes from --seed.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, as pytest has it

from doc_tables import put

from faults.rounds import ROUNDS
from faults.workbench import Bench, WrongError

HEAVY = ("kill train", "kill convert")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/faults", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="of each kind; of the heavy ones a tenth")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--kinds", nargs="*", choices=ROUNDS, default=list(ROUNDS))
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the table into docs/hardening.md")
    asked = parser.parse_args()
    counts: Counter[tuple[str, str]] = Counter()
    with tempfile.TemporaryDirectory(prefix="faults-") as folder:
        bench = Bench(Path(folder), random.Random(asked.seed))
        table = ["| fault | rounds | disturbed | wrong |", "| --- | --: | --: | --: |"]
        print("\n".join(table))
        for kind in asked.kinds:
            rounds = max(1, asked.rounds // 10) if kind in HEAVY else asked.rounds
            for _ in range(rounds):
                try:
                    counts[kind, "disturbed"] += ROUNDS[kind](bench)
                except WrongError as fault:
                    counts[kind, "wrong"] += 1
                    print(f"  {kind}: {fault}", file=sys.stderr, flush=True)
            disturbed, wrong = counts[kind, "disturbed"], counts[kind, "wrong"]
            table.append(f"| {kind} | {rounds} | {disturbed} | {wrong} |")
            print(table[-1], flush=True)
    if asked.write:
        put(asked.write, "faults", table, f"python tests/faults {' '.join(sys.argv[1:])}")
    return int(any(counts[kind, "wrong"] for kind in asked.kinds))


if __name__ == "__main__":
    sys.exit(main())
