"""Describes machine and software, and detects whether other processes were busy. Imports nothing heavy."""

import contextlib
import datetime
import math
import os
import platform
import resource
import subprocess
import time
from pathlib import Path
from typing import Any, Self

from fer_edge import __version__
from fer_edge.errors import FerEdgeError

OPENCV = tuple(f"opencv-{kind}python{end}" for kind in ("", "contrib-") for end in ("", "-headless"))
"""Pip packages that contain `cv2`."""

OTHERS_LIMIT, OTHERS_CORES = 0.1, 0.5
"""Above this share of the machine's cores, and above this many cores, other processes were busy."""
_LEAST_S = 0.3  # the system counts CPU time in steps of 10 ms


def describe() -> dict[str, Any]:
    """Plain types, ready for JSON; null for what this system does not report. Memory in MiB."""
    memory_mib, runtime = _mib("/proc/meminfo", "MemTotal"), None
    with contextlib.suppress(FerEdgeError):
        runtime = interpreter()
    return {
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "cpu": cpu_name(),
        "board": _read("/proc/device-tree/model"),
        "architecture": platform.machine(),
        "cores": os.cpu_count(),
        "usable_cores": usable_cores(),
        "memory_mib": memory_mib and round(memory_mib),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": f"numpy {version('numpy')}",
        "opencv": next((f"{name} {found}" for name in OPENCV if (found := version(name))), None),
        "interpreter": runtime,
        "fer_edge": __version__,
        "commit": _commit(),
    }


def cpu_name() -> str | None:
    return _field("/proc/cpuinfo", "model name", "Hardware", "Model") or platform.processor() or None


def usable_cores() -> int:
    """Cores that this process may run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def version(package: str) -> str | None:
    """The installed version, None if the package is not installed."""
    import importlib.metadata  # heavy, and the live page imports this module only for the memory

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def interpreter() -> str:
    """Package and version of the interpreter that is used here. Raises FerEdgeError if there is none."""
    from fer_edge.model.classifier import find_interpreter

    package = find_interpreter()[0].replace("_", "-")
    return f"{package} {version(package) or ''}".strip()


def _commit() -> str | None:
    """The commit of this package's checkout; with `-dirty` if files were changed."""
    root = Path(__file__).resolve().parent.parent
    where = (f"--git-dir={root / '.git'}", f"--work-tree={root}")
    return output("git", *where, "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*") or None


def address_space_mib() -> int:
    """Address space to load numpy, OpenCV and an interpreter: 375 measured with one core, 550 with two, since
    numpy and OpenCV each have an OpenBLAS that reserves memory for every core."""
    threads = os.environ.get("OPENBLAS_NUM_THREADS", "")
    return 256 + 192 * (int(threads) if threads.isdecimal() else usable_cores())


def require_address_space() -> None:
    """Raises FerEdgeError if `ulimit -v` allows less: libraries would crash."""
    limit, needed = resource.getrlimit(resource.RLIMIT_AS)[0], address_space_mib()
    if limit != resource.RLIM_INFINITY and limit < needed << 20:
        raise FerEdgeError(
            f"memory is limited to {limit >> 20} MiB (ulimit -v), and {needed} MiB are needed here: "
            "raise the limit, or set OPENBLAS_NUM_THREADS=1"
        )


def peak_rss_mib() -> float | None:
    """Peak resident memory of this process, None if unknown; ru_maxrss would begin with its parent's size."""
    return _mib("/proc/self/status", "VmHWM")


def rss_mib() -> float | None:
    """Current resident memory of this process, None if unknown."""
    return _mib("/proc/self/status", "VmRSS")


class Watch:
    """Measures how busy other processes are during a block (`with`).

    That is the machine's CPU time minus that of this process and of the children it waited for. Set at the
    end of the block: elapsed_s, wall time; others_share, 0..1 of all cores, None if unknown or if the block
    was too short; disturbed, whether that is much.
    """

    def __enter__(self) -> Self:
        self._began = _clocks()
        return self

    def __exit__(self, *_: object) -> None:
        self.elapsed_s, others_s = (e - b for b, e in zip(self._began, _clocks(), strict=True))
        cores = os.cpu_count() or 1
        known = self.elapsed_s >= _LEAST_S and not math.isnan(others_s)
        self.others_share = max(0.0, others_s) / (self.elapsed_s * cores) if known else None
        self.disturbed = (self.others_share or 0.0) > min(OTHERS_LIMIT, OTHERS_CORES / cores)


def _clocks() -> tuple[float, float]:
    """Seconds: wall time, and the others' CPU time, stolen time included; NaN without /proc/stat."""
    ticks, busy_s = (_read("/proc/stat") or "cpu").split("\n", 1)[0].split()[1:], math.nan
    if len(ticks) >= 8:
        user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, ticks[:8])
        busy_s = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), busy_s - sum(os.times()[:4])


def output(*command: str, timeout_s: float = 5.0) -> str:
    """A program's output, stripped; empty if it fails or takes longer."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout_s, check=True)
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout.strip()


def _mib(path: str, key: str) -> float | None:
    told = _field(path, key)
    return None if told is None else int(told.split()[0]) / 1024


def _field(path: str, *keys: str) -> str | None:
    """The first value with one of the keys in a file of `key: value` lines."""
    for line in (_read(path) or "").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in keys and value.strip():
            return value.strip()
    return None


def _read(path: str) -> str | None:
    try:
        return Path(path).read_text(errors="replace").strip("\0\n ") or None
    except OSError:
        return None
