"""What is installed, found and missing on this machine, and what to do about it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import platform
from collections.abc import Callable, Iterable

from fer_edge import __version__, hardware
from fer_edge.errors import FerEdgeError
from fer_edge.findings import Finding, Status
from fer_edge.model import interpreter, shipped

OPENCV_FLAVOURS = (
    "opencv-python",
    "opencv-python-headless",
    "opencv-contrib-python",
    "opencv-contrib-python-headless",
)
EXTRAS = {
    "train": ("tensorflow", "tf_keras", "tensorflow_model_optimization", "matplotlib"),
    "plot": ("matplotlib",),
    "demo": ("skimage",),
}


def examine() -> list[Finding]:
    """Every finding, in the order in which a reader needs them. Raises nothing."""
    checks: tuple[Callable[[], Iterable[Finding]], ...] = (
        _basics,
        _opencv,
        _interpreter,
        _models,
        hardware.cameras,
        hardware.display,
        hardware.processor,
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


def _extras() -> Iterable[Finding]:
    for extra, modules in EXTRAS.items():
        absent = [name for name in modules if importlib.util.find_spec(name) is None]
        if absent:
            advice = f"pip install 'fer-edge[{extra}]'"
            yield Finding(f"extra {extra}", Status.NOTE, f"without {', '.join(absent)}", advice)
        else:
            yield Finding(f"extra {extra}", Status.OK, "installed")
