"""Which targets take a model: tried with each target's own tool where that is installed, never guessed."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fer_edge.errors import FerEdgeError, GateError, MissingExtraError, ModelError
from fer_edge.model.classifier import Classifier
from fer_edge.targets import ethos_u, make, microcontroller, onnx_file, web_page
from fer_edge.targets.kinds import Kind, Target
from fer_edge.targets.pictures import Pictures, drawn


@dataclass(frozen=True)
class Answer:
    """accepted: None where the tool is not installed here. why: of a refusal, or what to install."""

    target: str
    accepted: bool | None
    why: str = ""
    report: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for `--json`."""
        return {"target": self.target, "accepted": self.accepted, "why": self.why, **self.report}


def ask(target: Target, classifier: Classifier, card: Path | None = None) -> Answer:
    """Tries the target on the model; takes seconds, with ONNX more. Nothing is written."""
    try:
        make.require(target)
    except FerEdgeError as error:
        return Answer(target.name, None, str(error))
    try:
        report = _tried(target, classifier, card, drawn(7))
    except MissingExtraError as error:
        return Answer(target.name, None, str(error))
    except (ModelError, GateError) as error:
        reason = str(error).removeprefix(f"{classifier.path}: ").removesuffix(": not written")
        return Answer(target.name, False, reason)
    left = report.get("cpu_ops")
    if left:
        return Answer(target.name, False, f"{ethos_u.in_words(left)} would stay on the CPU", report)
    return Answer(target.name, True, "", report)


def _tried(target: Target, classifier: Classifier, card: Path | None, faces: Pictures) -> dict[str, Any]:
    if target.kind is Kind.MICROCONTROLLER:
        return microcontroller.measure(classifier, card)
    if target.kind is Kind.ETHOS_U:
        return ethos_u.compile_(classifier.path, target.accelerator)[1]
    if target.kind is Kind.ONNX:
        return onnx_file.make(classifier, Path(), faces, card).report
    web_page.check_ends(classifier)
    return {}
