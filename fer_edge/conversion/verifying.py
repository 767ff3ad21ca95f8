"""What `fer-edge verify` does: a file made by whatever program, proven against its Keras model."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import console
from fer_edge.conversion import recipes, reference, session, session_show, source
from fer_edge.data import ferplus, load
from fer_edge.errors import GateError, UsageError
from fer_edge.model import file, graph, shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format


@dataclass(frozen=True)
class Check:
    """The options of `verify`."""

    converted: str
    model: str
    data: str
    format: str | None
    card: Path | None
    recipe: str
    seed: int
    skip_bad_rows: bool
    force: bool
    labels: str | None = None


def check(request: Check, json: str | None) -> dict[str, Any]:
    """Verifies a file made elsewhere; gives and writes what was measured. Raises GateError if it fails."""
    path = shipped.find_model(request.converted)
    classifier = Classifier(path, card=request.card)
    format_ = _format_of(request.format or classifier.card.format, path)
    recipe = recipes.read(shipped.recipe("convert", request.recipe))
    recipe.limits(format_)
    model, _ = source.find(request.model)
    dataset = ferplus.chosen(
        load(request.data, skip_bad_rows=request.skip_bad_rows, seed=request.seed), request.labels
    )
    against = reference.measure(model, dataset, recipe, request.seed, classifier.card)
    found = reference.verify(classifier, against, recipe, format_)
    data = file.read_bytes(path)
    output = session.Output(path, format_, data, classifier.card, graph.operators(data), found)
    session_show.report([output], against.pictures.split, written=False)
    result = {"source": str(model), "outputs": [output.to_dict()]}
    console.write_json(json, result, request.force)
    if not found.passed:
        raise GateError(f"{path} {'; '.join(found.failures)}")
    return result


def _format_of(name: str, path: Path) -> Format:
    try:
        return Format(name)
    except ValueError as error:
        known = ", ".join(Format)
        raise UsageError(
            f"{path} is of format {name!r}: choose its limits with --format, from {known}"
        ) from error
