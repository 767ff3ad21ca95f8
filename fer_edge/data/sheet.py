"""A sheet of samples: one row of faces for each expression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.data.dataset import Dataset
from fer_edge.errors import OutputError
from fer_edge.spec import INPUT_SHAPE, LABELS
from fer_edge.vision.opencv import cv2

COLUMNS = 12
_CELL = 2 * INPUT_SHAPE[0] + 4  # faces twice as large, 4 px apart
_NAMES = 110  # px, left of the faces


def draw_sheet(dataset: Dataset, seed: int) -> NDArray[np.uint8]:
    """uint8 (7 * 100, 110 + 12 * 100), gray: up to 12 faces of each class, drawn by lot."""
    sheet = np.full((len(LABELS) * _CELL, _NAMES + COLUMNS * _CELL), 255, np.uint8)
    random = np.random.default_rng(seed)
    for label, name in enumerate(LABELS):
        top = label * _CELL
        cv2.putText(sheet, name, (8, top + _CELL // 2 + 6), cv2.FONT_HERSHEY_SIMPLEX, 0.6, 0, 1, cv2.LINE_AA)
        rows = random.permutation(np.flatnonzero(dataset.labels == label))[:COLUMNS]
        for column, row in enumerate(rows):
            face = dataset.images[row].repeat(2, 0).repeat(2, 1)
            left = _NAMES + column * _CELL
            sheet[top + 2 : top + _CELL - 2, left + 2 : left + _CELL - 2] = face
    return sheet


def write_sheet(sheet: NDArray[np.uint8], path: Path) -> None:
    """Writes a sheet as a picture file. Raises OutputError if its kind is unknown or writing fails."""
    try:
        done, encoded = cv2.imencode(path.suffix or ".png", sheet)
    except cv2.error:
        done = False
    if not done:
        raise OutputError(f"cannot write {path}: use a name that ends in .png")
    files.write_bytes(path, encoded.tobytes())
