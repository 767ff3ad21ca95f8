"""`fer-edge doctor`: what is installed, found and missing here, and what to do about it."""

import contextlib
import os
import platform
from collections.abc import Iterator
from importlib.util import find_spec

from fer_edge import __version__, child, console, machine
from fer_edge.commands.options import Force, Json
from fer_edge.errors import FerEdgeError

EXTRAS = {
    "train": ("tensorflow", "tf_keras", "tensorflow_model_optimization", "matplotlib"),
    "plot": ("matplotlib",),
}
Finding = dict[str, str]


def doctor(json: Json = None, force: Force = False) -> None:
    """Say what is installed, found and missing here, and what to do about it."""
    found = list(examine())
    headers = ("", "status", "found", "what to do")
    console.Table("", headers, [list(one.values()) for one in found], words=headers).show()
    console.write_json(json, {"findings": found}, force)


def finding(what: str, found: str, advice: str = "", *, missing: bool = False) -> Finding:
    """A row of the table. missing: `run` cannot do without it. note: it works, and there is advice."""
    status = "missing" if missing else "note" if advice else "ok"
    return {"what": what, "status": status, "found": found, "advice": advice}


def examine() -> Iterator[Finding]:
    """Every finding, in the order in which a reader needs them. Raises nothing."""
    yield finding("fer-edge", __version__)
    yield finding("python", f"{platform.python_version()} on {platform.machine()}")
    packages = {name: version for name in machine.OPENCV if (version := machine.version(name))}
    several = f"they overwrite each other: pip uninstall {' '.join(packages)}, then reinstall one of them"
    text = ", ".join(f"{name} {version}" for name, version in packages.items()) or "no pip package"
    yield finding("opencv package", text, several if len(packages) > 1 else "")
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
    yield gpus()
    for extra, modules in EXTRAS.items():
        absent = ", ".join(name for name in modules if find_spec(name) is None)
        found = f"without {absent}" if absent else "installed"
        yield finding(f"extra {extra}", found, f"pip install 'fer-edge[{extra}]'" if absent else "")


def _opencv() -> str:
    from fer_edge.vision.haar import load_cascade
    from fer_edge.vision.opencv import cv2

    load_cascade()
    return f"{cv2.__version__}, with the Haar cascade"


def _models() -> str:
    from fer_edge.model import shipped

    return f"{len(shipped.models())} files; run takes {shipped.find_model(shipped.best_here()).stem}"


def _cameras() -> Finding:
    """Cameras that the system lists, and whether this user may open them."""
    from fer_edge.sources import camera

    devices = camera.cameras()
    closed = [str(device.path) for device in devices if not os.access(device.path, os.R_OK | os.W_OK)]
    if denied := ", ".join(closed):
        return finding("cameras", f"no permission to use {denied}", camera.HOW_TO_GET_THE_RIGHT)
    advice = "" if devices else "try fer-edge run --camera 0; videos and pictures need none"
    return finding("cameras", ", ".join(map(str, devices)) or "none is listed", advice)


def gpus() -> Finding:
    """The GPUs here, and which of Keras' backends would train on them."""
    asked = ("nvidia-smi", "--query-gpu=name", "--format=csv,noheader")
    names = machine.output(*asked, timeout_s=60).splitlines()
    if not names:
        return finding("gpu", "none found by nvidia-smi: training uses the processor")
    able = []
    for backend in filter(find_spec, ("tensorflow", "jax", "torch")):
        variables = {"KERAS_BACKEND": backend}
        with contextlib.suppress(FerEdgeError):  # in a process of its own: none of them is loaded here
            if child.run(_gpus_of_keras, what=backend, timeout_s=120, environment=variables):
                able.append(backend)
    used = ", ".join(able) or "no backend of Keras"
    other = f"KERAS_BACKEND={able[0]} fer-edge train ..." if able else "pip install 'fer-edge[gpu]'"
    advice = "" if os.environ.get("KERAS_BACKEND", "tensorflow") in able else other
    return finding("gpu", f"{', '.join(names)}; used by {used}", advice)


def _gpus_of_keras() -> list[str]:
    from fer_edge.training import device

    return device.gpus()
