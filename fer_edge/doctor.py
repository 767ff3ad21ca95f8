"""What is installed, found and missing on this machine, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fer_edge import __version__, interpreter, machine, shipped
from fer_edge.errors import FerEdgeError

OPENCV_FLAVOURS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
EXTRAS = {
    "train": ("tensorflow", "tf_keras", "tensorflow_model_optimization", "matplotlib", "sklearn"),
    "plot": ("matplotlib",),
    "demo": ("skimage",),
}
HOT_C = 75.0  # a Raspberry Pi lowers its clock from 80 degrees on


class Status(StrEnum):
    """ok; note: works, but worth knowing; missing: something that `run` needs is not there."""

    OK = "ok"
    NOTE = "note"
    MISSING = "missing"


@dataclass(frozen=True)
class Finding:
    """One line of the table. advice: what to do, empty where nothing is."""

    what: str
    status: Status
    found: str
    advice: str = ""


def examine() -> list[Finding]:
    """Every finding, in the order in which a reader needs them. Raises nothing."""
    checks: tuple[Callable[[], Iterable[Finding]], ...] = (
        _basics,
        _opencv,
        _interpreter,
        _models,
        _cameras,
        _display,
        _processor,
        _extras,
    )
    return [finding for check in checks for finding in check()]


def opencv_flavours(installed: Callable[[str], str | None]) -> Finding:
    """Which OpenCV packages pip knows of; two at once overwrite each other's files."""
    found = [(name, version) for name in OPENCV_FLAVOURS if (version := installed(name))]
    text = ", ".join(f"{name} {version}" for name, version in found) or "no package of pip"
    if len(found) > 1:
        names = " ".join(name for name, _ in found)
        return Finding(
            "opencv package",
            Status.NOTE,
            text,
            f"they overwrite each other: pip uninstall {names}, then install one of them again",
        )
    return Finding("opencv package", Status.OK, text)


def version_of(package: str) -> str | None:
    """The installed version, None if the package is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def temperature_c(root: Path = Path("/sys/class/thermal")) -> float | None:
    """The hottest of the machine's sensors in degrees Celsius, None without any."""
    readings = []
    for file in root.glob("thermal_zone*/temp"):
        try:
            readings.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(readings, default=None)


def _basics() -> Iterable[Finding]:
    yield Finding("fer-edge", Status.OK, __version__)
    yield Finding("python", Status.OK, f"{platform.python_version()} on {platform.machine()}")
    numpy = version_of("numpy")
    yield Finding("numpy", Status.OK if numpy else Status.MISSING, numpy or "absent")


def _opencv() -> Iterable[Finding]:
    yield opencv_flavours(version_of)
    try:
        from fer_edge.detector import load_cascade
        from fer_edge.opencv import cv2

        load_cascade()
    except FerEdgeError as error:
        yield Finding("opencv", Status.MISSING, "does not work", str(error))
    else:
        yield Finding("opencv", Status.OK, f"{cv2.__version__}, with the Haar cascade")


def _interpreter() -> Iterable[Finding]:
    try:
        name, _ = interpreter.find()
    except FerEdgeError as error:
        yield Finding("interpreter", Status.MISSING, "none", str(error))
    else:
        yield Finding("interpreter", Status.OK, f"{name} {version_of(name.replace('_', '-')) or ''}".strip())


def _models() -> Iterable[Finding]:
    names = [path.stem for path in shipped.models()]
    if shipped.DEFAULT_MODEL in names:
        yield Finding("models", Status.OK, ", ".join(names))
    else:
        advice = f"{shipped.DEFAULT_MODEL} does not ship with this installation: give run --model FILE"
        yield Finding("models", Status.NOTE, ", ".join(names) or "none", advice)


def _cameras() -> Iterable[Finding]:
    devices = sorted(Path("/dev").glob("video*"))
    denied = [str(device) for device in devices if not os.access(device, os.R_OK | os.W_OK)]
    if denied:
        advice = "sudo usermod -aG video $USER, then log in again"
        yield Finding("cameras", Status.NOTE, f"no right to use {', '.join(denied)}", advice)
    elif devices:
        yield Finding("cameras", Status.OK, ", ".join(map(str, devices)))
    elif sys.platform.startswith("linux"):
        yield Finding(
            "cameras", Status.NOTE, "no /dev/video*", "plug one in; videos and pictures work without"
        )
    else:
        yield Finding(
            "cameras", Status.NOTE, "cannot be listed on this system", "try fer-edge run --camera 0"
        )
    if importlib.util.find_spec("picamera2"):
        yield Finding("pi camera", Status.OK, "picamera2 is there: --camera pi")


def _display() -> Iterable[Finding]:
    try:
        from fer_edge.sinks.window import why_no_window
    except FerEdgeError:
        return  # OpenCV itself is missing, and that was said
    reason = why_no_window()
    if reason is None:
        yield Finding("window", Status.OK, "can be opened")
    else:
        yield Finding("window", Status.NOTE, reason, "run goes on without one; --save and --jsonl still work")


def _processor() -> Iterable[Finding]:
    yield Finding(
        "processor", Status.OK, f"{machine.cpu_name() or 'unknown'}, {machine.usable_cores()} cores"
    )
    degrees = temperature_c()
    if degrees is not None:
        hot = degrees >= HOT_C
        advice = "it will slow down: a heat sink or fan helps" if hot else ""
        yield Finding("temperature", Status.NOTE if hot else Status.OK, f"{degrees:.0f} °C", advice)


def _extras() -> Iterable[Finding]:
    for extra, modules in EXTRAS.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            advice = f"pip install 'fer-edge[{extra}]'"
            yield Finding(f"extra {extra}", Status.NOTE, f"without {', '.join(absent)}", advice)
        else:
            yield Finding(f"extra {extra}", Status.OK, "installed")
