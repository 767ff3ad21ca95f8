"""Energy of an inference, where the machine has a meter that can be read; else why it is unknown.

Meters: RAPL, the counters of Intel's and AMD's processors, and boards' power sensors under hwmon.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SECONDS = 1.0
"""How long the idle machine, and then each row, is watched."""
_SAMPLE_S = 0.02


@dataclass(frozen=True)
class Meter:
    """name: what it measures. microjoules: a counter's files, added up. microwatts: a sensor's files.

    wraps: where each counter begins again at 0, in microjoules.
    """

    name: str
    microjoules: tuple[Path, ...] = ()
    microwatts: tuple[Path, ...] = ()
    wraps: tuple[int, ...] = ()


def find(sys_class: Path = Path("/sys/class")) -> Meter | str:
    """The meter of this machine, or a line that says why there is none to read."""
    zones = sorted((sys_class / "powercap").glob("intel-rapl:[0-9]*/energy_uj"))
    packages = tuple(path for path in zones if path.parent.name.count(":") == 1)
    if packages and all(_number(path) is not None for path in packages):
        wraps = tuple(_number(path.with_name("max_energy_range_uj")) or 0 for path in packages)
        return Meter("the processor's packages (RAPL)", packages, (), wraps)
    sensors = tuple(sorted((sys_class / "hwmon").glob("hwmon*/power*_input")))
    sensors = tuple(path for path in sensors if _number(path) is not None)
    if sensors:
        return Meter("the board's power sensors (hwmon)", (), sensors)
    if packages:
        return f"not readable here: only root may read {packages[0]}"
    return f"not readable here: neither {sys_class}/powercap nor {sys_class}/hwmon has a meter"


def measure(
    meter: Meter, work: Callable[[], object], seconds: float = SECONDS, idle_w: float = 0.0
) -> tuple[float, float]:
    """Watts of the whole meter while `work` is repeated, and millijoules of one call above `idle_w`."""
    calls = 0
    joules, elapsed = 0.0, 0.0
    while elapsed < seconds:
        before, start = _read(meter), time.perf_counter()
        while time.perf_counter() - start < _SAMPLE_S:
            work()
            calls += 1
        took = time.perf_counter() - start
        joules += _joules(meter, before, _read(meter), took)
        elapsed += took
    watts = joules / elapsed
    return watts, max(0.0, watts - idle_w) * elapsed / calls * 1e3


def idle_watts(meter: Meter, seconds: float = SECONDS) -> float:
    """Watts of the meter while this process sleeps."""
    return measure(meter, lambda: time.sleep(_SAMPLE_S), seconds)[0]


def described(meter: Meter | str, idle_w: float | None) -> dict[str, Any]:
    """For the benchmark's JSON: `meter` (None without one), `idle_w`, `reason` (None with one)."""
    if isinstance(meter, str):
        return {"meter": None, "idle_w": None, "reason": meter}
    return {"meter": meter.name, "idle_w": idle_w, "reason": None}


def _read(meter: Meter) -> tuple[int, ...]:
    return tuple(_number(path) or 0 for path in meter.microjoules + meter.microwatts)


def _joules(meter: Meter, before: tuple[int, ...], after: tuple[int, ...], took_s: float) -> float:
    if meter.microwatts:  # the mean of both ends, over the time
        return (sum(before) + sum(after)) / 2 * took_s / 1e6
    steps = zip(before, after, meter.wraps, strict=True)
    return sum((b - a) if b >= a else (b + wrap - a) for a, b, wrap in steps) / 1e6


def _number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):
        return None
