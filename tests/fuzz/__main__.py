"""`python tests/fuzz`: tries inputs by kind, prints a table, keeps what it finds."""

from __future__ import annotations

import argparse
import hashlib
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # tests/, as pytest has it

from fuzz.harness import FINDS, OUTCOMES, generated, kinds, tried


def main() -> int:
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__)
    parser.add_argument("kinds", nargs="*", help=f"of {', '.join(kinds())}; default: all")
    parser.add_argument("--inputs", type=int, default=1000, help="of each kind")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="at most, for each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true", help=f"write what is found to {FINDS.name}/")
    asked = parser.parse_args()
    print(f"| kind | inputs | {' | '.join(OUTCOMES)} | seconds |\n| --- {7 * '| --: '}|")
    failed = False
    for kind in asked.kinds or kinds():
        began, names = time.monotonic(), list(map(str, range(asked.inputs)))
        counts, faults = tried(kind, names, asked.seed, began + asked.seconds)
        cells = [kind, f"{counts.total():,}", *(f"{counts[outcome]:,}" for outcome in OUTCOMES)]
        print(f"| {' | '.join(cells)} | {time.monotonic() - began:.0f} |", flush=True)
        for name, text in {text.split(":", 2)[0]: (name, text) for name, _, text in faults}.values():
            print(f"  input {name}: {text}", file=sys.stderr, flush=True)
            if asked.keep:
                data = generated(kind, asked.seed, int(name))
                (FINDS / kind).mkdir(parents=True, exist_ok=True)
                (FINDS / kind / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
        failed |= bool(faults)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
