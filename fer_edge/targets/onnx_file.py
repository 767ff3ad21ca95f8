"""Target `onnx`: the same model for ONNX Runtime, by tf2onnx, with labels and card in its metadata."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from fer_edge import child
from fer_edge.errors import GateError, MissingExtraError
from fer_edge.model.classifier import Classifier
from fer_edge.targets import onnx_child
from fer_edge.targets.made import Made
from fer_edge.targets.pictures import Agreement, Pictures, compare, fitted


@dataclass(frozen=True)
class Limits:
    """Least share of pictures with the same label, largest difference of a probability."""

    agreement: float
    max_abs_diff: float


FLOAT = Limits(0.999, 1e-3)
QUANTISED = Limits(0.95, 0.1)
"""LiteRT's two sets of int8 kernels differ from each other by up to 0.04: each rounds in its own way."""


def require() -> None:
    """Raises MissingExtraError where tf2onnx or ONNX Runtime is not installed."""
    for package in ("tf2onnx", "onnxruntime", "tensorflow"):
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, "onnx", "the target onnx")


def make(classifier: Classifier, folder: Path, pictures: Pictures, card: Path | None = None) -> Made:
    """`folder`/NAME.onnx, run in ONNX Runtime on the pictures.

    Raises GateError if it does not agree with LiteRT, ModelError if tf2onnx cannot convert the model.
    """
    require()
    faces = fitted(pictures, classifier.input_size)
    with tempfile.TemporaryDirectory() as name:
        apart_folder = Path(name)
        np.save(apart_folder / onnx_child.FACES, faces)
        arguments = name, str(classifier.path.resolve()), str(card or "")
        report = child.run(onnx_child.convert, *arguments, what=str(classifier.path), timeout_s=900)
        data = (apart_folder / onnx_child.RESULT).read_bytes()
        given = np.load(apart_folder / onnx_child.PROBABILITIES)
    agreement = compare(given, classifier.predict(faces), pictures, classifier.labels)
    check(agreement, QUANTISED if any_quantised(report["ops"]) else FLOAT, str(classifier.path))
    return Made("onnx", {folder / f"{classifier.path.stem}.onnx": data}, agreement, report, given)


def any_quantised(ops: dict[str, int]) -> bool:
    """Whether an ONNX graph rounds on its way."""
    return "QuantizeLinear" in ops


def check(found: Agreement, limits: Limits, what: str) -> None:
    """Raises GateError if the limits are not held. One picture may always differ."""
    others = round((1 - found.agreement) * found.pictures)
    if others > max(1, (1 - limits.agreement) * found.pictures) or found.max_abs_diff > limits.max_abs_diff:
        raise GateError(
            f"{what} as ONNX agrees with LiteRT on {found.agreement:.2%} of {found.pictures} pictures, and "
            f"differs by up to {found.max_abs_diff:.4f}; {limits.agreement:.1%} and {limits.max_abs_diff:g} "
            "wanted: not written"
        )
