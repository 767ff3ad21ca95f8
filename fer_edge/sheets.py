"""Sheets of faces, a row for each expression: samples and augmentations (Figure 6).

They show faces of the data set, so they stay out of any repository.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.data.dataset import Dataset
from fer_edge.errors import OutputError
from fer_edge.training.augmentation import CHANGES, affine, augment
from fer_edge.training.recipes import Augmentation
from fer_edge.vision.opencv import cv2

Picture = NDArray[np.uint8]

SAMPLES, SAMPLE_PX = 12, 96
MIXTURES = 3
CELL_PX = 144
_NAMES_PX, _HEADS_PX, _GAP_PX = 110, 24, 4


def sample_sheet(dataset: Dataset, seed: int) -> Picture:
    """uint8 (7 * 100, 110 + 12 * 100, 3): up to 12 faces of each class, drawn by lot."""
    rows = [(_enlarged(face, SAMPLE_PX) for face in faces[:SAMPLES]) for faces in _by_class(dataset, seed)]
    return _sheet(dataset.label_names, rows, SAMPLE_PX, SAMPLES)


def augmentation_sheet(dataset: Dataset, how: Augmentation, seed: int) -> Picture:
    """A picture of each class, then panels under their names: (a) to (e) of Figure 6, one change each.

    Changes that `how` does not make are left out; a recipe that mixes changes has mixtures after them, as
    it trains on. Single changes are drawn from the outer half of their range, so that they can be seen.
    """
    random = np.random.default_rng(seed)
    amounts = (how.rotation_deg, how.shift_px, how.shift_px, how.zoom_max - how.zoom_min, how.flip)
    used = [name for name, amount in zip(CHANGES, amounts, strict=True) if amount]
    mixtures = 0 if how.one_change else MIXTURES
    heads = ["picture", *(f"({'abcde'[CHANGES.index(name)]}) {name}" for name in used)]
    heads += ["mixture"] * mixtures
    rows = []
    for faces in _by_class(dataset, seed):
        cells: list[Picture] = []
        for face in faces[:1]:
            mixed = augment(np.repeat(face[None], mixtures, axis=0), how, random)
            cells = [face, *(_changed(face, name, how, random) for name in used), *mixed]
        rows.append([_enlarged(cell, CELL_PX) for cell in cells])
    return _sheet(dataset.label_names, rows, CELL_PX, len(heads), heads)


def write_sheet(sheet: Picture, path: Path, force: bool = True) -> None:
    """Writes a sheet as a picture file. Raises OutputError if its kind is unknown or writing fails."""
    try:
        done, encoded = cv2.imencode(path.suffix or ".png", sheet)
    except cv2.error:
        done = False
    if not done:
        raise OutputError(f"cannot write {path}: use a name that ends in .png")
    files.write_bytes(path, encoded.tobytes(), force)


def _by_class(dataset: Dataset, seed: int) -> Iterator[Picture]:
    """The faces of each class, in an order drawn by lot."""
    random = np.random.default_rng(seed)
    for class_id in range(len(dataset.label_names)):
        yield dataset.images[random.permutation(np.flatnonzero(dataset.labels == class_id))]


def _sheet(
    names: Sequence[str],
    rows: Sequence[Iterable[Picture]],
    side: int,
    columns: int,
    heads: Sequence[str] = (),
) -> Picture:
    """uint8 (H, W, 3), white: cells of `side` pixels beside the rows' names and under `heads`."""
    pitch, top = side + _GAP_PX, _HEADS_PX if heads else 0
    sheet = np.full((top + len(rows) * pitch, _NAMES_PX + columns * pitch, 3), 255, np.uint8)
    for column, head in enumerate(heads):
        _write(sheet, head, (_NAMES_PX + column * pitch + 4, 16), 0.45)
    for line, (name, cells) in enumerate(zip(names, rows, strict=True)):
        y = top + line * pitch + _GAP_PX // 2
        _write(sheet, name, (8, y + side // 2 + 6), 0.6)
        for column, cell in enumerate(cells):
            x = _NAMES_PX + column * pitch + _GAP_PX // 2
            sheet[y : y + side, x : x + side] = cell
    return sheet


def _write(sheet: Picture, text: str, at: tuple[int, int], size: float) -> None:
    cv2.putText(sheet, text, at, cv2.FONT_HERSHEY_SIMPLEX, size, (0, 0, 0), 1, cv2.LINE_AA)


def _enlarged(face: Picture, side: int) -> Picture:
    large = cv2.resize(face, (side, side), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)


def _changed(face: Picture, change: str, how: Augmentation, random: np.random.Generator) -> Picture:
    """One change of CHANGES alone."""
    part = random.uniform(0.5, 1) * random.choice((-1, 1))
    turn, right, down, zoom, flip = (part * (name == change) for name in CHANGES)
    furthest = how.zoom_max if part > 0 else how.zoom_min
    shift = right * how.shift_px, down * how.shift_px
    zoomed = 1 + abs(zoom) * (furthest - 1)
    matrix = affine(len(face), turn * how.rotation_deg, shift, zoomed, bool(flip))
    changed = cv2.warpAffine(face, matrix, face.shape[::-1], borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(changed, np.uint8)
