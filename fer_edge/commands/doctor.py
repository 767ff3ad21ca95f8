"""`fer-edge doctor`: what is installed, found and missing here, and what to do about it."""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Callable, Iterator
from importlib.util import find_spec

from fer_edge import __version__, child, console, machine
from fer_edge.commands.options import Force, Json
from fer_edge.errors import FerEdgeError

EXTRAS = {
    "train": ("tensorflow", "tf_keras", "tensorflow_model_optimization", "matplotlib"),
    "plot": ("matplotlib",),
}
BACKENDS = ("tensorflow", "jax", "torch")
"""Of Keras."""
Finding = dict[str, str]


def doctor(json: Json = None, force: Force = False) -> None:
    """Say what is installed, found and missing here, and what to do about it."""
    found = list(examine())
    headers = ("", "status", "found", "what to do")
    console.Table("", headers, [list(one.values()) for one in found], words=headers).show()
    console.write_json(json, {"findings": found}, force)


def finding(what: str, found: str, advice: str = "", *, missing: bool = False) -> Finding:
    """A row of the table, ready for JSON. advice: what to do, empty where nothing is. missing: `run` cannot
    do without it. The status is ok, note (works, but worth knowing) or missing."""
    status = "missing" if missing else "note" if advice else "ok"
    return {"what": what, "status": status, "found": found, "advice": advice}


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a reader needs them. Raises nothing."""
    yield finding("fer-edge", __version__)
    yield finding("python", f"{platform.python_version()} on {platform.machine()}")
    yield opencv_packages(machine.version)
    for what, look in (("opencv", _opencv), ("interpreter", machine.interpreter), ("models", _models)):
        try:
            yield finding(what, look())
        except FerEdgeError as error:
            yield finding(what, "does not work", str(error), missing=True)
    yield _cameras()
    with contextlib.suppress(FerEdgeError):  # OpenCV itself is missing, and that was said
        from fer_edge.sinks.window import why_no_window

        reason = why_no_window()
        advice = "run works without one; use --save and --jsonl" if reason else ""
        yield finding("window", reason or "can be opened", advice)
    yield finding("processor", f"{machine.cpu_name() or 'unknown'}, {machine.usable_cores()} cores")
    names = machine.output(
        "nvidia-smi", "--query-gpu=name", "--format=csv,noheader", timeout_s=60
    ).splitlines()
    able = [backend for backend in BACKENDS if names and _trains_on_gpus(backend)]
    yield gpus_of(names, able, os.environ.get("KERAS_BACKEND", "tensorflow"))
    for extra, modules in EXTRAS.items():
        absent = ", ".join(name for name in modules if find_spec(name) is None)
        found = f"without {absent}" if absent else "installed"
        yield finding(f"extra {extra}", found, f"pip install 'fer-edge[{extra}]'" if absent else "")


def opencv_packages(installed: Callable[[str], str | None]) -> Finding:
    """Which OpenCV packages pip knows of; two at once overwrite each other's files."""
    found = {name: version for name in machine.OPENCV if (version := installed(name))}
    text = ", ".join(f"{name} {version}" for name, version in found.items()) or "no pip package"
    several = f"they overwrite each other: pip uninstall {' '.join(found)}, then reinstall one of them"
    return finding("opencv package", text, several if len(found) > 1 else "")


def gpus_of(names: list[str], able: list[str], backend: str) -> Finding:
    """names: of the GPUs here. able: the installed backends of Keras that would use one.

    backend: the one that `train` would run on as things are.
    """
    if not names:
        return finding("gpu", "none found by nvidia-smi: training uses the processor")
    other = f"KERAS_BACKEND={able[0]} fer-edge train ..." if able else "pip install 'fer-edge[gpu]'"
    used = ", ".join(able) or "no backend of Keras"
    return finding("gpu", f"{', '.join(names)}; used by {used}", "" if backend in able else other)


def _trains_on_gpus(backend: str) -> bool:
    """Asked in a process of its own: none of them is loaded here."""
    if find_spec("keras") is None or find_spec(backend) is None:
        return False
    with contextlib.suppress(FerEdgeError):
        return bool(child.run(_gpus, what=backend, timeout_s=120, environment={"KERAS_BACKEND": backend}))
    return False


def _gpus() -> list[str]:
    from fer_edge.training import device

    return device.gpus()


def _opencv() -> str:
    from fer_edge.vision.haar import load_cascade
    from fer_edge.vision.opencv import cv2

    load_cascade()
    return f"{cv2.__version__}, with the Haar cascade"


def _models() -> str:
    from fer_edge.model import shipped

    best = shipped.find_model(shipped.best_here())
    return f"{len(shipped.models())} files; run takes {best.stem}"


def _cameras() -> Finding:
    """Cameras that the system lists, and whether this user may open them."""
    from fer_edge.sources import camera

    devices = camera.cameras()
    if denied := ", ".join(str(device.path) for device in devices if not device.may_be_used()):
        return finding("cameras", f"no permission to use {denied}", camera.HOW_TO_GET_THE_RIGHT)
    advice = "" if devices else "try fer-edge run --camera 0; videos and pictures need none"
    return finding("cameras", ", ".join(map(str, devices)) or "none is listed", advice)
