"""What changed between two benchmarks beyond the noise, and whether it is a regression."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from fer_edge import console, files
from fer_edge.bench.latency import REFERENCE_LIMIT
from fer_edge.errors import DataError, GateError, UsageError
from fer_edge.tables import Table

ACCURACY_DROP = 0.005
"""Accuracy, macro-F1 or agreement that may be lost on the same pictures: half a point, as in conversion."""
MEMORY_NOISE_MIB = 1.0
FRACTIONS = ("accuracy", "macro_f1", "agreement")
_LARGEST = 1e15
_MACHINE = ("cpu", "board", "architecture", "usable_cores")
_SAME_PICTURES = ("sha256", "split", "n", "sample_seed")


class Change(NamedTuple):
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
        figures: list[Any] = list(_references(old).values())
        for row in old["results"]:
            hash(row["model"])
            figures += [row["threads"], row["bytes"], row["latency_ms"]["p50"]]
            optional = [row["latency_ms"].get(key) for key in ("p50_low", "p50_high")]
            optional += [row.get(key) for key in ("peak_rss_mib", *FRACTIONS)]
            figures += [figure for figure in optional if figure is not None]
        if not all(isinstance(figure, int | float) and abs(figure) < _LARGEST for figure in figures):
            raise TypeError("a figure that is no number")
        _ = dict(old.get("machine") or {}), dict((old.get("config") or {}).get("data") or {})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{path}: a result lacks model, threads, bytes or latency_ms.p50") from error
    return old


def same_machine(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether what both say of the machine is alike."""
    a, b = old.get("machine") or {}, new.get("machine") or {}
    return all(a[key] == b[key] for key in _MACHINE if key in a and key in b)


def same_speed(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether the reference took both about as long; an older file that has none is believed."""
    a, b = _references(old), _references(new)
    return all(max(a[n], b[n]) <= REFERENCE_LIMIT * min(a[n], b[n]) for n in a.keys() & b.keys())


def _references(side: dict[str, Any]) -> dict[str, float]:
    return {n: own["best_ms"] for n, own in (side.get("reference") or {}).items()}


def _same_pictures(old: dict[str, Any], new: dict[str, Any]) -> bool:
    a, b = ((side.get("config") or {}).get("data") or {} for side in (old, new))
    return bool(a and b) and all(a.get(key) == b.get(key) for key in _SAME_PICTURES)


def changes(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> list[Change]:
    """Every figure of the rows that both have (same model, same threads), in the new one's order.

    tolerance: the fraction by which time, size and memory may grow. Times (p50) count as changed only
    where those of the processes do not overlap, on the same machine at the same speed, and where neither was
    disturbed; accuracy, macro-F1 and agreement only on the same pictures.
    """
    before = {(row["model"], row["threads"]): row for row in old["results"]}
    left_out = set() if _same_pictures(old, new) else set(FRACTIONS)
    if not (same_machine(old, new) and same_speed(old, new)):
        left_out |= {"p50_ms"} if same_machine(old, new) else {"p50_ms", "peak_rss_mib"}
    found = []
    for b in new["results"]:
        a = before.get((b["model"], b["threads"]))
        if a is None:
            continue
        busy = {"p50_ms"} if a.get("disturbed") or b["disturbed"] else set()
        for figure in ("p50_ms", "bytes", "peak_rss_mib", *FRACTIONS):
            was, now = (row["latency_ms"]["p50"] if figure == "p50_ms" else row.get(figure) for row in (a, b))
            if was is None or now is None or figure in left_out | busy:
                continue
            if figure == "p50_ms":
                verdict = _time(a["latency_ms"], b["latency_ms"], tolerance)
            elif figure in FRACTIONS:
                verdict = _lost(was, now)
            else:
                verdict = _grown(was, now, MEMORY_NOISE_MIB if figure == "peak_rss_mib" else 0, tolerance)
            found.append(Change(b["model"], b["threads"], figure, was, now, verdict))
    return found


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


def show(old: dict[str, Any], new: dict[str, Any], tolerance: float) -> None:
    """Prints what changed. Raises GateError past the tolerance, UsageError if nothing can be compared."""
    found = changes(old, new, tolerance)
    if not found:
        raise UsageError("--compare: the older benchmark has none of these models with these thread counts")
    if not same_machine(old, new):
        console.warn("the older benchmark is of another machine: times and memory are not compared")
    elif not same_speed(old, new):
        console.warn("the machine itself was faster in one of the two: times are not compared")
    if any(row.get("disturbed") for row in (*old["results"], *new["results"])):
        console.warn("times of rows that were measured on a busy machine (*) are not compared")
    headers = ("model", "thr", "figure", "old", "new", "change %", "verdict")
    told = Table(
        "beyond the noise", headers, words=(headers[0], headers[2], headers[6]), optional=headers[3:5]
    )
    for one in found:
        if one.verdict != "same":
            told.add(*one[:3], f"{one.old:.4g}", f"{one.new:.4g}", f"{one.percent:+.1f}", one.verdict)
    if told.rows:
        told.show()
    console.say(f"{len(found)} figures compared, {len(told.rows)} changed beyond the noise")
    gate(found)


def gate(found: list[Change]) -> None:
    """Raises GateError that names the worst regression, if there is one."""
    bad = [change for change in found if change.verdict == "regression"]
    if bad:
        worst = max(bad, key=lambda change: abs(change.percent))
        raise GateError(
            f"{len(bad)} regression{'s' * (len(bad) > 1)}, the largest: {worst.model} on {worst.threads} "
            f"thread{'s' * (worst.threads > 1)}, {worst.figure} {worst.old:.4g} -> {worst.new:.4g} "
            f"({worst.percent:+.1f} %)"
        )
