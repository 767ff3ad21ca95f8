"""One table over files and targets: what each takes of a machine, and whether all say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import machine
from fer_edge.bench import timing
from fer_edge.errors import FerEdgeError
from fer_edge.model import graph, modelfile
from fer_edge.model.classifier import Classifier
from fer_edge.targets import layers, make, scores
from fer_edge.targets.kinds import Kind, Target
from fer_edge.targets.pictures import Pictures, fitted

LITERT = "litert"
"""The row of a file as it is, run here."""
_AT_ONCE = 4  # files; a converter to ONNX takes most of a GiB


@dataclass(frozen=True)
class Row:
    """One file on one target; None where it was not measured or cannot be.

    bytes: of what is deployed (C source: of the array in flash). agreement: share of pictures with the label
    that the family's float32 file gives in LiteRT here. ms: median here in LiteRT. npu_ms: Vela's estimate.
    memory_bytes: peak of activations (litert), arena or SRAM. ops: operators of the deployed graph.
    refused: why the target does not take the file; `model` is empty where the target takes none here.
    """

    model: str
    target: str
    bytes: int | None = None
    compressed_bytes: int | None = None
    ops: int | None = None
    macs: int | None = None
    agreement: float | None = None
    max_abs_diff: float | None = None
    accuracy: float | None = None
    ms: float | None = None
    npu_ms: float | None = None
    memory_bytes: int | None = None
    refused: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Plain types, for `--json`."""
        return dataclasses.asdict(self)


def rows(
    paths: Sequence[Path],
    targets: Sequence[Target],
    pictures: Pictures,
    runs: int,
    lenient: bool = False,
) -> list[Row]:
    """A row of each file in LiteRT, and one a target behind it.

    The family's float32 file is looked for among `paths`, else beside the file. runs: timed inferences, 0
    for none. Raises ModelError for a file that does not run, MissingExtraError for a target without its
    tool, unless `lenient`: a row then says what is missing.
    """
    taken = []
    absent = []
    for target in targets:
        try:
            make.require(target)
            taken.append(target)
        except FerEdgeError as error:
            if not lenient:
                raise
            absent.append(Row("", target.name, refused=str(error)))
    subjects = {path: Classifier(path) for path in paths}
    said = {path: subject.predict(fitted(pictures, subject.input_size)) for path, subject in subjects.items()}
    times = _times(list(subjects.values()), runs)
    references = {path: scores.reference(path, said, pictures) for path in paths}

    def on_all(path: Path, ms: float | None) -> list[Row]:
        subject, reference = subjects[path], references[path]
        here = _litert(subject, said[path], reference, pictures, ms)
        return [here, *(_on(target, subject, reference, pictures) for target in taken)]

    # targets work in processes of their own; a file's classifier is used by one thread only
    with ThreadPoolExecutor(min(machine.usable_cores(), _AT_ONCE)) as pool:
        found = list(pool.map(on_all, subjects, times))
    return [row for rows_ in found for row in rows_] + absent


def _times(subjects: Sequence[Classifier], runs: int) -> list[float | None]:
    """Median ms of each, in turns, as `bench` takes it."""
    if not runs:
        return [None] * len(subjects)
    faces = [np.full(subject.input_size, 128, np.uint8) for subject in subjects]
    calls = [lambda s=s, f=f: s.predict_one(f) for s, f in zip(subjects, faces, strict=True)]
    timings = timing.interleaved(calls, min(runs, 50), runs)
    return [float(np.median(taken.wall_ns)) / 1e6 for taken in timings]


def _litert(
    subject: Classifier,
    said: NDArray[np.float32],
    reference: NDArray[np.float32] | None,
    pictures: Pictures,
    ms: float | None,
) -> Row:
    data = modelfile.read_bytes(subject.path)
    main = graph.read(data)[0]
    return Row(
        subject.path.stem,
        LITERT,
        len(data),
        modelfile.compressed_bytes(data),
        len(main.operators),
        sum(layer.macs for layer in layers.layers(main)),
        **scores.of(said, reference, subject, pictures),
        ms=ms,
        memory_bytes=layers.peak(main).bytes,
    )


def _on(
    target: Target, subject: Classifier, reference: NDArray[np.float32] | None, pictures: Pictures
) -> Row:
    try:
        made = make.make(target, subject, Path(), pictures)
    except FerEdgeError as error:
        reason = str(error).removeprefix(f"{subject.path}: ").split("; convert with")[0]
        reason = reason.replace(str(subject.path), "it")  # equal refusals share a line
        return Row(subject.path.stem, target.name, refused=reason.removesuffix(": not written"))
    report = made.report
    # A microcontroller's flash holds the model, not the C source.
    flatbuffer = modelfile.without_zip(modelfile.read_bytes(subject.path))
    kept = target.kind is Kind.MICROCONTROLLER
    deployed = flatbuffer if kept else max(made.files.values(), key=len)
    main = graph.read(flatbuffer)[0]
    return Row(
        subject.path.stem,
        target.name,
        len(deployed),
        modelfile.compressed_bytes(deployed),
        sum(report["ops"].values()) if "ops" in report else report.get("npu_parts", len(main.operators)),
        report.get("macs", sum(layer.macs for layer in layers.layers(main))),
        **scores.of(made.probabilities, reference, subject, pictures),
        npu_ms=report.get("ms"),
        memory_bytes=report.get("arena_bytes", report.get("sram_bytes")),
    )


def refusals(found: Sequence[Row]) -> list[str]:
    """Why targets do not take files: a line for each reason, with the files that it holds for."""
    models: dict[tuple[str, str], list[str]] = {}
    for row in found:
        if row.refused:
            models.setdefault((row.target, row.refused), []).append(row.model)
    return [
        f"{', '.join(names)}{' on ' if names[0] else ''}{target}: {reason}"
        for (target, reason), names in models.items()
    ]
