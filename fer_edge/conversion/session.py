"""Each format made, verified, and only then written."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.conversion import compressing, describe, export, integer, lean, parity, rounding, tuning
from fer_edge.conversion.calibration import Calibration
from fer_edge.conversion.recipes import Recipe
from fer_edge.conversion.reference import Reference, verify
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format, ModelCard

INTEGER = (Format.INT8, Format.FULL_INTEGER)
CALIBRATED = (*INTEGER, Format.DYNAMIC_RANGE, Format.INT16X8)
"""Formats whose weights or ranges are fitted to pictures."""


@dataclass(frozen=True)
class Plan:
    """What is made, and where: `folder`/`name`_FORMAT.tflite. calibration: None without `CALIBRATED` formats.

    training: pictures, uint8 (N, height, width), if integer formats get quantisation-aware training.
    """

    name: str
    folder: Path
    recipe: Recipe
    calibration: Calibration | None
    training: NDArray[np.uint8] | None = None
    seed: int = 0

    def path(self, format_: Format) -> Path:
        """The file of one format."""
        return self.folder / f"{self.name}_{format_.value}.tflite"


@dataclass(frozen=True)
class Output:
    """One format's file, written if and only if it passed. ops: operators' names and counts.

    made: of integer formats, what the file was made from."""

    path: Path
    format: Format
    data: bytes
    card: ModelCard
    ops: dict[str, int]
    parity: parity.Parity
    made: integer.Made | None = None

    @property
    def compressed_bytes(self) -> int:
        """As a download or an archive holds it."""
        return file.compressed_bytes(self.data)

    def to_dict(self) -> dict[str, Any]:
        """A row of `convert --json` (DESIGN, "Command line")."""
        found = self.parity
        return {
            "path": str(self.path),
            "format": self.format.value,
            "bytes": len(self.data),
            "compressed_bytes": self.compressed_bytes,
            "input_dtype": self.card.input.dtype,
            "output_dtype": self.card.output.dtype,
            "ops": self.ops,
            "agreement": found.agreement,
            "max_abs_diff": found.max_abs_diff,
            "mean_abs_diff": found.mean_abs_diff,
            "accuracy": found.accuracy,
            "accuracy_fp32": found.accuracy_fp32,
            "pictures": found.pictures,
            "compared": found.compared,
            "passed": found.passed,
            "failures": list(found.failures),
        }


def convert(against: Reference, formats: Sequence[Format], plan: Plan) -> list[Output]:
    """Makes and verifies each format; writes those that pass, with their cards.

    Raises ModelError for a file that is not what a model file of ours must be.
    """
    made = []
    for format_ in formats:
        output = make(against, format_, plan)
        if output.parity.passed:
            files.write_bytes(output.path, output.data)
            files.write_text(output.path.with_suffix(".json"), output.card.to_json())
        made.append(output)
    return made


def make(against: Reference, format_: Format, plan: Plan) -> Output:
    """One format, verified and not written. The same weights, pictures and recipe give the same bytes."""
    calibration = plan.calibration if format_ in CALIBRATED else None
    flatbuffer, made = _flatbuffer(against, format_, plan)
    path = plan.path(format_)
    graph.check(flatbuffer, path.name)
    card = describe.card(
        plan.name,
        format_,
        flatbuffer,
        against=against,
        recipe=plan.recipe,
        calibration=calibration,
        qat=plan.training is not None and format_ in INTEGER,
    )
    with tempfile.TemporaryDirectory() as apart:
        candidate = Path(apart) / path.name
        candidate.write_bytes(file.embed_card(flatbuffer, card))
        found = verify(Classifier(candidate, checked=True), against, plan.recipe, format_)
    data_sha256 = against.pictures.dataset.sha256
    measured = {"split": against.pictures.split, "data_sha256": data_sha256, **found.measured()}
    card = dataclasses.replace(card, measured=measured)
    finished = file.embed_card(flatbuffer, card)
    return Output(path, format_, finished, card, graph.operators(flatbuffer), found, made)


def _flatbuffer(against: Reference, format_: Format, plan: Plan) -> tuple[bytes, integer.Made | None]:
    flatbuffer, made = _converted(against, format_, plan)
    return lean.lean(flatbuffer), made


def _converted(against: Reference, format_: Format, plan: Plan) -> tuple[bytes, integer.Made | None]:
    model = compressing.compressed(against.model, plan.recipe)
    if format_ not in CALIBRATED or plan.calibration is None:
        return export.to_float(model, format_), None
    faces = plan.calibration.faces
    if format_ not in INTEGER:
        wide = format_ is Format.INT16X8
        rounded = export.to_int16x8(model, faces) if wide else export.to_float(model, format_)
        if plan.recipe.refine:
            rounded = rounding.refine(rounded, export.to_float(model, Format.FLOAT32), faces[::2])
        return rounded, None
    lesson = None
    if plan.training is not None:
        lesson = tuning.Lesson(plan.training, lambda batch: against.model(batch, training=False), plan.seed)
    made = integer.made(model, format_, faces, plan.recipe, lesson)
    return made.flatbuffer, made
