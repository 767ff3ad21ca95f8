"""A benchmark as CSV."""

from __future__ import annotations

import csv
import io
from typing import Any

Row = dict[str, Any]


def as_csv(result: Row) -> str:
    """One line a row under a header, every figure of the JSON, nothing for what was not measured."""
    flat = [_flat(row) for row in result["results"]]
    out = io.StringIO()
    writer = csv.DictWriter(out, fieldnames=list(flat[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(flat)
    return out.getvalue()


def _flat(row: Row) -> Row:
    """latency_ms and parts_ms by their keys, intervals as low and high, without what is a list."""
    line: Row = {}
    for key, value in row.items():
        if key in {"latency_ms", "parts_ms"}:
            line.update({f"{key.removesuffix('ms')}{name}_ms": part for name, part in value.items()})
        elif key.endswith("_interval"):
            low, high = value or (None, None)
            line.update(
                {f"{key.removesuffix('interval')}low": low, f"{key.removesuffix('interval')}high": high}
            )
        elif key not in {"profile", "projections", "process_p50_ms"}:
            line[key] = value
    return line
