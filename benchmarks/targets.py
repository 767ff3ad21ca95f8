#!/usr/bin/env python3
"""One table over every format and target of every model that ships, full-integer files made for it besides.

Usage: python benchmarks/targets.py --data fer2013.csv [--votes fer2013new.csv] [--limit 500]

Needs the extras microcontroller, ethos-u, onnx and train, and `@litertjs/core` in a node_modules
folder; what is absent is named below the table. Writes results/targets.json and results/targets.md. A
network that no full-integer file agrees with is told, and has none in the table; exit 1 then.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from fer_edge import evaluation
from fer_edge.model import shipped
from fer_edge.spec import Format, are_of_fer2013, split_name

RESULTS = Path(__file__).resolve().parent / "results"
FER_EDGE = [sys.executable, "-c", "from fer_edge.cli import main; main()"]


def main() -> int:
    options = _options()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for model in options.model or sorted(shipped.models_folder().glob("*.keras")):
            command = [*FER_EDGE, "convert", str(model), "--full-integer", "--data", options.data]
            card = evaluation.keras_card(model)
            if card is not None and not are_of_fer2013(card.labels):
                if options.votes is None:
                    print(f"{model}: no full-integer file without --votes", file=sys.stderr)
                    continue
                command += ["--labels", f"ferplus:{options.votes}"]
            if subprocess.run([*command, "--out", folder], check=False).returncode:
                failed.append(str(model))
        families = [model.stem for model in options.model or ()]
        ours = [path for path in shipped.models() if not families or split_name(path.stem)[0] in families]
        made = [*ours, *Path(folder).glob("*.tflite")]
        compare = [*FER_EDGE, "bench", *map(str, sorted(made, key=place)), "--target", "all"]
        compare += ["--data", options.data, "--limit", str(options.limit), "--runs", str(options.runs)]
        compare += ["--labels", f"ferplus:{options.votes}"] if options.votes else []
        compare += ["--json", str(options.results / "targets.json")]
        compare += ["--markdown", str(options.results / "targets.md"), "--force"]
        done = subprocess.run(compare, check=False).returncode
    for name in failed:
        print(f"{name}: no full-integer file", file=sys.stderr)
    return done or bool(failed)


def place(path: Path) -> tuple[str, int]:
    """Families by name, their formats in our order."""
    family, known = split_name(path.stem)
    return family, list(Format).index(Format(known)) if known else len(Format)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, metavar="PATH", help="FER-2013")
    parser.add_argument("--votes", metavar="FILE", help="FER+'s fer2013new.csv, for edge_ferplus")
    parser.add_argument("--model", action="append", type=Path, help="a .keras file; default: all that ship")
    parser.add_argument("--limit", type=int, default=500, help="pictures of PublicTest (500)")
    parser.add_argument("--runs", type=int, default=200, help="timed inferences (200); at least 1")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="(benchmarks/results)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
