"""Cameras, display and processor of this machine, as `doctor` looks at them."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterable
from pathlib import Path

from fer_edge import machine
from fer_edge.errors import FerEdgeError
from fer_edge.findings import Finding, Status
from fer_edge.sources import camera

HOT_C = 75.0  # a Raspberry Pi lowers its clock from 80 degrees on


def temperature_c(root: Path = Path("/sys/class/thermal")) -> float | None:
    """The hottest of the machine's sensors in degrees Celsius, None without any."""
    readings = []
    for file in root.glob("thermal_zone*/temp"):
        try:
            readings.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(readings, default=None)


def cameras() -> Iterable[Finding]:
    """Cameras that the system lists, and whether this user may open them."""
    devices = camera.cameras()
    denied = [str(device.path) for device in devices if not device.may_be_used()]
    if denied:
        said = f"no right to use {', '.join(denied)}"
        yield Finding("cameras", Status.NOTE, said, camera.HOW_TO_GET_THE_RIGHT)
    elif devices:
        yield Finding("cameras", Status.OK, ", ".join(map(str, devices)))
    elif sys.platform.startswith("linux"):
        advice = "plug one in; videos and pictures work without"
        yield Finding("cameras", Status.NOTE, "no /dev/video* gives pictures", advice)
    else:
        yield Finding(
            "cameras", Status.NOTE, "cannot be listed on this system", "try fer-edge run --camera 0"
        )
    if importlib.util.find_spec("picamera2"):
        yield Finding("pi camera", Status.OK, "picamera2 is there: --camera pi")


def display() -> Iterable[Finding]:
    """Whether a window can be opened."""
    try:
        from fer_edge.sinks.window import why_no_window
    except FerEdgeError:
        return  # OpenCV itself is missing, and that was said
    reason = why_no_window()
    if reason is None:
        yield Finding("window", Status.OK, "can be opened")
    else:
        yield Finding("window", Status.NOTE, reason, "run goes on without one; --save and --jsonl still work")


def processor() -> Iterable[Finding]:
    """Processor, cores, and how hot it is."""
    yield Finding(
        "processor", Status.OK, f"{machine.cpu_name() or 'unknown'}, {machine.usable_cores()} cores"
    )
    degrees = temperature_c()
    if degrees is not None:
        hot = degrees >= HOT_C
        advice = "it will slow down: a heat sink or fan helps" if hot else ""
        yield Finding("temperature", Status.NOTE if hot else Status.OK, f"{degrees:.0f} °C", advice)
