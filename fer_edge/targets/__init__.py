"""What a target is: a way to give a model to another runtime than LiteRT here. Its table is in `command`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.model.classifier import Classifier
from fer_edge.spec import LABELS, Format

SPLIT = "PublicTest"
"""The split that one may choose on."""
DRAWN = 70
"""Drawn faces where no data is given: ten of each expression."""


@dataclass(frozen=True)
class Target:
    """An entry of the table. name: as it is given on the command line.

    formats: what is made for it where a Keras model is converted. outputs: the names of the files that it
    gives, in which `{stem}` is that of the model's file. require: raises a FerEdgeError, with what to
    install, where its tool is absent here. make: of a model, the pictures to prove it on, and the card of a
    model that carries none; raises ModelError where the tool refuses the model, GateError where the result
    does not agree with LiteRT or would not run on the target alone.
    """

    name: str
    formats: tuple[Format, ...]
    outputs: tuple[str, ...]
    require: Callable[[], object]
    make: Callable[[Classifier, Pictures, Path | None], Made]

    def paths(self, stem: str, folder: Path) -> tuple[Path, ...]:
        """The files that it gives in `folder` for a model's file of that stem."""
        return tuple(folder / name.format(stem=stem) for name in self.outputs)


@dataclass(frozen=True)
class Made:
    """What a target gives, not yet written: the contents of its outputs, in their order.

    report: plain values that the target's tool measured or estimated. agreement: with LiteRT here, and
    probabilities: what the result gives for the pictures, float32 (N, labels); None where nothing here can
    run it. deployed: what takes the device's memory, by default the largest of the contents.
    """

    contents: tuple[bytes, ...]
    report: dict[str, Any] = field(default_factory=dict)
    agreement: Agreement | None = None
    probabilities: NDArray[np.float32] | None = None
    deployed: bytes = b""

    def __post_init__(self) -> None:
        object.__setattr__(self, "deployed", self.deployed or max(self.contents, key=len))

    def write(self, paths: tuple[Path, ...], force: bool) -> None:
        """Writes all files or none. Raises OutputError if one exists and `force` is not given."""
        files.refuse_to_overwrite_any(paths, force)
        for path, data in zip(paths, self.contents, strict=True):
            files.write_bytes(path, data)

    def needs(self) -> str:
        """What the target's tool measured or estimated, in a few words."""
        kib = {name: f"{self.report.get(f'{name}_bytes', 0) / 1024:.0f} KiB" for name in ("flash", "sram")}
        if "arena_bytes" in self.report:
            return f"{kib['flash']} flash, {self.report['arena_bytes'] / 1024:.0f} KiB arena"
        if "cycles" in self.report:
            time = f"{self.report['ms']:.2f} ms at {self.report['mhz']:.0f} MHz (estimated)"
            return f"{kib['flash']} flash, {kib['sram']} SRAM, {time}"
        return ", ".join(f"{name} {value}" for name, value in self.report.items() if isinstance(value, int))


@dataclass(frozen=True)
class Pictures:
    """On which a target is compared with LiteRT: images uint8 (N, height, width).

    labels: int64 (N,) of spec.LABELS, None for drawn faces, whose expressions a model of real ones need not
    know. name: for tables. ferplus: int64 (N,), of FER+'s labels, -1 where its voters did not agree; None
    without votes.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    name: str
    ferplus: NDArray[np.int64] | None = None

    def accuracy(self, p: NDArray[np.float32], labels: tuple[str, ...]) -> float | None:
        """Of probabilities (N, len(labels)), by the labels of the same expressions; None without any."""
        from fer_edge.data import ferplus

        for names, truth in ((LABELS, self.labels), (ferplus.LABELS, self.ferplus)):
            if truth is not None and sorted(labels) == sorted(names):
                right = p[:, [labels.index(name) for name in names]].argmax(axis=1) == truth
                return float(right[truth >= 0].mean())
        return None

    def fitted(self, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
        """The images at the size that a model takes, uint8 (N, *size_hw)."""
        from fer_edge.vision.crop import resize_face

        if self.images.shape[1:] == size_hw:
            return self.images
        return np.stack([resize_face(image, size_hw) for image in self.images])


def drawn(count: int = DRAWN) -> Pictures:
    """Faces that the program draws, the same in every call."""
    from fer_edge.data import drawn_faces

    return Pictures(drawn_faces(count, seed=0)[0], None, f"{count} drawn faces")


def pictures_of(
    data: str | None, limit: int, *, seed: int = 0, skip_bad_rows: bool = False, labels: str | None = None
) -> Pictures:
    """At most `limit` pictures of PublicTest, drawn by the seed; drawn faces where `data` is None.

    labels: `ferplus:FILE` for FER+'s votes besides. Raises DataError, UsageError.
    """
    if data is None:
        return drawn()
    from fer_edge.data import ferplus, load
    from fer_edge.evaluation import select

    kind, _, votes = (labels or "fer2013").partition(":")
    dataset = load(data, skip_bad_rows=skip_bad_rows, seed=seed)
    if kind == "ferplus" and votes:  # its rows stay those of FER-2013, since both are judged
        dataset = ferplus.attach(dataset, Path(votes))
    else:
        dataset = ferplus.chosen(dataset, labels)
    chosen = select(dataset, "official", SPLIT, limit=limit, seed=seed).dataset
    other = None
    if votes:
        agreed = ferplus.relabelled(chosen)
        other = np.full(len(chosen), -1)
        other[np.isin(chosen.ids, agreed.ids)] = agreed.labels
    return Pictures(chosen.images, chosen.labels, f"{len(chosen)} pictures of {SPLIT}", other)


@dataclass(frozen=True)
class Agreement:
    """Two runtimes on the same pictures: share of pictures with the same label, largest and mean difference
    of a probability, and accuracy of the first where labels are known."""

    pictures: int
    agreement: float
    max_abs_diff: float
    mean_abs_diff: float
    accuracy: float | None


def compare(classifier: Classifier, p: NDArray[np.float32], pictures: Pictures) -> Agreement:
    """p: probabilities float32 (N, labels) that the runtime in question gives; LiteRT's are made here."""
    q = classifier.predict(pictures.fitted(classifier.input_size))
    difference = np.abs(p.astype(np.float64) - q)
    return Agreement(
        len(p),
        float((p.argmax(axis=1) == q.argmax(axis=1)).mean()),
        float(difference.max()),
        float(difference.mean()),
        pictures.accuracy(p, classifier.labels),
    )


def template(folder: str, name: str, values: Mapping[str, object] | None = None) -> str:
    """A file of this package, `{{name}}` in it replaced by `values`, in one pass."""
    text = resources.files(__name__).joinpath(folder, name).read_text()
    return text if values is None else re.sub(r"\{\{(\w+)\}\}", lambda found: str(values[found[1]]), text)
