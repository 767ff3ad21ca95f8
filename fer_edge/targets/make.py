"""One target of one model file, whichever it is."""

from __future__ import annotations

from pathlib import Path

from fer_edge.errors import GateError
from fer_edge.model.classifier import Classifier
from fer_edge.targets import browser, ethos_u, microcontroller, onnx_file, web_page
from fer_edge.targets.kinds import Kind, Target
from fer_edge.targets.made import Made
from fer_edge.targets.pictures import Pictures, compare, fitted

WEB_ALLOWED = 1e-3
"""Largest difference of a probability between the page's runtime and LiteRT's here: the same kernels."""


def require(target: Target) -> None:
    """Raises MissingExtraError, with what to install, where a target's tool is absent here."""
    {
        Kind.MICROCONTROLLER: microcontroller.require,
        Kind.ETHOS_U: ethos_u.require,
        Kind.ONNX: onnx_file.require,
        Kind.WEB: web_page.runtime,
    }[target.kind]()


def outputs(target: Target, model: Path, folder: Path) -> tuple[Path, ...]:
    """The files that `make` gives for a model of that path."""
    stem = model.stem
    inside = folder / f"{stem}_microcontroller"
    return {
        Kind.MICROCONTROLLER: (inside / f"{stem}.h", inside / f"{stem}.c", inside / "main.cc"),
        Kind.ETHOS_U: (folder / f"{stem}_{target.accelerator}.tflite",),
        Kind.ONNX: (folder / f"{stem}.onnx",),
        Kind.WEB: (folder / f"{stem}.html",),
    }[target.kind]


def make(
    target: Target, classifier: Classifier, folder: Path, pictures: Pictures, card: Path | None = None
) -> Made:
    """What the target gives, verified on the pictures where something here can run it; not yet written.

    card: of a model that carries none. Raises MissingExtraError, ModelError where the target's tool refuses
    the model, GateError where the result does not agree with LiteRT or would not run on the target alone.
    """
    require(target)
    if target.kind is Kind.MICROCONTROLLER:
        return microcontroller.make(classifier, folder, pictures, card)
    if target.kind is Kind.ETHOS_U:
        return ethos_u.make(classifier, folder, target.accelerator)
    if target.kind is Kind.ONNX:
        return onnx_file.make(classifier, folder, pictures, card)
    return _web(classifier, outputs(target, classifier.path, folder)[0], pictures)


def _web(classifier: Classifier, path: Path, pictures: Pictures) -> Made:
    page = web_page.page(classifier)
    if browser.find() is None:
        return Made("web", {path: page}, None, {"browser": None})
    faces = fitted(pictures, classifier.input_size)
    given = browser.probabilities(page, faces)
    agreement = compare(given, classifier.predict(faces), pictures, classifier.labels)
    if agreement.max_abs_diff > WEB_ALLOWED:
        raise GateError(
            f"{classifier.path} differs by up to {agreement.max_abs_diff:.4f} in a probability between the "
            f"browser and LiteRT here, {WEB_ALLOWED:g} allowed: not written"
        )
    return Made("web", {path: page}, agreement, {"browser": browser.version()}, given)
