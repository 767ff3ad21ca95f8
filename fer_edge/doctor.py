"""What is installed, found and missing on this machine, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from fer_edge import __version__, machine
from fer_edge.errors import FerEdgeError
from fer_edge.model import interpreter, shipped
from fer_edge.sources import camera

HOT_C = 75.0  # a Raspberry Pi lowers its clock from 80 degrees on
OPENCV_FLAVOURS = tuple(
    f"opencv-{kind}" for kind in ("python", "python-headless", "contrib-python", "contrib-python-headless")
)
EXTRAS = {
    "train": ("tensorflow", "tf_keras", "tensorflow_model_optimization", "matplotlib"),
    "plot": ("matplotlib",),
    "demo": ("skimage",),
}
GPU_COUNTS = {
    "tensorflow": "import tensorflow as tf; print(len(tf.config.list_physical_devices('GPU')))",
    "jax": "import jax; print(sum(device.platform == 'gpu' for device in jax.devices()))",
    "torch": "import torch; print(torch.cuda.device_count())",
}
"""For each backend of Keras, a program that prints how many GPUs it would use."""


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
        _basics, _opencv, _interpreter, _models, _cameras, _display, _processor, _gpus, _extras,
    )  # fmt: skip
    return [finding for check in checks for finding in check()]


def opencv_flavours(installed: Callable[[str], str | None]) -> Finding:
    """Which OpenCV packages pip knows of; two at once overwrite each other's files."""
    found = [(name, version) for name in OPENCV_FLAVOURS if (version := installed(name))]
    text = ", ".join(f"{name} {version}" for name, version in found) or "no package of pip"
    if len(found) <= 1:
        return Finding("opencv package", Status.OK, text)
    names = " ".join(name for name, _ in found)
    advice = f"they overwrite each other: pip uninstall {names}, then install one of them again"
    return Finding("opencv package", Status.NOTE, text, advice)


def temperature_c(root: Path = Path("/sys/class/thermal")) -> float | None:
    """The hottest of the machine's sensors in degrees Celsius, None without any."""
    readings = []
    for file in root.glob("thermal_zone*/temp"):
        try:
            readings.append(int(file.read_text()) / 1000)
        except (OSError, ValueError):
            continue
    return max(readings, default=None)


def gpus_of(names: list[str], counts: dict[str, int], backend: str) -> Finding:
    """names: of the GPUs here. counts: how many of them each installed backend of Keras would use.

    backend: the one that `train` would run on as things are.
    """
    if not names:
        return Finding("gpu", Status.OK, "none found by nvidia-smi: training uses the processor")
    able = [name for name, count in counts.items() if count]
    text = f"{', '.join(names)}; used by {', '.join(able) or 'no backend of Keras'}"
    if backend in able:
        return Finding("gpu", Status.OK, text)
    if able:
        return Finding("gpu", Status.NOTE, text, f"KERAS_BACKEND={able[0]} fer-edge train ...")
    return Finding("gpu", Status.NOTE, text, "pip install 'fer-edge[gpu]'")


def version_of(package: str) -> str | None:
    """The installed version, None if the package is not installed."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return None


def _basics() -> Iterable[Finding]:
    yield Finding("fer-edge", Status.OK, __version__)
    yield Finding("python", Status.OK, f"{platform.python_version()} on {platform.machine()}")
    numpy = version_of("numpy")
    yield Finding("numpy", Status.OK if numpy else Status.MISSING, numpy or "absent")


def _opencv() -> Iterable[Finding]:
    yield opencv_flavours(version_of)
    try:
        from fer_edge.vision.faces import load_cascade
        from fer_edge.vision.opencv import cv2

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
        advice = "try fer-edge run --camera 0"
        yield Finding("cameras", Status.NOTE, "cannot be listed on this system", advice)
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
    text = f"{machine.cpu_name() or 'unknown'}, {machine.usable_cores()} cores"
    yield Finding("processor", Status.OK, text)
    degrees = temperature_c()
    if degrees is not None:
        hot = degrees >= HOT_C
        advice = "it will slow down: a heat sink or fan helps" if hot else ""
        yield Finding("temperature", Status.NOTE if hot else Status.OK, f"{degrees:.0f} °C", advice)


def _gpus() -> Iterable[Finding]:
    """Backends are asked in processes of their own: none is loaded here, and only where there is a GPU."""
    listed = _output("nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader")
    names = [line.strip() for line in listed.splitlines() if "," in line]
    counts = {}
    for backend, program in GPU_COUNTS.items() if names else ():
        if importlib.util.find_spec(backend):
            last = _output(sys.executable, "-P", "-c", program).strip().rpartition("\n")[2]
            counts[backend] = int(last) if last.isdigit() else 0
    yield gpus_of(names, counts, os.environ.get("KERAS_BACKEND", "tensorflow"))


def _output(*command: str) -> str:
    """Standard output; nothing where it fails or takes over two minutes."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout
    except (OSError, subprocess.SubprocessError):
        return ""


def _extras() -> Iterable[Finding]:
    for extra, modules in EXTRAS.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            advice = f"pip install 'fer-edge[{extra}]'"
            yield Finding(f"extra {extra}", Status.NOTE, f"without {', '.join(absent)}", advice)
        else:
            yield Finding(f"extra {extra}", Status.OK, "installed")
