"""`bench --target`: files and targets in one table, what each takes and whether all say the same."""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
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
from fer_edge.tables import Table, milliseconds, percent, progress
from fer_edge.targets import Made, Pictures, Target, parse, pictures_of, refusal

LITERT = "litert"
"""The row of a file as it is, run here."""
_AT_ONCE = 4  # files; a converter to ONNX takes most of a GiB

Row = dict[str, Any]
"""One file on one target, as `--json` has it.

`model`, `target`, and `refused`, why the target does not take the file (`model` is empty where it takes none
here); else `bytes` of what is deployed (C source: of the array in flash), `compressed_bytes`, `ops` of the
deployed graph, `macs`, `memory_bytes` (peak of activations for litert, arena or SRAM), `npu_ms` (Vela's
estimate), `ms` (median here in LiteRT), `accuracy`, and `agreement` and `max_abs_diff` with the network's
float32 file in LiteRT here. None where it was not measured or cannot be.
"""


def _count(key: str, divisor: float = 1) -> Callable[[Row], str | None]:
    return lambda row: None if row[key] is None else f"{row[key] / divisor:.0f}"


_COLUMNS: dict[str, Callable[[Row], object]] = {
    "model, its targets": lambda row: row["model"] if row["target"] == LITERT else f"- {row['target']}",
    "kB": _count("bytes", 1e3),
    "zip kB": _count("compressed_bytes", 1e3),
    "ops": _count("ops"),
    "agree %": lambda row: percent(row["agreement"], 2),
    "acc %": lambda row: percent(row["accuracy"], 2),
    "ms here": lambda row: milliseconds(row["ms"]),
    "KiB": _count("memory_bytes", 1024),
    "NPU ms": lambda row: milliseconds(row["npu_ms"]),
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
    wanted = parse(names)
    pictures = pictures_of(data, limit, seed=seed, skip_bad_rows=skip_bad_rows, labels=labels)
    described = machine.describe()
    found = rows(paths, wanted, pictures, runs, lenient="all" in names)
    where = ", ".join(str(described[key]) for key in ("cpu", "system", "interpreter") if described[key])
    return {"machine": described, "pictures": pictures.title, "rows": found}, table(
        found, pictures.title, where
    )


def table(found: Sequence[Row], seen: str, where: str) -> Table:
    """Files, behind each its targets; under them what no target takes. seen, where: pictures, machine."""
    refused: dict[tuple[str, str], list[str]] = {}
    for row in found:
        if "refused" in row:
            refused.setdefault((row["target"], row["refused"]), []).append(row["model"])
    notes = [f"{seen}. {_LEGEND} {where}."]
    for (target, reason), models in refused.items():
        notes.append(f"refused: {', '.join(models)}{' on ' if models[0] else ''}{target}: {reason}")
    told = Table(f"files and targets on {seen}", tuple(_COLUMNS), optional=("zip kB", "ops"), notes=notes)
    for row in found:
        if "refused" not in row:
            told.add(*(cell(row) for cell in _COLUMNS.values()))
    return told


def rows(
    paths: Sequence[Path], targets: Sequence[Target], pictures: Pictures, runs: int, lenient: bool = False
) -> list[Row]:
    """A row of each file in LiteRT, and one a target behind it.

    The family's float32 file is looked for among `paths`, else beside the file. runs: timed inferences, 0
    for none. Raises ModelError for a file that does not run, MissingExtraError for a target without its
    tool, unless `lenient`: a row then says what is missing.
    """
    taken, found, absent = [], [], []
    for target in targets:
        try:
            target.require()
            taken.append(target)
        except FerEdgeError as error:
            if not lenient:
                raise
            absent.append({"model": "", "target": target.name, "refused": str(error)})
    subjects = [Classifier(path) for path in paths]
    said = [subject.predict(pictures.fitted(subject.input_size)) for subject in subjects]
    references, times = _references(subjects, said, pictures), _times(subjects, runs)
    # targets work in processes of their own; a file's classifier is used by one thread only
    with (
        ThreadPoolExecutor(min(machine.usable_cores(), _AT_ONCE)) as pool,
        progress("targets", len(subjects)) as step,
    ):
        on_all = functools.partial(_on_all, taken, pictures)
        for of_one in pool.map(on_all, subjects, said, references, times):
            found += of_one
            step(1)
    return found + absent


def _on_all(
    targets: Sequence[Target],
    pictures: Pictures,
    subject: Classifier,
    p: NDArray[np.float32],
    reference: NDArray[np.float32] | None,
    ms: float | None,
) -> list[Row]:
    """p: what the file itself says of the pictures."""
    data = file.read_bytes(subject.path)
    main = graph.read(data)[0]
    own = {"ops": graph.operators(data), "arena_bytes": main.peak()[0]}
    found = []
    for target in (None, *targets):
        row: Row = {"model": subject.path.stem, "target": target.name if target else LITERT}
        found.append(row)
        try:
            made = target.make(subject, pictures, None) if target else Made((data,), own, probabilities=p)
        except FerEdgeError as error:
            row["refused"] = refusal(error, subject.path)
            continue
        deployed, report = made.deployed or max(made.contents, key=len), made.report
        row |= {
            "bytes": len(deployed),
            "compressed_bytes": file.compressed_bytes(deployed),
            "ops": sum(report.get("ops", own["ops"]).values()),
            "macs": main.macs,
            "ms": None if target else ms,
            "npu_ms": report.get("ms"),
            "memory_bytes": report.get("arena_bytes", report.get("sram_bytes")),
            **dict.fromkeys(("agreement", "max_abs_diff", "accuracy")),
        }
        if made.probabilities is not None:
            row["accuracy"] = pictures.accuracy(made.probabilities, subject.labels)
            if reference is not None:
                row["agreement"] = metrics.agreement(made.probabilities, reference)
                row["max_abs_diff"] = metrics.max_abs_diff(made.probabilities, reference)
    return found


def _times(subjects: Sequence[Classifier], runs: int) -> list[float | None]:
    """Median ms of each, in turns."""
    if not runs:
        return [None] * len(subjects)
    faces = [np.full(subject.input_size, 128, np.uint8) for subject in subjects]
    calls = [lambda s=s, f=f: s.predict_one(f) for s, f in zip(subjects, faces, strict=True)]
    return [float(np.median(taken)) for taken in latency.timed(calls, min(runs, 50), runs, 0)["wall_ms"]]


def _references(
    subjects: Sequence[Classifier], said: Sequence[NDArray[np.float32]], pictures: Pictures
) -> list[NDArray[np.float32] | None]:
    """Of each, what the float32 file of its network says: one among the subjects, or one beside it."""
    known = {subject.path.name: p for subject, p in zip(subjects, said, strict=True)}
    found = []
    for subject in subjects:
        network, format_ = split_name(subject.path.stem)
        wanted = subject.path.with_name(f"{network}_{Format.FLOAT32}.tflite")
        if format_ and wanted.name not in known and wanted.is_file():
            other = Classifier(wanted)
            known[wanted.name] = other.predict(pictures.fitted(other.input_size))
        found.append(known.get(wanted.name) if format_ else None)
    return found
