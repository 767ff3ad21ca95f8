"""The table of targets, and what `convert --target` and `inspect --target` do with them."""

from __future__ import annotations

import dataclasses
import difflib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fer_edge import console, files
from fer_edge.errors import FerEdgeError, GateError, MissingExtraError, ModelError, UsageError
from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format
from fer_edge.tables import Table, percent
from fer_edge.targets import (
    Target,
    drawn,
    ethos_u,
    microcontroller,
    onnx_file,
    pictures_of,
    web_page,
)

TARGETS: dict[str, Target] = {
    "microcontroller": microcontroller.TARGET,
    "ethos-u": ethos_u.TARGETS["ethos-u55-128"],
    "onnx": onnx_file.TARGET,
    "web": web_page.TARGET,
    **ethos_u.TARGETS,
}
"""Name -> target. An entry here is all that a new one needs (docs/targets.md)."""
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
    """Targets by name, each once; `all` is one of each kind. Raises UsageError, with the nearest names."""
    found: dict[str, Target] = {}
    for name in names:
        if name != "all" and name not in TARGETS:
            near = difflib.get_close_matches(name, TARGETS, n=2, cutoff=0.5)
            hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(TARGETS)}, all"
            raise UsageError(f"there is no target {name!r}: {hint}")
        kinds = [known for known in TARGETS if known not in ethos_u.TARGETS]
        found |= {TARGETS[known].name: TARGETS[known] for known in (kinds if name == "all" else [name])}
    return tuple(found.values())


def tflite_file(model: str | None) -> Path | None:
    """The .tflite file that `model` names or is, None for all else."""
    if model and (model.endswith(".tflite") or model in {path.stem for path in shipped.models()}):
        return shipped.find_model(model)
    return None


def formats(targets: Iterable[Target], asked: Iterable[Format]) -> tuple[Format, ...]:
    """What is converted: `asked`, and what the targets are made from, in the order of `Format`."""
    wanted = {*asked, *(format_ for target in targets for format_ in target.formats)}
    return tuple(format_ for format_ in Format if format_ in wanted)


def of_file(path: Path, request: Request) -> dict[str, Any]:
    """Each target of a .tflite file as it is. Gives the value of --json."""
    jobs = [(target, path) for target in request.targets]
    return {"source": str(path), "targets": _all(jobs, request.out or path.parent, request)}


def of_converted(result: dict[str, Any], request: Request) -> dict[str, Any]:
    """Each target of the formats that it is made from; `result`: of the conversion, extended."""
    paths = {output["format"]: Path(output["path"]) for output in result["outputs"]}
    jobs = [(t, paths[f.value]) for t in request.targets for f in t.formats if f.value in paths]
    folder = request.out or next(iter(paths.values())).parent
    return {**result, "targets": _all(jobs, folder, request)}


def _all(jobs: Sequence[tuple[Target, Path]], folder: Path, request: Request) -> list[dict[str, Any]]:
    """Makes and writes them, prints the table. Raises GateError, at the end, if one failed its gate."""
    for target, path in jobs:
        target.require()
        files.refuse_to_overwrite_any(target.paths(path.stem, folder), request.force)
    pictures = pictures_of(
        request.data, PARITY_PICTURES, seed=request.seed, skip_bad_rows=request.skip_bad_rows
    )
    table = Table(
        f"against LiteRT here on {pictures.name}",
        ("model", "target", "kB", "agreement %", "max diff", "needs", "written"),
        words=("model", "target", "needs", "written"),
    )
    results: list[dict[str, Any]] = []
    failed: list[FerEdgeError] = []
    for target, path in jobs:
        console.say(f"{target.name} of {path.name}")
        try:
            made = target.make(Classifier(path), pictures, None)
        except GateError as error:
            failed.append(error)
            continue
        paths = target.paths(path.stem, folder)
        made.write(paths, request.force)
        found = made.agreement
        results.append(
            {
                "model": str(path),
                "target": target.name,
                "files": {str(name): len(data) for name, data in zip(paths, made.contents, strict=True)},
                "agreement": None if found is None else dataclasses.asdict(found),
                **made.report,
            }
        )
        table.add(
            path.stem,
            target.name,
            f"{sum(map(len, made.contents)) / 1e3:.0f}",
            percent(found.agreement if found else None, 2),
            found and f"{found.max_abs_diff:.4f}",
            made.needs(),
            paths[0] if len(paths) == 1 else paths[0].parent,
        )
    if results:
        table.show()
    if failed:
        raise GateError(" | ".join(str(error) for error in failed))
    return results


def tried(target: Target, classifier: Classifier, card: Path | None = None) -> dict[str, Any]:
    """Whether the target takes the model, by its own tool, on a few drawn faces; nothing is written.

    `target`, `accepted`, None where the tool is not installed here, `why` not, or what it needs, and the
    target's report. Takes seconds, with ONNX more.
    """
    found: dict[str, Any] = {"target": target.name, "accepted": None}
    try:
        target.require()
    except FerEdgeError as error:
        return {**found, "why": str(error)}
    try:
        made = target.make(classifier, drawn(7), card)
    except MissingExtraError as error:
        return {**found, "why": str(error)}
    except (ModelError, GateError) as error:
        return {**found, "accepted": False, "why": refusal(error, classifier.path)}
    return {**found, "accepted": True, "why": made.needs(), **made.report}


def refusal(error: FerEdgeError, path: Path) -> str:
    """Why a target does not take a file, without its path, so that equal reasons read alike."""
    reason = str(error).removeprefix(f"{path}: ").split("; convert with")[0].removesuffix(": not written")
    return reason.replace(str(path), "it")
