"""One whole conversion: source, data, calibration, each format made, verified, and only then written."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, evaluation, files, modelfile, predictors, tables
from fer_edge.classifier import Classifier
from fer_edge.conversion import calibration, describe, export, integer, parity, source
from fer_edge.conversion.recipes import Recipe
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError
from fer_edge.spec import LABELS, Format, ModelCard

INTEGER = (Format.INT8, Format.FULL_INTEGER)
SPLIT = "PublicTest"
"""What files are verified on: the split that one may choose on (DESIGN, "Data")."""


@dataclass(frozen=True)
class Reference:
    """The float32 Keras model and what it says of the pictures that prove its files."""

    path: Path
    card: ModelCard | None
    model: Any
    pictures: evaluation.Selection
    probabilities: NDArray[np.float32]


@dataclass(frozen=True)
class Output:
    """One format's file, written if and only if it passed. ops: operators' names and counts."""

    path: Path
    format: Format
    data: bytes
    card: ModelCard
    ops: dict[str, int]
    parity: parity.Parity

    def to_dict(self) -> dict[str, Any]:
        """A row of `convert --json` (DESIGN, "Command line")."""
        found = self.parity
        return {
            "path": str(self.path),
            "format": self.format.value,
            "bytes": len(self.data),
            "input_dtype": self.card.input.dtype,
            "output_dtype": self.card.output.dtype,
            "ops": self.ops,
            "agreement": found.agreement,
            "max_abs_diff": found.max_abs_diff,
            "mean_abs_diff": found.mean_abs_diff,
            "accuracy": found.accuracy,
            "accuracy_fp32": found.accuracy_fp32,
            "pictures": found.pictures,
            "passed": found.passed,
            "failures": list(found.failures),
        }


def reference(path: Path, dataset: Dataset, recipe: Recipe, seed: int) -> Reference:
    """Loads the Keras model and runs it on the pictures that prove its files.

    Raises ModelError for a model that cannot be converted, DataError for data without those pictures.
    """
    model = source.load(path)
    pictures = evaluation.select(dataset, "official", SPLIT, limit=recipe.parity_pictures, seed=seed)
    count = len(pictures.dataset)
    if count < parity.LEAST_PICTURES:
        raise DataError(f"{dataset.path} has {count} {SPLIT} rows: {parity.LEAST_PICTURES} are needed")

    def predict(faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.asarray(model(faces[..., None].astype(np.float32), training=False), np.float32)

    size = (model.inputs[0].shape[1], model.inputs[0].shape[2])
    keras_model = predictors.Predictor(path.name, LABELS, size, predict)
    with tables.progress("float32 in Keras", count) as step:
        probabilities = evaluation.probabilities_of(keras_model, pictures.dataset.images, step=step)
    parity.check_probabilities(probabilities, str(path))
    return Reference(path, predictors.keras_card(path), model, pictures, probabilities)


def names(path: Path, card: ModelCard | None, given: str | None) -> str:
    """NAME of NAME_FORMAT.tflite: as given, else the card's, else the file's, else its run's folder."""
    if given or card is not None:
        return given or str(card and card.name)
    return path.stem if path.stem != "model" else path.resolve().parent.name


def convert(
    against: Reference,
    name: str,
    formats: Sequence[Format],
    chosen: calibration.Calibration | None,
    recipe: Recipe,
    folder: Path,
) -> list[Output]:
    """Makes and verifies each format; writes those that pass, with their cards, into `folder`.

    chosen: calibration, needed for integer formats. Raises ModelError for a file that is not fit to ship.
    """
    made = []
    for format_ in formats:
        output = _made(against, name, format_, chosen, recipe, folder)
        if output.parity.passed:
            files.write_bytes(output.path, output.data)
            files.write_text(output.path.with_suffix(".json"), output.card.to_json())
        made.append(output)
    return made


def _made(
    against: Reference,
    name: str,
    format_: Format,
    chosen: calibration.Calibration | None,
    recipe: Recipe,
    folder: Path,
) -> Output:
    if format_ in INTEGER:
        assert chosen is not None
        flatbuffer = integer.to_integer(against.model, format_, chosen.faces, recipe)
    else:
        chosen, flatbuffer = None, export.to_float(against.model, format_)
    path = folder / f"{name}_{format_.value}.tflite"
    modelfile.check_bytes(flatbuffer, path.name)
    ends = describe.tensors(flatbuffer, format_)
    used = None if chosen is None else {"pictures": len(chosen.ids), "rows": chosen.origin}
    card = describe.card(name, format_, ends, against.path, against.card, against.model, recipe, used)
    with tempfile.TemporaryDirectory() as apart:
        candidate = Path(apart) / path.name
        candidate.write_bytes(modelfile.embed_card(flatbuffer, card))
        found = verify(Classifier(candidate, checked=True), against, recipe, format_)
    card = dataclasses.replace(card, measured={"split": SPLIT, **_data(against), **found.measured()})
    return Output(
        path, format_, modelfile.embed_card(flatbuffer, card), card, modelfile.operators(flatbuffer), found
    )


def _data(against: Reference) -> dict[str, Any]:
    return {"data_sha256": against.pictures.dataset.sha256}


def verify(model: Classifier, against: Reference, recipe: Recipe, format_: Format) -> parity.Parity:
    """Runs the file on the reference's pictures, as `run` does, and judges it by the format's limits."""
    images = against.pictures.dataset.images
    opened = predictors.Predictor(model.path.stem, tuple(model.labels), model.input_size, model.predict)
    with tables.progress(f"verifying {format_.value}", len(images)) as step:
        probabilities = evaluation.probabilities_of(opened, images, step=step)
    return parity.compare(
        probabilities, against.probabilities, against.pictures.dataset.labels, recipe.limits(format_)
    )


def report(outputs: Sequence[Output], written: bool = True) -> None:
    """The table, and what failed. written: whether files that passed were written just now."""
    first = outputs[0].parity
    table = tables.new_table(f"against float32 in Keras on {first.pictures} pictures of {SPLIT}")
    for heading in (
        "format",
        "kB",
        "ops",
        "agreement %",
        "max diff",
        "mean diff",
        "accuracy %",
        "fp32 %",
        "",
    ):
        table.add_column(heading, justify="left" if heading in ("format", "") else "right")
    for output in outputs:
        found = output.parity
        table.add_row(
            output.format.value,
            f"{len(output.data) / 1e3:.0f}",
            str(sum(output.ops.values())),
            tables.percent(found.agreement, 2),
            f"{found.max_abs_diff:.4f}",
            f"{found.mean_abs_diff:.5f}",
            tables.percent(found.accuracy, 2),
            tables.percent(found.accuracy_fp32, 2),
            str(output.path) if found.passed else "FAILED, not written" if written else "FAILED",
        )
    tables.show(table)
    for output in outputs:
        for failure in output.parity.failures:
            console.say(f"{output.format.value} {failure}")
