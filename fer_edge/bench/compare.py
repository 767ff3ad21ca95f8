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
            _ = row["model"], row["threads"], row["bytes"], row["latency_ms"]["p50"]
            _check_figures(row)
        _number((old.get("reference") or {}).get("best_ms"))
        _ = dict(old.get("machine") or {}), dict((old.get("config") or {}).get("data") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: a result lacks model, threads, bytes or latency_ms.p50") from error
    return old


def _check_figures(row: dict[str, Any]) -> None:
    """Raises TypeError where a figure that is compared is there and no number."""
    times = [row["latency_ms"][key] for key in ("p50", "p50_low", "p50_high") if key in row["latency_ms"]]
    others = [row.get(key) for key in ("peak_rss_mib", "accuracy", "macro_f1", "agreement")]
    for figure in (*times, row["bytes"], row["threads"]):
        if figure is None:
            raise TypeError("a figure that is absent")
        _number(figure)
    for other in others:
        _number(other)
    hash(row["model"])


def _number(figure: Any) -> None:
    if figure is not None and (not isinstance(figure, int | float) or not abs(figure) < _LARGEST):
        raise TypeError("a figure that is no number")


def same_machine(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the times of both may be compared: what both say of the machine is alike."""
    a, b = old.get("machine") or {}, new.get("machine") or {}
    return all(a.get(key) == b.get(key) for key in _MACHINE if key in a and key in b)


def same_speed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the reference took both about as long; an older file that has none is believed."""
    a, b = ((side.get("reference") or {}).get("best_ms") for side in (old, new))
    return not a or not b or max(a, b) <= REFERENCE_LIMIT * min(a, b)


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
        if on_time and not disturbed(a, b):
            found.append(_time(a, b, tolerance))
        found.append(_grown(a, b, "bytes", 0, tolerance))
        if on_machine and a.get("peak_rss_mib") and b.get("peak_rss_mib"):
            found.append(_grown(a, b, "peak_rss_mib", MEMORY_NOISE_MIB, tolerance))
        for figure in ("accuracy", "macro_f1", "agreement") if on_pictures else ():
            if a.get(figure) is not None and b.get(figure) is not None:
                found.append(_lost(a, b, figure))
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


def _time(a: dict[str, Any], b: dict[str, Any], tolerance: float) -> Change:
    old, new = a["latency_ms"], b["latency_ms"]
    slower = new.get("p50_low", new["p50"]) > old.get("p50_high", old["p50"])
    faster = new.get("p50_high", new["p50"]) < old.get("p50_low", old["p50"])
    verdict = "better" if faster else "same"
    if slower:
        verdict = "regression" if new["p50"] > old["p50"] * (1 + tolerance) else "worse"
    return Change(b["model"], b["threads"], "p50_ms", old["p50"], new["p50"], verdict)


def _grown(a: dict[str, Any], b: dict[str, Any], figure: str, noise: float, tolerance: float) -> Change:
    old, new = a[figure], b[figure]
    verdict = "same" if abs(new - old) <= noise else "better" if new < old else "worse"
    if verdict == "worse" and new > old * (1 + tolerance):
        verdict = "regression"
    return Change(b["model"], b["threads"], figure, old, new, verdict)


def _lost(a: dict[str, Any], b: dict[str, Any], figure: str) -> Change:
    old, new = a[figure], b[figure]
    verdict = "same" if new == old else "better" if new > old else "worse"
    if old - new > ACCURACY_DROP:
        verdict = "regression"
    return Change(b["model"], b["threads"], figure, old, new, verdict)


def _same_pictures(old: dict[str, Any], new: dict[str, Any]) -> bool:
    a, b = ((side.get("config") or {}).get("data") or {} for side in (old, new))
    return bool(a and b) and all(a.get(key) == b.get(key) for key in _SAME_PICTURES)
