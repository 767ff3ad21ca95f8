"""What `fer-edge convert` does, step by step, with what it prints."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, evaluation, files
from fer_edge.conversion import (
    calibration,
    explaining,
    explaining_show,
    parity,
    recipes,
    reference,
    session,
    session_show,
    source,
)
from fer_edge.data import ferplus, load
from fer_edge.errors import GateError, UsageError
from fer_edge.model import shipped
from fer_edge.spec import Format


@dataclass(frozen=True)
class Request:
    """The options of `convert`."""

    model: str | None
    data: str
    formats: tuple[Format, ...]
    recipe: str
    calibration_samples: int | None
    out: Path | None
    name: str | None
    seed: int
    skip_bad_rows: bool
    force: bool
    labels: str | None = None
    qat: bool = False
    explain: bool = False
    sparsity: float | None = None
    clusters: int | None = None


def run(request: Request, json: str | None) -> dict[str, Any]:
    """Converts, prints the table, writes the JSON, which is also what comes back.

    Raises GateError if a format failed (its file is not written), and whatever stops it before.
    """
    path, why = source.find(request.model)
    console.say(f"converting {path} ({why})")
    name = request.name or _name(path)
    folder = request.out or _default_folder(path)
    _refuse_to_overwrite(folder, name, request, json)
    recipe = recipes.read(shipped.recipe("convert", request.recipe))
    recipe = _changed(recipe, request)
    for format_ in request.formats:
        recipe.limits(format_)
    source.import_keras()
    dataset = ferplus.chosen(
        load(request.data, skip_bad_rows=request.skip_bad_rows, seed=request.seed), request.labels
    )
    against = reference.measure(path, dataset, recipe, request.seed)
    chosen = None
    if set(request.formats) & set(session.CALIBRATED):
        chosen = calibration.choose(dataset, recipe.calibration_samples, request.seed, against.size_hw)
        console.say(f"calibration: {len(chosen.ids)} Training pictures, {chosen.origin}")
    training = calibration.training_faces(dataset, against.size_hw) if request.qat else None
    plan = session.Plan(name, folder, recipe, chosen, training, request.seed)
    outputs = session.convert(against, request.formats, plan)
    session_show.report(outputs, against.pictures.split)
    result: dict[str, Any] = {"source": str(path), "outputs": [output.to_dict() for output in outputs]}
    if request.explain and chosen is not None:
        for output, row in zip(outputs, result["outputs"], strict=True):
            row["layers"] = _explained(output, chosen.faces)
    console.write_json(json, result, request.force)
    failed = [f"{o.format.value} {'; '.join(o.parity.failures)}" for o in outputs if not o.parity.passed]
    if failed:
        raise GateError(f"{' | '.join(failed)}: not written{_hint(against)}")
    return result


def _changed(recipe: recipes.Recipe, request: Request) -> recipes.Recipe:
    """The recipe with the options of the command line. Raises UsageError for those that make no sense."""
    integers = set(request.formats) & set(session.INTEGER)
    for named, asked in (("--qat", request.qat), ("--explain", request.explain)):
        if asked and not integers:
            raise UsageError(f"{named} is for integer files: add --int8 or --full-integer")
    recipe = recipe.override(
        calibration_samples=request.calibration_samples,
        sparsity=request.sparsity,
        clusters=request.clusters,
    )
    if not recipe.sparsity and not recipe.clusters:
        return recipe
    if request.qat and recipe.clusters:
        raise UsageError("--qat moves every weight: it cannot keep the values of --clusters")
    # Nor do compensated rounding, channels of other sizes and layers that become one.
    return recipe.override(refine=False, equalise=0.0, fold_tail=False)


def _explained(output: session.Output, faces: NDArray[np.uint8]) -> list[dict[str, Any]]:
    """Prints, plots beside the file and gives each layer's error; nothing for formats without integers."""
    if output.made is None:
        return []
    layers = explaining.explain(output.made, faces)
    title = f"{output.path.stem} on {min(len(faces), explaining.PICTURES)} Training pictures"
    explaining_show.show(layers, title)
    picture = output.path.with_name(f"{output.path.stem}_layers.png")
    explaining_show.plot(layers, title, picture)
    console.say(f"plotted in {picture}")
    return explaining.to_dicts(layers)


def _hint(against: reference.Reference) -> str:
    """Why a gate fails most often: too short a training, or so few pictures that two near ties decide."""
    pictures = len(against.pictures.dataset)
    if against.accuracy < 0.4:
        return f" (the Keras model itself is right on {against.accuracy:.1%} only: train it longer)"
    if pictures < parity.ENOUGH:
        return (
            f" ({pictures} pictures are few, each is {1 / pictures:.1%}: with more of them outside Training, "
            "or with --qat for integer files, it may pass)"
        )
    return ""


def _name(path: Path) -> str:
    """NAME of NAME_FORMAT.tflite: the card's, else the file's, else that of its run's folder."""
    card = evaluation.keras_card(path)
    if card is not None:
        return card.name
    return path.stem if path.stem != "model" else path.resolve().parent.name


def _default_folder(path: Path) -> Path:
    return Path() if path.parent == shipped.models_folder() else path.parent


def _refuse_to_overwrite(folder: Path, name: str, request: Request, json: str | None) -> None:
    for format_ in request.formats:
        for suffix in (".tflite", ".json"):
            files.refuse_to_overwrite(folder / f"{name}_{format_.value}{suffix}", request.force)
        if request.explain and format_ in session.INTEGER:
            files.refuse_to_overwrite(folder / f"{name}_{format_.value}_layers.png", request.force)
    if json is not None and json != "-":
        files.refuse_to_overwrite(Path(json), request.force)
