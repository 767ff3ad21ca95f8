"""`fer-edge doctor`: what is installed, found and missing here, and what to do about it."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from fer_edge import __version__, console, machine
from fer_edge.commands.options import Force, Json
from fer_edge.errors import FerEdgeError

HOT_C = 75.0  # a Raspberry Pi lowers its clock from 80 degrees on
OPENCV_FLAVOURS = tuple(f"opencv-{kind}python{end}" for kind in ("", "contrib-") for end in ("", "-headless"))
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


def doctor(json: Json = None, force: Force = False) -> None:
    """Say what is installed, found and missing here, and what to do about it."""
    found = [finding.as_dict() for finding in examine()]
    headers = ("", "status", "found", "what to do")
    if console.console().is_terminal:
        console.Table("", headers, [list(one.values()) for one in found], words=headers).show()
    else:
        for one in found:
            console.say(": ".join(filter(None, one.values())))
    console.write_json(json, {"findings": found}, force)


class Finding(NamedTuple):
    """One line of the table. advice: what to do, empty where nothing is. missing: `run` cannot do without."""

    what: str
    found: str
    advice: str = ""
    missing: bool = False

    @property
    def status(self) -> str:
        """ok; note: works, but worth knowing; missing."""
        return "missing" if self.missing else "note" if self.advice else "ok"

    def as_dict(self) -> dict[str, str]:
        """In the order of the table's columns."""
        return {"what": self.what, "status": self.status, "found": self.found, "advice": self.advice}


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a reader needs them. Raises nothing."""
    yield Finding("fer-edge", __version__)
    yield Finding("python", f"{platform.python_version()} on {platform.machine()}")
    numpy = machine.version("numpy")
    yield Finding("numpy", numpy or "absent", missing=numpy is None)
    yield opencv_flavours(machine.version)
    yield _tried("opencv", "does not work", _opencv)
    yield _tried("interpreter", "none", _interpreter)
    from fer_edge.model import shipped  # loads numpy, which this command line can do without

    names, best = [path.stem for path in shipped.models()], shipped.best_here()
    advice = "" if best in names else f"{best} does not ship here: give run --model FILE"
    yield Finding("models", ", ".join(names) or "none", advice)
    yield from _cameras()
    yield from _display()
    yield Finding("processor", f"{machine.cpu_name() or 'unknown'}, {machine.usable_cores()} cores")
    if (degrees := temperature_c()) is not None:
        advice = "it will slow down: a heat sink or fan helps" if degrees >= HOT_C else ""
        yield Finding("temperature", f"{degrees:.0f} °C", advice)
    yield _gpus()
    for extra, modules in EXTRAS.items():
        absent = ", ".join(name for name in modules if importlib.util.find_spec(name) is None)
        found = f"without {absent}" if absent else "installed"
        yield Finding(f"extra {extra}", found, f"pip install 'fer-edge[{extra}]'" if absent else "")


def opencv_flavours(installed: Callable[[str], str | None]) -> Finding:
    """Which OpenCV packages pip knows of; two at once overwrite each other's files."""
    found = [(name, version) for name in OPENCV_FLAVOURS if (version := installed(name))]
    text = ", ".join(f"{name} {version}" for name, version in found) or "no package of pip"
    names = " ".join(name for name, _ in found)
    several = f"they overwrite each other: pip uninstall {names}, then install one of them again"
    return Finding("opencv package", text, several if len(found) > 1 else "")


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
        return Finding("gpu", "none found by nvidia-smi: training uses the processor")
    able = [name for name, count in counts.items() if count]
    other = f"KERAS_BACKEND={able[0]} fer-edge train ..." if able else "pip install 'fer-edge[gpu]'"
    used = ", ".join(able) or "no backend of Keras"
    return Finding("gpu", f"{', '.join(names)}; used by {used}", "" if backend in able else other)


def _tried(what: str, otherwise: str, look: Callable[[], str]) -> Finding:
    try:
        return Finding(what, look())
    except FerEdgeError as error:
        return Finding(what, otherwise, str(error), missing=True)


def _opencv() -> str:
    from fer_edge.vision.haar import load_cascade
    from fer_edge.vision.opencv import cv2

    load_cascade()
    return f"{cv2.__version__}, with the Haar cascade"


def _interpreter() -> str:
    from fer_edge.model.classifier import find_interpreter

    name, _ = find_interpreter()
    return f"{name} {machine.version(name.replace('_', '-')) or ''}".strip()


def _cameras() -> Iterator[Finding]:
    """Cameras that the system lists, and whether this user may open them."""
    from fer_edge.sources import camera

    devices = camera.cameras()
    denied = ", ".join(str(device.path) for device in devices if not device.may_be_used())
    if denied:
        yield Finding("cameras", f"no right to use {denied}", camera.HOW_TO_GET_THE_RIGHT)
    elif devices or sys.platform.startswith("linux"):
        found = ", ".join(map(str, devices)) or "no /dev/video* gives pictures"
        yield Finding("cameras", found, "" if devices else "plug one in; videos and pictures work without")
    else:
        yield Finding("cameras", "cannot be listed on this system", "try fer-edge run --camera 0")
    if importlib.util.find_spec("picamera2"):
        yield Finding("pi camera", "picamera2 is there: --camera pi")


def _display() -> Iterator[Finding]:
    try:
        from fer_edge.sinks.window import why_no_window
    except FerEdgeError:
        return  # OpenCV itself is missing, and that was said
    reason = why_no_window()
    advice = "run goes on without one; --save and --jsonl still work" if reason else ""
    yield Finding("window", reason or "can be opened", advice)


def _gpus() -> Finding:
    """Backends are asked in processes of their own: none is loaded here, and only where there is a GPU."""
    asked = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    names = machine.output(*asked, timeout_s=60).splitlines()
    counts = {}
    for backend, program in GPU_COUNTS.items() if names else ():
        if importlib.util.find_spec(backend):
            said = machine.output(sys.executable, "-P", "-c", program, timeout_s=120)
            last = said.rpartition("\n")[2]
            counts[backend] = int(last) if last.isdigit() else 0
    return gpus_of(names, counts, os.environ.get("KERAS_BACKEND", "tensorflow"))
