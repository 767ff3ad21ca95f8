"""Implements `fer-edge convert` and `fer-edge verify`, including their output."""

import dataclasses
import platform
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

import numpy as np

from fer_edge import __version__, console, evaluation, files
from fer_edge.conversion import formats, gate, source, toolkit
from fer_edge.conversion.formats import COMPRESSED, FORMATS, Material, Recipe
from fer_edge.data import ferplus, load
from fer_edge.data.dataset import Dataset
from fer_edge.errors import GateError, UsageError
from fer_edge.evaluation import metrics
from fer_edge.model import file, graph, shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS, MIRROR, USE, ModelCard, TensorSpec


@dataclass(frozen=True)
class Request:
    """The options of `convert`; the first block also those of `verify`."""

    model: str | None
    data: str | None
    recipe: Recipe = field(default_factory=Recipe)
    seed: int = 0
    labels: str | None = None
    skip_bad_rows: bool = False
    force: bool = False
    class_names: str | None = None

    formats: tuple[str, ...] = ()
    out: Path | None = None
    name: str | None = None
    mirror: bool = False

    @property
    def inputs(self) -> tuple[str | None, ...]:
        """The files that are read, besides the model."""
        return self.data, ferplus.file_of(self.labels)

    def dataset(self) -> Dataset:
        """The pictures with their labels, as `data.load`."""
        how: dict[str, Any] = {"skip_bad_rows": self.skip_bad_rows, "seed": self.seed}
        return load(self.data, self.labels, class_names=self.class_names, **how)


def convert(request: Request, json: str | None) -> dict[str, Any]:
    """Converts, prints the table, writes the JSON and returns its value.

    Each file is made and checked, and only then written with its card. Raises GateError if one failed, and
    whatever stops it before that.
    """
    recipe = request.recipe
    making = [formats.known(format_) for format_ in request.formats]
    if recipe.qat and not any(each.trainable for each in making):
        raise UsageError("--qat is for integer files: add --int8 or --full-integer")
    if request.mirror and (recipe.qat or recipe.compresses):
        raise UsageError("--mirror cannot be combined with --qat, --sparsity or --clusters")
    path = source.find(request.model)
    card = evaluation.keras_card(path)
    if request.name and Path(request.name).name != request.name:
        raise UsageError(f"--name {request.name} is a path: give the folder with --out")
    known_as = path.resolve().parent.name if path.stem == "model" else path.stem  # a training's folder has it
    if card:
        known_as = Path(card.name).name  # a stranger's card must not lead out of the folder
    name = (request.name or known_as) + MIRROR * request.mirror
    folder = request.out or (Path() if path.parent == shipped.models_folder() else path.parent)
    targets = {format_: folder / f"{name}_{format_}.tflite" for format_ in request.formats}
    written = [each for target in targets.values() for each in (target, target.with_suffix(".json"))]
    files.refuse_to_overwrite_any((*written, json), request.force, (path, *request.inputs))
    dataset = request.dataset()
    console.say(f"converting {path}")
    against = source.measure(path, dataset, recipe.parity_pictures, request.seed, views=1 + request.mirror)
    _warn_of_chance(against)
    material = Material(against.model)
    if any(each.calibrated for each in making):
        size_hw = against.model.inputs[0].shape[1:3]
        faces, origin = source.calibration(dataset, recipe.calibration_samples, request.seed, size_hw)
        console.say(f"calibration: {len(faces)} Training pictures, {origin}")
        material = Material(against.model, faces, origin)
    if recipe.compresses or recipe.qat:
        training = dataset.part("Training")
        order = np.array([against.labels.index(label) for label in dataset.label_names])
        labels = order[training.labels]
        material = toolkit.retrain(material, training.images, labels, recipe, request.seed)
    if recipe.compresses:
        against = _compressed(against, material.network, recipe)
    rows = [_made(target, format_, material, recipe, against) for format_, target in targets.items()]
    return _finished(rows, against, json, request.force)


def verify(request: Request, converted: str, card: Path | None, json: str | None) -> dict[str, Any]:
    """Verifies an existing file by the limits of its card's format; returns and writes the measurements.

    Raises GateError if it fails.
    """
    path = shipped.find_model(converted)
    files.refuse_to_overwrite_any((json,), request.force, (path, card, request.model, *request.inputs))
    classifier = Classifier(path, card=card)
    made = classifier.card
    if not made.format:
        raise UsageError(f'{card or path} names no format: add "format": "int8" or another to the card')
    formats.known(made.format)
    recipe = dataclasses.replace(request.recipe, qat="qat_steps" in str(made.recipe.get("conversion")))
    rules = COMPRESSED if "sparsity" in str(made.recipe.get("conversion")) else made.format
    limits, model, pictures = recipe.limits_of(rules), source.find(request.model), request.dataset()
    against = source.measure(model, pictures, recipe.parity_pictures, request.seed, views=made.views)
    probabilities = against.ask(evaluation.Predictor.of(classifier), f"verifying {made.format}")
    row = _row(path, file.read_bytes(path), made, against.judge(probabilities, limits))
    return _finished([row], against, json, request.force, written=False)


def _compressed(against: source.Reference, network: Any, recipe: Recipe) -> source.Reference:
    """The pruned or clustered network instead. Raises GateError if it is too far from the dense one."""
    pruned = dataclasses.replace(against, model=network, what="the pruned or clustered network")
    found = against.judge(pruned.probabilities, recipe.limits_of(COMPRESSED))
    agreement, now, before = (found.measured[key] for key in ("agreement", "accuracy", "accuracy_fp32"))
    console.say(f"pruned or clustered: accuracy {now:.2%}, {before:.2%} before; agreement {agreement:.2%}")
    if found.failures:
        _refuse({COMPRESSED: found.failures}, f"{pruned.what} lost too much: nothing written")
    return pruned


def _made(
    path: Path, format_: str, material: Material, recipe: Recipe, against: source.Reference
) -> dict[str, Any]:
    """Makes the file, runs it as `run` does, and writes it with its card if it passed; gives its row."""
    making, how = FORMATS[format_], recipe.said(format_)
    if making.calibrated:
        how["calibration"] = {"pictures": len(material.faces), "rows": material.origin}
    with console.working(f"making {format_}"):
        data = making.make(material)
        graph.check(data, path.name)
        card = _card(path, format_, data, against, how)
    with tempfile.TemporaryDirectory() as folder:
        candidate = Path(folder) / path.name
        candidate.write_bytes(file.embed_card(data, card))
        subject = evaluation.Predictor.of(Classifier(candidate, checked=True))
        found = against.judge(against.ask(subject, f"verifying {format_}"), recipe.limits_of(format_))
    origin = {"split": against.pictures.split, "data_sha256": against.pictures.dataset.sha256}
    card = dataclasses.replace(card, measured={**origin, **found.measured})
    data = file.embed_card(data, card)
    if not found.failures:
        files.write_bytes(path, data)
        files.write_text(path.with_suffix(".json"), card.to_json())
    console.say(f"{'not written:' if found.failures else 'wrote'} {path}")
    return _row(path, data, card, found)


def _row(path: Path, data: bytes, card: ModelCard, found: gate.Parity) -> dict[str, Any]:
    """Of `convert --json` (DESIGN, "Command line")."""
    return {
        "path": str(path),
        "format": card.format,
        "bytes": len(data),
        "compressed_bytes": file.compressed_bytes(data),
        "input_dtype": card.input.dtype,
        "output_dtype": card.output.dtype,
        "ops": graph.operators(data),
        **found.measured,
        "passed": not found.failures,
        "failures": list(found.failures),
    }


def _finished(
    rows: list[dict[str, Any]], against: source.Reference, json: str | None, force: bool, written: bool = True
) -> dict[str, Any]:
    """Shows and writes the measurements. Raises GateError if a file failed."""
    n = len(against.pictures.dataset)
    table = console.Table(
        f"against float32 in Keras on {n} pictures of {against.pictures.split}",
        ("format", "kB", "zip kB", "ops", "agree %", "max diff", "mean diff", "acc %", "fp32 %", "passed"),
        optional=("ops", "mean diff", "zip kB"),
    )
    for row in rows:
        table.add(
            row["format"],
            *(f"{row[size] / 1e3:.0f}" for size in ("bytes", "compressed_bytes")),
            sum(row["ops"].values()),
            console.percent(row["agreement"], 2),
            f"{row['max_abs_diff']:.4f}",
            f"{row['mean_abs_diff']:.5f}",
            *(console.percent(row[share], 2) for share in ("accuracy", "accuracy_fp32")),
            "yes" if row["passed"] else "NO",
        )
    if against.views == 2:
        table.notes = ("two views, each picture and its mirror image, both in the file and in Keras",)
    table.show()
    result = {"source": str(against.path), "outputs": rows}
    console.write_json(json, result, force)
    if failed := {row["format"]: row["failures"] for row in rows if not row["passed"]}:
        _refuse(failed, f"{', '.join(failed)} failed{' and not written' if written else ''}")
    return result


def _refuse(failed: dict[str, Sequence[str]], reason: str) -> NoReturn:
    """Shows the limits that were not met. Raises GateError."""
    headers = ("what failed", "limit")
    rows = [(name, failure) for name, failures in failed.items() for failure in failures]
    console.Table("limits not met", headers, [*rows], words=headers).show()
    raise GateError(reason)


def _warn_of_chance(against: source.Reference) -> None:
    labels = against.pictures.dataset.labels
    right = int((against.probabilities.argmax(axis=1) == labels).sum())
    guessed = np.bincount(labels).max() / len(labels)
    if metrics.wilson_interval(right, len(labels))[0] < guessed:
        console.warn(
            f"the Keras model has an accuracy of {right / len(labels):.1%}, and always answering the most "
            f"frequent expression {guessed:.1%}: train it before you convert it"
        )


def _card(path: Path, format_: str, data: bytes, against: source.Reference, how: dict[str, Any]) -> ModelCard:
    """The source's card, completed from the file; without measurements."""
    import keras
    import tensorflow as tf

    main = graph.read(data)[0]
    ends = [TensorSpec(end.dtype, end.shape, end.scale, end.zero_point) for end in main.inputs + main.outputs]
    taken, given = ends[0], dataclasses.replace(ends[1], real_max=1.0, content="probabilities")
    name = path.stem.removesuffix(f"_{format_}")
    known = against.card or ModelCard(name, "keras", LABELS, taken, given)
    here = {"fer-edge": __version__, "python": platform.python_version(), "numpy": np.__version__}
    here |= {"tensorflow": tf.__version__, "keras": keras.__version__}
    return dataclasses.replace(
        known,
        name=name,
        format=format_,
        input=taken,
        output=given,
        architecture=known.architecture or against.model.name,
        parameters=against.model.count_params(),
        macs=main.macs,
        recipe={"training": known.recipe, "conversion": how},
        versions={**{f"training {k}": v for k, v in known.versions.items()}, **here},
        source_sha256=files.sha256(against.path),
        measured={},
        use=USE,
        views=against.views,
    )
