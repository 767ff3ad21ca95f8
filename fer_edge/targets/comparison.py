"""One table over files and targets: what each takes of a machine, and whether all say the same."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import machine
from fer_edge.bench import latency
from fer_edge.errors import FerEdgeError
from fer_edge.evaluation import metrics
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format, split_name
from fer_edge.tables import Table, milliseconds, percent
from fer_edge.targets import Pictures, Target, command, pictures_of

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


def _count(divisor: float, value: float | None) -> str | None:
    return None if value is None else f"{value / divisor:.0f}"


_COLUMNS: dict[str, Callable[[Row], str | None]] = {
    "model, its targets": lambda row: row.model if row.target == LITERT else f"- {row.target}",
    "kB": lambda row: _count(1e3, row.bytes),
    "zip kB": lambda row: _count(1e3, row.compressed_bytes),
    "ops": lambda row: _count(1, row.ops),
    "agree %": lambda row: percent(row.agreement, 2),
    "acc %": lambda row: percent(row.accuracy, 2),
    "ms here": lambda row: milliseconds(row.ms),
    "KiB": lambda row: _count(1024, row.memory_bytes),
    "NPU ms": lambda row: milliseconds(row.npu_ms),
}
_LEGEND = (
    "zip: compressed. agree: on the label, with the network's float32 file in LiteRT here. ms here: median "
    "in LiteRT, one thread. KiB: peak of activations (litert), measured arena (microcontroller), SRAM "
    "(ethos-u). NPU ms: Vela's estimate; nothing here can run its results."
)


def compared(
    paths: Sequence[Path],
    names: Sequence[str],
    data: str | None,
    labels: str | None,
    limit: int,
    runs: int,
    *,
    seed: int = 0,
    skip_bad_rows: bool = False,
) -> tuple[dict[str, Any], Table]:
    """The value of `bench --target --json`, and its table.

    names: of targets; `all`, for those whose tools are here. data, labels, limit: what pictures of PublicTest
    they are judged on, as `bench` takes them; drawn faces without `data`. Raises as `rows` does.
    """
    wanted = command.parse(names)
    seen = pictures_of(data, limit, seed=seed, skip_bad_rows=skip_bad_rows, labels=labels)
    described = machine.describe()
    found = rows(paths, wanted, seen, runs, lenient="all" in names)
    where = ", ".join(str(described[key]) for key in ("cpu", "system", "interpreter") if described[key])
    result = {"machine": described, "pictures": seen.name, "rows": [dataclasses.asdict(row) for row in found]}
    return result, table(found, seen.name, where)


def table(found: Sequence[Row], seen: str, where: str) -> Table:
    """Files, behind each its targets; under them what no target takes. seen, where: pictures, machine."""
    notes = [f"{seen}. {_LEGEND} {where}.", *(f"refused: {line}" for line in refusals(found))]
    told = Table(f"files and targets on {seen}", tuple(_COLUMNS), optional=("zip kB", "ops"), notes=notes)
    for row in found:
        if not row.refused:
            told.add(*(cell(row) for cell in _COLUMNS.values()))
    return told


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
            target.require()
            taken.append(target)
        except FerEdgeError as error:
            if not lenient:
                raise
            absent.append(Row("", target.name, refused=str(error)))
    subjects = {path: Classifier(path) for path in paths}
    said = {path: subject.predict(pictures.fitted(subject.input_size)) for path, subject in subjects.items()}
    times = _times(list(subjects.values()), runs)
    references = {path: _reference(path, said, pictures) for path in paths}

    def on_all(path: Path, ms: float | None) -> list[Row]:
        subject, reference = subjects[path], references[path]
        data = file.read_bytes(path)
        here = _row(subject, LITERT, data, {"ms": ms}, said[path], reference, pictures)
        return [here, *(_on(target, subject, reference, pictures) for target in taken)]

    # targets work in processes of their own; a file's classifier is used by one thread only
    with ThreadPoolExecutor(min(machine.usable_cores(), _AT_ONCE)) as pool:
        found = list(pool.map(on_all, subjects, times))
    return [row for rows_ in found for row in rows_] + absent


def _times(subjects: Sequence[Classifier], runs: int) -> list[float | None]:
    """Median ms of each, in turns."""
    if not runs:
        return [None] * len(subjects)
    faces = [np.full(subject.input_size, 128, np.uint8) for subject in subjects]
    calls = [lambda s=s, f=f: s.predict_one(f) for s, f in zip(subjects, faces, strict=True)]
    return [float(np.median(taken)) for taken in latency.timed(calls, min(runs, 50), runs, 0)["wall_ms"]]


def _reference(
    path: Path, said: dict[Path, NDArray[np.float32]], pictures: Pictures
) -> NDArray[np.float32] | None:
    """What the network's float32 file says, None where there is none; `said`: of the files compared."""
    family, known = split_name(path.stem)
    wanted = path.with_name(f"{family}_{Format.FLOAT32}.tflite")
    if known is None:
        return None
    among = [given for other, given in said.items() if other == wanted or other.name == wanted.name]
    if among or not wanted.is_file():
        return among[0] if among else None
    subject = Classifier(wanted)
    return subject.predict(pictures.fitted(subject.input_size))


def _on(
    target: Target, subject: Classifier, reference: NDArray[np.float32] | None, pictures: Pictures
) -> Row:
    try:
        made = target.make(subject, pictures, None)
    except FerEdgeError as error:
        return Row(subject.path.stem, target.name, refused=command.refusal(error, subject.path))
    report = {**made.report, "npu_ms": made.report.get("ms"), "ms": None}
    return _row(subject, target.name, made.deployed, report, made.probabilities, reference, pictures)


def _row(
    subject: Classifier,
    target: str,
    deployed: bytes,
    report: dict[str, Any],
    said: NDArray[np.float32] | None,
    reference: NDArray[np.float32] | None,
    pictures: Pictures,
) -> Row:
    """report: of the target's tool, before what the file itself says. said: probabilities that it gives."""
    main = graph.read(file.read_bytes(subject.path))[0]
    here = graph.peak(main)[0] if target == LITERT else None
    row = Row(
        subject.path.stem,
        target,
        bytes=len(deployed),
        compressed_bytes=file.compressed_bytes(deployed),
        ops=sum(report["ops"].values()) if "ops" in report else report.get("npu_parts", len(main.operators)),
        macs=report.get("macs", graph.macs(main)),
        ms=report["ms"],
        npu_ms=report.get("npu_ms"),
        memory_bytes=report.get("arena_bytes", report.get("sram_bytes", here)),
    )
    if said is None:  # nothing here can run it
        return row
    row = dataclasses.replace(row, accuracy=pictures.accuracy(said, subject.labels))
    if reference is None:
        return row
    agreement, difference = metrics.agreement(said, reference), metrics.max_abs_diff(said, reference)
    return dataclasses.replace(row, agreement=agreement, max_abs_diff=difference)


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
