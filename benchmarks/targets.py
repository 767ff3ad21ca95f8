#!/usr/bin/env python3
"""One table over every format and target of every model that ships, full-integer files made for it besides:
what each takes of a machine, and whether all say the same.

Usage: python benchmarks/targets.py --data fer2013.csv [--votes fer2013new.csv] [--limit 500]

Needs the extras microcontroller, ethos-u, onnx and train, and `@litertjs/core` in a node_modules
folder; what is absent is named below the table. Writes results/targets.json and results/targets.md. A
network that no full-integer file agrees with is told, and has none in the table; exit 1 then.
"""

from __future__ import annotations

import argparse
import functools
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation, files, machine
from fer_edge.bench import latency
from fer_edge.console import Table, milliseconds, percent, progress
from fer_edge.conversion.source import SPLIT
from fer_edge.data import ferplus, load
from fer_edge.data.dataset import Dataset
from fer_edge.errors import FerEdgeError
from fer_edge.evaluation import metrics
from fer_edge.model import file, graph, shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS, Format, split_name
from fer_edge.targets import Artifact, Target, parse
from fer_edge.vision.crop import resize_faces

RESULTS = Path(__file__).resolve().parent / "results"
FER_EDGE = [sys.executable, "-c", "from fer_edge.cli import main; main()"]
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


def rows(paths: Sequence[Path], targets: Sequence[Target], data: Sequence[Dataset], runs: int) -> list[Row]:
    """A row of each file in LiteRT, and one a target behind it; at the end, targets whose tool is absent.

    The family's float32 file is looked for among `paths`, else beside the file. data: the same pictures under
    the labels of FER-2013, and of FER+. runs: timed inferences, 0 for none. Raises ModelError for a file that
    does not run.
    """
    taken, found, absent = [], [], []
    for target in targets:
        try:
            target.require()
            taken.append(target)
        except FerEdgeError as error:
            absent.append({"model": "", "target": target.name, "refused": str(error)})
    subjects = [Subject(Classifier(path), data) for path in paths]
    references = _references(subjects, data)
    # targets work in processes of their own; a file's classifier is used by one thread only
    with (
        ThreadPoolExecutor(min(machine.usable_cores(), _AT_ONCE)) as pool,
        progress("targets", len(subjects)) as step,
    ):
        for some in pool.map(functools.partial(_on_all, taken), subjects, references, _times(subjects, runs)):
            found += some
            step(1)
    return found + absent


class Subject:
    """A file, the pictures that it is judged on, and what it says of them, float32 (N, labels)."""

    def __init__(self, classifier: Classifier, data: Sequence[Dataset]) -> None:
        own = [one for one in data if sorted(one.label_names) == sorted(classifier.labels)]
        self.classifier, self._data, self._known = classifier, (own or data)[0], bool(own)
        self.path = classifier.path
        self.pictures = np.asarray(self._data.images)
        self.said = classifier.predict(resize_faces(self.pictures, classifier.input_size))

    def accuracy(self, p: NDArray[np.float32]) -> float | None:
        """Of probabilities (N, labels); None where nothing has labels of these expressions."""
        if not self._known:
            return None
        columns = [self.classifier.labels.index(name) for name in self._data.label_names]
        return float((p[:, columns].argmax(axis=1) == self._data.labels).mean())


def _on_all(
    targets: Sequence[Target], subject: Subject, reference: NDArray[np.float32] | None, ms: float | None
) -> list[Row]:
    data = file.read_bytes(subject.path)
    main = graph.read(data)[0]
    own = {"ops": graph.operators(data), "arena_bytes": main.peak_bytes}
    found = []
    for target in (None, *targets):
        row: Row = {"model": subject.path.stem, "target": target.name if target else LITERT}
        found.append(row)
        try:
            artifact = Artifact((data,), own, probabilities=subject.said)
            if target:
                artifact = target.make(subject.classifier, subject.pictures)
        except FerEdgeError as error:
            reason = str(error).removeprefix(f"{subject.path}: ").split("; convert with")[0]
            # equal reasons read alike, and share a line
            row["refused"] = reason.removesuffix(": not written").replace(str(subject.path), "it")
            continue
        report, p, deployed = artifact.report, artifact.probabilities, max(artifact.contents, key=len)
        if target and target.name == "microcontroller":
            deployed = file.without_zip(data)  # as C source holds it
        row |= {
            "bytes": len(deployed),
            "compressed_bytes": file.compressed_bytes(deployed),
            "ops": sum(report.get("ops", own["ops"]).values()),
            "macs": main.macs,
            "ms": None if target else ms,
            "npu_ms": report.get("ms"),
            "memory_bytes": report.get("arena_bytes", report.get("sram_bytes")),
            "accuracy": None if p is None else subject.accuracy(p),
            **dict.fromkeys(("agreement", "max_abs_diff")),
        }
        if p is not None and reference is not None:
            row["agreement"] = metrics.agreement(p, reference)
            row["max_abs_diff"] = metrics.max_abs_diff(p, reference)
    return found


def _times(subjects: Sequence[Subject], runs: int) -> list[float | None]:
    """Median ms of each, in turns."""
    if not runs:
        return [None] * len(subjects)
    some = [(one.classifier, np.full(one.classifier.input_size, 128, np.uint8)) for one in subjects]
    calls = [functools.partial(classifier.predict_one, face) for classifier, face in some]
    return [float(np.median(taken)) for taken in latency.timed(calls, min(runs, 50), runs, 0)["wall_ms"]]


def _references(subjects: Sequence[Subject], data: Sequence[Dataset]) -> list[NDArray[np.float32] | None]:
    """Of each, what the float32 file of its network says: one among the subjects, or one beside it."""
    known = {subject.path.name: subject.said for subject in subjects}
    found = []
    for subject in subjects:
        network, format_ = split_name(subject.path.stem)
        wanted = subject.path.with_name(f"{network}_{Format.FLOAT32}.tflite")
        if format_ and wanted.name not in known and wanted.is_file():
            known[wanted.name] = Subject(Classifier(wanted), data).said
        found.append(known.get(wanted.name) if format_ else None)
    return found


def main() -> int:
    options = _options()
    failed = []
    with tempfile.TemporaryDirectory() as folder:
        for model in options.model or sorted(shipped.models_folder().glob("*.keras")):
            command = [*FER_EDGE, "convert", str(model), "--full-integer", "--data", options.data]
            card = evaluation.keras_card(model)
            if card is not None and sorted(card.labels) != sorted(LABELS):
                if options.votes is None:
                    print(f"{model}: no full-integer file without --votes", file=sys.stderr)
                    continue
                command += ["--labels", f"ferplus:{options.votes}"]
            if subprocess.run([*command, "--out", folder], check=False).returncode:
                failed.append(str(model))
        families = [model.stem for model in options.model or ()]
        ours = [path for path in shipped.models() if not families or split_name(path.stem)[0] in families]
        found = rows(
            sorted([*ours, *Path(folder).glob("*.tflite")], key=place),
            parse(("microcontroller", "ethos-u", "onnx", "web")),
            pictures_of(options.data, options.votes, options.limit),
            options.runs,
        )
    described = machine.describe()
    seen = f"{options.limit} pictures of {SPLIT}"
    where = ", ".join(str(described[key]) for key in ("cpu", "system", "interpreter") if described[key])
    shown = table(found, seen, where)
    shown.show()
    result = {"machine": described, "pictures": seen, "rows": found}
    files.write_text(options.results / "targets.json", files.to_json(result, indent=2) + "\n")
    files.write_text(options.results / "targets.md", shown.markdown())
    for name in failed:
        print(f"{name}: no full-integer file", file=sys.stderr)
    return bool(failed)


def pictures_of(path: str, votes: Path | None, limit: int) -> list[Dataset]:
    """At most `limit` of PublicTest by FER-2013's labels; so many again that FER+'s voters agree on."""
    whole = load(path)
    labelled = [whole, *([ferplus.chosen(whole, f"ferplus:{votes}")] if votes else [])]
    return [evaluation.select(one, "official", SPLIT, limit=limit).dataset for one in labelled]


def place(path: Path) -> tuple[str, int]:
    """Families by name, their formats in our order."""
    family, known = split_name(path.stem)
    return family, list(Format).index(Format(known)) if known else len(Format)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", required=True, metavar="PATH", help="FER-2013")
    parser.add_argument("--votes", metavar="FILE", help="FER+'s fer2013new.csv, for edge_ferplus")
    parser.add_argument("--model", action="append", type=Path, help="a .keras file; default: all that ship")
    parser.add_argument("--limit", type=int, default=500, help="pictures of PublicTest (500)")
    parser.add_argument("--runs", type=int, default=200, help="timed inferences (200); at least 1")
    parser.add_argument("--results", type=Path, default=RESULTS, metavar="DIR", help="(benchmarks/results)")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
