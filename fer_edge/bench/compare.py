"""What changed between two benchmarks beyond the noise, and whether it is a regression."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.bench.latency import REFERENCE_LIMIT
from fer_edge.errors import DataError, GateError

ACCURACY_DROP = 0.005
"""Accuracy, macro-F1 or agreement that may be lost on the same pictures: half a point, as in conversion."""
MEMORY_NOISE_MIB = 1.0
_LARGEST = 1e15
_MACHINE = ("cpu", "board", "architecture", "usable_cores")
_OPTIONAL = ("peak_rss_mib", "accuracy", "macro_f1", "agreement")
_SAME_PICTURES = ("sha256", "split", "n", "sample_seed")


@dataclass(frozen=True)
class Change:
    """One figure of one row, old and new. verdict: `same`, `better`, `worse` or `regression`."""

    model: str
    threads: int
    figure: str
    old: float
    new: float
    verdict: str

    @property
    def percent(self) -> float:
        """Relative change in percent; 0 where the old value was 0."""
        return 100 * (self.new / self.old - 1) if self.old else 0.0


def read(path: Path) -> dict[str, Any]:
    """A file that `bench --json` wrote. Raises DataError, in a line, for anything else."""
    try:
        old = files.parse_json(path.read_bytes())
    except OSError as error:
        raise DataError(f"cannot compare with {path}: {error.strerror or error}") from error
    except ValueError as error:
        raise DataError(f"cannot compare with {path}: it is not JSON ({error})") from error
    if not isinstance(old, dict) or old.get("schema") != 1 or not isinstance(old.get("results"), list):
        raise DataError(f"{path} is no benchmark of schema 1: it must come from fer-edge bench --json")
    try:
        for row in old["results"]:
            hash(row["model"])
            times = row["latency_ms"]
            optional = [times.get("p50_low"), times.get("p50_high"), *map(row.get, _OPTIONAL)]
            _numbers(
                row["threads"], row["bytes"], times["p50"], *(one for one in optional if one is not None)
            )
        _numbers(*_references(old).values())
        _ = dict(old.get("machine") or {}), dict((old.get("config") or {}).get("data") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: a result lacks model, threads, bytes or latency_ms.p50") from error
    return old


def _numbers(*figures: Any) -> None:
    for figure in figures:
        if not isinstance(figure, int | float) or not abs(figure) < _LARGEST:
            raise TypeError("a figure that is no number")


def same_machine(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the times of both may be compared: what both say of the machine is alike."""
    a, b = old.get("machine") or {}, new.get("machine") or {}
    return all(a.get(key) == b.get(key) for key in _MACHINE if key in a and key in b)


def same_speed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the reference took both about as long; an older file that has none is believed."""
    a, b = _references(old), _references(new)
    return all(max(a[n], b[n]) <= REFERENCE_LIMIT * min(a[n], b[n]) for n in a.keys() & b.keys())


def _references(side: dict[str, Any]) -> dict[str, float]:
    return {n: own["best_ms"] for n, own in (side.get("reference") or {}).items()}


def disturbed(*rows: dict[str, Any]) -> bool:
    """Whether one of these rows was measured while other processes were at work."""
    return any(bool(row.get("disturbed")) for row in rows)


def changes(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> list[Change]:
    """Every figure of the rows that both have (same model, same threads), in the new one's order.

    tolerance: the fraction by which time, size and memory may grow. Times (p50) count as changed only
    where the two 95 % intervals do not overlap, only on the same machine at the same speed, and only where
    neither was disturbed; accuracy, macro-F1 and agreement only on the same pictures, where half a point may
    be lost.
    """
    before = {(row["model"], row["threads"]): row for row in old["results"]}
    pairs = [
        (before[row["model"], row["threads"]], row)
        for row in new["results"]
        if (row["model"], row["threads"]) in before
    ]
    on_machine, on_pictures = same_machine(old, new), _same_pictures(old, new)
    on_time = on_machine and same_speed(old, new)
    found = []
    for a, b in pairs:
        verdicts = {}
        if on_time and not disturbed(a, b):
            verdicts["p50_ms"] = _time(a["latency_ms"], b["latency_ms"], tolerance)
        verdicts["bytes"] = _grown(a["bytes"], b["bytes"], 0, tolerance)
        if on_machine and a.get("peak_rss_mib") and b.get("peak_rss_mib"):
            verdicts["peak_rss_mib"] = _grown(
                a["peak_rss_mib"], b["peak_rss_mib"], MEMORY_NOISE_MIB, tolerance
            )
        for figure in ("accuracy", "macro_f1", "agreement") if on_pictures else ():
            if a.get(figure) is not None and b.get(figure) is not None:
                verdicts[figure] = _lost(a[figure], b[figure])
        for figure, verdict in verdicts.items():
            was, now = ({**row, "p50_ms": row["latency_ms"]["p50"]}[figure] for row in (a, b))
            found.append(Change(b["model"], b["threads"], figure, was, now, verdict))
    return found


def gate(found: list[Change]) -> None:
    """Raises GateError that names the worst regression, if there is one."""
    bad = [change for change in found if change.verdict == "regression"]
    if bad:
        worst = max(bad, key=lambda change: abs(change.percent))
        count = f"{len(bad)} regression{'s' if len(bad) > 1 else ''}"
        where = f"{worst.model} on {worst.threads} thread{'s' if worst.threads > 1 else ''}"
        raise GateError(
            f"{count}, the largest: {where}, {worst.figure} {worst.old:.4g} -> {worst.new:.4g} "
            f"({worst.percent:+.1f} %)"
        )


def _time(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> str:
    if new.get("p50_low", new["p50"]) > old.get("p50_high", old["p50"]):
        return "regression" if new["p50"] > old["p50"] * (1 + tolerance) else "worse"
    return "better" if new.get("p50_high", new["p50"]) < old.get("p50_low", old["p50"]) else "same"


def _grown(old: float, new: float, noise: float, tolerance: float) -> str:
    if abs(new - old) <= noise:
        return "same"
    return "better" if new < old else "regression" if new > old * (1 + tolerance) else "worse"


def _lost(old: float, new: float) -> str:
    if new >= old:
        return "same" if new == old else "better"
    return "regression" if old - new > ACCURACY_DROP else "worse"


def _same_pictures(old: dict[str, Any], new: dict[str, Any]) -> bool:
    a, b = ((side.get("config") or {}).get("data") or {} for side in (old, new))
    return bool(a and b) and all(a.get(key) == b.get(key) for key in _SAME_PICTURES)
