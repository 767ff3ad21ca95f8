#!/usr/bin/env python3
"""Do benchmarks agree? The p50 of several results of `fer-edge bench --json` beside each other.

Usage: python benchmarks/side_by_side.py FIRST.json OTHER.json ... [--markdown FILE]

Under the table of differences stands each benchmark's own. Exit 3 where a row differs by more than 5 % from
the first one's, has no asterisk, and bench's matrix product took as long in both.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.bench import report
from fer_edge.bench.latency import REFERENCE_LIMIT
from fer_edge.console import Table, milliseconds

WITHIN = 5.0  # %


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path)
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    stems = [path.stem for path in options.results]
    named = {str(path) if stems.count(path.stem) > 1 else path.stem: path for path in options.results}
    values = {name: report.read(path) for name, path in named.items()}
    table, agree = side_by_side(values)
    table.show()
    if options.markdown:
        own = [f"### {name}\n\n{report.table(value).markdown()}" for name, value in values.items()]
        files.write_text(options.markdown, "\n".join([table.markdown(), *own]))
    sys.exit(0 if agree else 3)


def side_by_side(values: dict[str, dict[str, Any]]) -> tuple[Table, bool]:
    """The table, and whether they agree. values: benchmarks on one thread by name, the first one first."""
    first, *others = values
    alone = {name: [row for row in value["results"] if row["threads"] == 1] for name, value in values.items()}
    rows = {name: {row["model"]: row for row in own} for name, own in alone.items()}
    reference_ms = {name: value["reference"]["1"]["best_ms"] for name, value in values.items()}
    headers = [header for name in others for header in (f"{name} %", f"{name} by product %")]
    table = Table("", ("model", *headers, *(f"{name} ms" for name in values)))
    agree, most = True, dict.fromkeys(others, 0.0)
    for model in (model for model in rows[first] if all(model in own for own in rows.values())):
        own = {name: rows[name][model] for name in values}
        busy = {name: "*" * own[name]["disturbed"] for name in values}
        p50 = {name: own[name]["latency_ms"]["p50"] for name in values}
        cells = []
        for name in others:
            ratio = p50[name] / p50[first]
            percent = [100 * (one - 1) for one in (ratio, ratio * reference_ms[first] / reference_ms[name])]
            cells += [f"{one:+.1f}{busy[name] or busy[first]}" for one in percent]
            most[name] = max(most[name], abs(percent[0]))
            slow, fast = sorted((reference_ms[first], reference_ms[name]), reverse=True)
            told = busy[name] or busy[first] or slow > REFERENCE_LIMIT * fast
            agree &= bool(told) or abs(percent[0]) <= WITHIN
        table.add(model, *cells, *(milliseconds(p50[name]) + busy[name] for name in values))
    about = (
        f"{name}: {value['machine']['time'][:16]}, product {milliseconds(reference_ms[name])} ms"
        + (f", at most {most[name]:.1f} % off" if name in most else "")
        for name, value in values.items()
    )
    table.notes = [
        f"p50 against {first}'s, in milliseconds, and as multiples of the matrix product that bench times "
        f"beside the models (by product). {'; '.join(about)}. {report.BUSY}."
    ]
    return table, agree


if __name__ == "__main__":
    main()
