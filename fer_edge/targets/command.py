"""What `convert --target` does: the targets of files that were converted, or of a .tflite file as it is."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import console, files, tables
from fer_edge.errors import FerEdgeError, GateError
from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format
from fer_edge.targets import kinds, make
from fer_edge.targets.kinds import Target
from fer_edge.targets.made import Made, needs
from fer_edge.targets.pictures import Pictures, drawn, of

PARITY_PICTURES = 500
"""Pictures of --data, at most, on which a target is compared with LiteRT: TFLite Micro takes 60 ms each."""


@dataclass(frozen=True)
class Request:
    """The options of `convert` that matter to targets."""

    targets: tuple[Target, ...]
    data: str | None
    out: Path | None
    seed: int
    skip_bad_rows: bool
    force: bool


def parse(names: Iterable[str]) -> tuple[Target, ...]:
    """Targets by name, each once, in the order given. Raises UsageError, MissingExtraError."""
    found = tuple(dict.fromkeys(kinds.parse(name) for name in names))
    for target in found:
        make.require(target)
    return found


def tflite_file(model: str | None) -> Path | None:
    """The .tflite file that `model` names or is, None for all else."""
    if model is None:
        return None
    named = {path.stem: path for path in shipped.models()}
    if model in named:
        return named[model]
    return shipped.find_model(model) if model.endswith(".tflite") else None


def formats(targets: Iterable[Target], asked: Iterable[Format]) -> tuple[Format, ...]:
    """What is converted: `asked`, and what the targets are made from, in the order of `Format`."""
    wanted = {*asked, *(format_ for target in targets for format_ in target.formats)}
    return tuple(format_ for format_ in Format if format_ in wanted)


def of_file(path: Path, request: Request) -> dict[str, Any]:
    """Each target of a .tflite file as it is. Gives the value of --json."""
    folder = request.out or path.parent
    return {
        "source": str(path),
        "targets": _all([(target, path) for target in request.targets], folder, request),
    }


def of_converted(result: dict[str, Any], request: Request) -> dict[str, Any]:
    """Each target of the formats that it is made from; `result`: of the conversion, extended."""
    paths = {output["format"]: Path(output["path"]) for output in result["outputs"]}
    jobs = [(t, paths[f.value]) for t in request.targets for f in t.formats if f.value in paths]
    folder = request.out or next(iter(paths.values())).parent
    return {**result, "targets": _all(jobs, folder, request)}


def refuse_to_overwrite(jobs: Sequence[tuple[Target, Path]], folder: Path, force: bool) -> None:
    """Raises OutputError if a file that a target would give exists and `force` is not given."""
    for target, path in jobs:
        files.refuse_to_overwrite_any(make.outputs(target, path, folder), force)


def _all(jobs: Sequence[tuple[Target, Path]], folder: Path, request: Request) -> list[dict[str, Any]]:
    """Makes and writes them, prints the table. Raises GateError, at the end, if one failed its gate."""
    refuse_to_overwrite(jobs, folder, request.force)
    pictures = (
        drawn()
        if request.data is None
        else of(request.data, PARITY_PICTURES, seed=request.seed, skip_bad_rows=request.skip_bad_rows)
    )
    made: list[tuple[Path, Made]] = []
    failed: list[FerEdgeError] = []
    for target, path in jobs:
        console.say(f"{target.name} of {path.name}")
        try:
            result = make.make(target, Classifier(path), folder, pictures)
        except GateError as error:
            failed.append(error)
            continue
        result.write(request.force)
        made.append((path, result))
    if made:
        show(made, pictures)
    if failed:
        raise GateError(" | ".join(str(error) for error in failed))
    return [{"model": str(path), **result.to_dict()} for path, result in made]


def show(made: Sequence[tuple[Path, Made]], pictures: Pictures) -> None:
    """The table of what was made."""
    table = tables.new_table(f"against LiteRT here on {pictures.name}")
    for heading in ("model", "target"):
        table.add_column(heading)
    for heading in ("kB", "agreement %", "max diff"):
        table.add_column(heading, justify="right")
    for heading in ("needs", "written"):
        table.add_column(heading, overflow="fold")
    for path, result in made:
        found = result.agreement
        table.add_row(
            path.stem,
            result.target,
            f"{sum(map(len, result.files.values())) / 1e3:.0f}",
            tables.percent(found.agreement if found else None, 2),
            f"{found.max_abs_diff:.4f}" if found else "-",
            needs(result.report),
            str(next(iter(result.files))) if len(result.files) == 1 else str(next(iter(result.files)).parent),
        )
    tables.show(table)
