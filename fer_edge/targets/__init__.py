"""Targets: exports of a model to other runtimes, and how `convert` uses them.

A target is a module with a function `make`, and an entry of TARGETS.
"""

from __future__ import annotations

import importlib
import importlib.util
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_edge import child, console, files
from fer_edge.console import Table, percent
from fer_edge.errors import GateError, MissingExtraError, UsageError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier, load_interpreter
from fer_edge.spec import Format

if TYPE_CHECKING:
    from fer_edge.conversion.command import Request

DRAWN = 70  # drawn faces if no data is given: ten of each expression
PARITY_PICTURES = 500
"""Most pictures of --data on which a target is compared with LiteRT: TFLite Micro takes 60 ms each."""
FLOAT = (0.999, 1e-3)
INTEGER = (0.95, 0.1)
"""Least share of pictures with the same label, largest difference of a probability. LiteRT's own two sets of
int8 kernels differ by up to 0.04, because they round differently."""

Pictures = NDArray[np.uint8]  # on which a target is compared with LiteRT: (N, height, width)


class Agreement(NamedTuple):
    """Of two runtimes: share of pictures with the same label, largest difference of a probability."""

    pictures: int
    agreement: float
    max_abs_diff: float


def compare(classifier: Classifier, p: NDArray[np.float32], pictures: Pictures) -> Agreement:
    """p: probabilities float32 (N, labels) of the other runtime; LiteRT's are computed here."""
    from fer_edge.evaluation import metrics
    from fer_edge.vision.crop import resize_faces

    q = classifier.predict(resize_faces(pictures, classifier.input_size))
    return Agreement(len(p), metrics.agreement(p, q), metrics.max_abs_diff(p, q))


def check(found: Agreement, classifier: Classifier, target: str) -> None:
    """Raises GateError if a target does not agree with LiteRT. One picture may always differ."""
    tensors = graph.read(file.read_bytes(classifier.path))[0].tensors
    integer = any(tensor.dtype == "int8" and not tensor.constant for tensor in tensors)
    least, most = INTEGER if integer else FLOAT
    others = round((1 - found.agreement) * found.pictures)
    if others > max(1, (1 - least) * found.pictures) or not found.max_abs_diff <= most:
        raise GateError(
            f"{classifier.path} for {target} agrees with LiteRT on {found.agreement:.2%} of {found.pictures} "
            f"pictures, differing by up to {found.max_abs_diff:.4f}: not written ({least:.1%}, {most} wanted)"
        )


@dataclass(frozen=True)
class Artifact:
    """The result of a target before it is written: the contents of its outputs, in order.

    report: plain values that the target's tool measured or estimated; needs: the same in a few words.
    probabilities: the result's answers for the pictures, float32 (N, labels); None if it cannot be run here.
    """

    contents: tuple[bytes, ...]
    report: dict[str, Any] = field(default_factory=dict)
    needs: str = ""
    probabilities: NDArray[np.float32] | None = None


@dataclass(frozen=True)
class Target:
    """An entry of the table. name: as on the command line.

    formats: made for it when a Keras model is converted. outputs: names of its files, in which `{stem}` is
    that of the model's file. require: raises a FerEdgeError that says what to install if its tool is missing.
    make: takes a model and pictures to check it on; raises ModelError if the tool refuses the model,
    GateError if the result would not run entirely on the target.
    """

    name: str
    formats: tuple[Format, ...]
    outputs: tuple[str, ...]
    require: Callable[[], object]
    make: Callable[[Classifier, Pictures], Artifact]


def _need(extra: str, *packages: str) -> None:
    """Raises MissingExtraError if a package of the extra is missing."""
    for package in packages:
        if importlib.util.find_spec(package) is None:
            raise MissingExtraError(package, extra, f"the target {extra}")


def _call(module: str, function: str, *given: Any, **fixed: Any) -> Any:
    """Calls a function in a module of this package, which is imported only then."""
    return getattr(importlib.import_module(f"{__name__}.{module}"), function)(*given, **fixed)


ACCELERATORS = (
    *("ethos-u55-32", "ethos-u55-64", "ethos-u55-128", "ethos-u55-256"),
    *("ethos-u65-256", "ethos-u65-512"),
    *("ethos-u85-128", "ethos-u85-256", "ethos-u85-512", "ethos-u85-1024", "ethos-u85-2048"),
)
"""Arm's NPUs, named as in Vela's --accelerator-config: family and multiply-accumulates per cycle."""

_NPUS = {
    name: Target(
        name,
        (Format.FULL_INTEGER,),
        (f"{{stem}}_{name}.tflite",),
        partial(_need, "ethos-u", "ethosu"),
        partial(_call, "ethos_u", "make", accelerator=name),
    )
    for name in ACCELERATORS
}
TARGETS: dict[str, Target] = {
    "microcontroller": Target(
        "microcontroller",
        (Format.FULL_INTEGER,),
        tuple(f"{{stem}}_microcontroller/{name}" for name in ("{stem}.h", "{stem}.c", "main.cc")),
        partial(_need, "microcontroller", "tflite_micro"),
        partial(_call, "microcontroller", "make"),
    ),
    "ethos-u": _NPUS["ethos-u55-128"],
    "onnx": Target(
        "onnx",
        (Format.FLOAT32, Format.INT8),
        ("{stem}.onnx",),
        partial(_need, "onnx", "tf2onnx", "onnxruntime", "tensorflow"),
        partial(_call, "onnx_file", "make"),
    ),
    "web": Target(
        "web",
        (Format.INT8,),
        ("{stem}.html",),
        partial(_call, "web_page", "runtime"),
        partial(_call, "web_page", "make"),
    ),
    **_NPUS,
}
"""Name -> target. A new one needs only an entry here and its function."""


def parse(names: Iterable[str]) -> tuple[Target, ...]:
    """Targets by name, without duplicates. Raises UsageError for another name."""
    for name in names:
        if name not in TARGETS:
            raise UsageError(f"there is no target {name!r}: choose from {', '.join(TARGETS)}")
    return tuple({TARGETS[name].name: TARGETS[name] for name in names}.values())


def _pictures(request: Request) -> tuple[Pictures, str]:
    """Pictures of PublicTest, by the seed, or drawn faces; and their description. Raises DataError."""
    from fer_edge.conversion.source import SPLIT
    from fer_edge.data import drawn_faces
    from fer_edge.evaluation import select

    if not request.data:
        return drawn_faces(DRAWN, seed=0)[0], f"{DRAWN} drawn faces"
    chosen = select(request.dataset(), "official", SPLIT, limit=PARITY_PICTURES, seed=request.seed).dataset
    return chosen.images, f"{len(chosen)} pictures of {SPLIT}"


def write_all(jobs: Sequence[tuple[Target, Path]], request: Request) -> list[dict[str, Any]]:
    """Writes each target of its .tflite file, beside it or in `request.out`; prints and returns the rows.

    Raises ModelError if a target refused a file, GateError if one failed its gate; those before are written.
    """
    written = [
        [(request.out or path.parent) / name.format(stem=path.stem) for name in target.outputs]
        for target, path in jobs
    ]
    files.refuse_to_overwrite_any([path for paths in written for path in paths], request.force)
    pictures, title = _pictures(request)
    table = Table(
        f"against LiteRT here on {title}",
        ("model", "target", "kB", "agreement %", "max diff", "needs", "written"),
        words=("model", "target", "needs", "written"),
    )
    results: list[dict[str, Any]] = []
    for (target, path), paths in zip(jobs, written, strict=True):
        classifier = Classifier(path)
        with console.working(f"{target.name} of {path.name}"):
            artifact = target.make(classifier, pictures)
            p = artifact.probabilities
            found = None if p is None else compare(classifier, p, pictures)
        for output, data in zip(paths, artifact.contents, strict=True):
            files.write_bytes(output, data, request.force)
        sizes = {str(name): len(data) for name, data in zip(paths, artifact.contents, strict=True)}
        row = {"model": str(path), "target": target.name, "files": sizes}
        results.append({**row, "agreement": found and found._asdict(), **artifact.report})
        table.add(
            path.stem,
            target.name,
            f"{sum(sizes.values()) / 1e3:.0f}",
            percent(found and found.agreement, 2),
            found and f"{found.max_abs_diff:.4f}",
            artifact.needs,
            paths[0] if len(paths) == 1 else paths[0].parent,
        )
    table.show()
    return results


@contextmanager
def in_child(
    function: Callable[..., Any], classifier: Classifier, pictures: Pictures, *arguments: str
) -> Iterator[tuple[Path, Any]]:
    """For targets: a folder in which a child has worked, and its result.

    function: called in the child with the folder, the model's path and `arguments`. The folder has
    model.tflite, the model without labels and card, and faces.npy, the pictures as the model takes them.
    Raises ModelError as `child.run` does.
    """
    from fer_edge.vision.crop import resize_faces

    with tempfile.TemporaryDirectory() as name:
        folder, path = Path(name), classifier.path.resolve()
        (folder / "model.tflite").write_bytes(file.without_zip(file.read_bytes(path)))
        np.save(folder / "faces.npy", resize_faces(pictures, classifier.input_size))
        given = (name, str(path), *arguments)
        yield folder, child.run(function, *given, what=str(classifier.path), timeout_s=900)


class OtherRuntime:
    """Another runtime behind the interface of LiteRT's interpreter, which says what goes in and comes out.

    run: takes the input tensor, returns the output tensor. `partial(OtherRuntime, run)` loads a Classifier.
    """

    def __init__(self, run: Callable[[NDArray[Any]], NDArray[Any]], *model: Any) -> None:
        litert = load_interpreter(*model)
        self.get_input_details, self.get_output_details = litert.get_input_details, litert.get_output_details
        self._run = run

    def set_tensor(self, index: int, value: NDArray[Any]) -> None:
        self._input = value

    def invoke(self) -> None:
        self._output = self._run(self._input)

    def get_tensor(self, index: int) -> NDArray[Any]:
        return self._output


def template(folder: str, name: str, values: Mapping[str, object] | None = None) -> str:
    """A file of this package, `{{name}}` in it replaced by `values`, in one pass."""
    text = Path(__file__).with_name(folder).joinpath(name).read_text()
    return text if values is None else re.sub(r"\{\{(\w+)\}\}", lambda found: str(values[found[1]]), text)
