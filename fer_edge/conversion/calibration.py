"""The pictures that set the ranges of integer files: drawn from Training alone, every expression covered.

Which rows of FER-2013 those are is committed (convert/calibration_fer2013.json, made by
`convert/draw_calibration.py`), so that a shipped file can be made again; for other data they are drawn
afresh in the same way.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.data.dataset import Dataset
from fer_edge.errors import DataError
from fer_edge.model import shipped
from fer_edge.spec import LABELS
from fer_edge.vision.crop import resize_face

LEAST_PER_CLASS = 5
LEAST_PICTURES = 70
LEAST_CONTRAST = 32
"""Gray levels between a picture's darkest and brightest pixel, in the middle of all calibration pictures;
FER-2013 has 225. Pictures scaled to 0..1 have 1."""
LEAST_CORRELATION = 0.5
"""Of horizontal neighbours; FER-2013 has 0.97, noise 0."""


@dataclass(frozen=True)
class Calibration:
    """faces: uint8 (N, height, width), gray levels, at least one pixel 0 and one 255. ids: int64 (N,),
    rows of the data set. origin: where the choice comes from, for people."""

    faces: NDArray[np.uint8]
    ids: NDArray[np.int64]
    origin: str


def choose(dataset: Dataset, samples: int, seed: int, size_hw: tuple[int, int] = (48, 48)) -> Calibration:
    """Calibration faces from the Training rows of `dataset`, resized as `run` does.

    The committed rows where they are for this data, number and seed, else `draw`. Raises DataError if
    what comes out is no fit calibration (`check`).
    """
    ids, origin = None, "committed rows"
    if dataset.label_names == LABELS:
        ids = committed(dataset.sha256, samples, seed)
    if ids is None:
        ids, origin = draw(dataset, samples, seed), f"drawn with seed {seed}"
    chosen = dataset.rows(np.isin(dataset.ids, ids)).part("Training")
    check(chosen.images, chosen.labels, chosen.label_names)
    faces = np.stack([resize_face(np.asarray(face), size_hw) for face in chosen.images])
    return Calibration(pinned(faces), chosen.ids, f"{origin} of {Path(dataset.path).name}")


def training_faces(dataset: Dataset, size_hw: tuple[int, int]) -> NDArray[np.uint8]:
    """All Training pictures, uint8 (N, height, width), for quantisation-aware training."""
    images = np.asarray(dataset.part("Training").images)
    if images.shape[1:] == size_hw:
        return images
    return np.stack([resize_face(face, size_hw) for face in images])


def draw(dataset: Dataset, samples: int, seed: int) -> NDArray[np.int64]:
    """Ids, sorted int64, of `samples` Training rows, as many of each class as there are to have.

    A class with too few gives all, and the others fill up. Fewer ids come where Training is smaller.
    """
    training = dataset.part("Training")
    order = np.random.default_rng(seed).permutation(len(training))
    ranked = [order[training.labels[order] == label] for label in range(len(dataset.label_names))]
    rounds = max((len(rows) for rows in ranked), default=0)
    turns = [rows[k] for k in range(rounds) for rows in ranked if k < len(rows)]
    return np.sort(training.ids[np.array(turns[:samples], np.int64)])


def check(images: NDArray[Any], labels: NDArray[np.integer], names: tuple[str, ...] = LABELS) -> None:
    """Raises DataError, with the figure that shows it, unless the pictures can set ranges.

    Refused: another dtype than uint8, too few, a class missing, the wrong scale, noise.
    """
    if images.dtype != np.uint8:
        raise DataError(f"calibration pictures are {images.dtype}: gray levels 0..255 as uint8 are needed")
    if len(images) < LEAST_PICTURES:
        raise DataError(f"{len(images)} calibration pictures: at least {LEAST_PICTURES} are needed")
    counts = np.bincount(labels, minlength=len(names))
    lacking = [f"{name} {n}" for name, n in zip(names, counts, strict=True) if n < LEAST_PER_CLASS]
    if lacking:
        raise DataError(
            f"calibration covers {np.count_nonzero(counts)} of {len(names)} classes well enough or not at "
            f"all ({', '.join(lacking)}): at least {LEAST_PER_CLASS} pictures of each are needed"
        )
    levels = images.reshape(len(images), -1)
    contrast = float(np.median(levels.max(axis=1).astype(int) - levels.min(axis=1)))
    if contrast < LEAST_CONTRAST:
        raise DataError(
            f"calibration pictures span {contrast:g} gray levels (median; brightest pixel {levels.max()}): "
            f"at least {LEAST_CONTRAST} of 0..255 are needed; were they scaled?"
        )
    left, right = images[:, :, :-1].ravel(), images[:, :, 1:].ravel()
    correlation = float(np.corrcoef(left, right)[0, 1])
    if correlation < LEAST_CORRELATION:
        raise DataError(
            f"neighbouring pixels of the calibration pictures correlate by {correlation:.2f}, where faces "
            "have 0.97: this is noise"
        )


def pinned(faces: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """A copy whose first face has a pixel of 0 and one of 255, so that the input's range is 0..255
    (scale 1, zero point 0) whatever the pictures are; whole black and white ones would widen inner ranges."""
    faces = faces.copy()
    faces[0, 0, 0], faces[0, 0, 1] = 0, 255
    return faces


def committed_file() -> Path:
    """Where the committed rows lie, in a wheel and in a checkout."""
    folder = shipped.recipes_folder("convert")
    beside = folder / "calibration_fer2013.json"
    return beside if beside.is_file() else folder.parent / "calibration_fer2013.json"


def committed(data_sha256: str, samples: int, seed: int) -> NDArray[np.int64] | None:
    """The committed rows, if they are those of this data, number and seed."""
    try:
        stored = json.loads(committed_file().read_text())
        if (stored["data_sha256"], len(stored["ids"]), stored["seed"]) != (data_sha256, samples, seed):
            return None
        return np.array(stored["ids"], np.int64)
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_ids(dataset: Dataset, samples: int, seed: int, path: Path) -> None:
    """Writes the rows that `draw` gives as the file that `committed` reads."""
    ids = draw(dataset, samples, seed)
    head = {"data_sha256": dataset.sha256, "split": "Training", "seed": seed}
    lines = ",\n    ".join(", ".join(map(str, ids[k : k + 15])) for k in range(0, len(ids), 15))
    text = json.dumps(head, indent=2)[:-2] + f',\n  "ids": [\n    {lines}\n  ]\n}}\n'
    files.write_text(path, text)
