"""Sheets like the paper's Figure 6 (augmentations) and Figure 7 (detections of the seven expressions).

They show faces of the data set, so they stay out of any repository.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import Dataset
from fer_edge.spec import LABELS
from fer_edge.training.augmentation import augment
from fer_edge.training.recipes import Augmentation
from fer_edge.vision.analysis import Analyser, FaceClassifier
from fer_edge.vision.faces import Detector
from fer_edge.vision.frames import Frame
from fer_edge.vision.opencv import cv2
from fer_edge.vision.overlay import color_of

COLUMNS = 8
CELL_PX = 144
"""Side of a picture on a sheet: 3 x 48, large enough for the detector."""


def augmentation_sheet(dataset: Dataset, how: Augmentation, seed: int) -> NDArray[np.uint8]:
    """uint8 (7 * 144, 8 * 144, 3): a row for each expression, the picture and seven random changes of it."""
    random = np.random.default_rng(seed)
    rows = []
    for class_id in range(len(LABELS)):
        face = dataset.images[random.choice(np.flatnonzero(dataset.labels == class_id))]
        changed = augment(np.repeat(face[None], COLUMNS - 1, axis=0), how, random)
        cells = [_enlarged(picture) for picture in (face, *changed)]
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows)


def detection_sheet(
    dataset: Dataset, detector: Detector, classifier: FaceClassifier, seed: int
) -> NDArray[np.uint8]:
    """uint8 (7 * 144, 8 * 144, 3): a row for each expression, each face as `run` finds and names it.

    Pictures are drawn by lot among those in which the detector finds a face; a name that is not the data
    set's is followed by the data set's.
    """
    random = np.random.default_rng(seed)
    analyser = Analyser(detector, classifier, still=True)
    rows = []
    for class_id, label in enumerate(LABELS):
        cells: list[NDArray[np.uint8]] = []
        for row in random.permutation(np.flatnonzero(dataset.labels == class_id)):
            cell = _detected(dataset.images[row], label, analyser)
            if cell is not None:
                cells.append(cell)
            if len(cells) == COLUMNS:
                break
        cells += [np.zeros((CELL_PX, CELL_PX, 3), np.uint8)] * (COLUMNS - len(cells))
        rows.append(np.concatenate(cells, axis=1))
    return np.concatenate(rows)


def _enlarged(face: NDArray[np.uint8]) -> NDArray[np.uint8]:
    large = cv2.resize(face, (CELL_PX, CELL_PX), interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(large, cv2.COLOR_GRAY2BGR), np.uint8)


def _detected(face: NDArray[np.uint8], label: str, analyser: Analyser) -> NDArray[np.uint8] | None:
    """The picture with the largest face's box and name, or None where no face is found."""
    border = CELL_PX // 4
    cell = _enlarged(face)
    wide = cv2.copyMakeBorder(cell, border, border, border, border, cv2.BORDER_REPLICATE)
    found = analyser.analyse(Frame(np.asarray(wide, np.uint8), 0.0, ""))
    if not found:
        return None
    largest = max(found, key=lambda one: one.box_xywh[2])
    x, y, w, h = largest.box_xywh
    color = color_of(largest.label)
    cv2.rectangle(cell, (x - border, y - border), (x - border + w, y - border + h), color, 1)
    named = str(largest.label)
    text = named if named == label else f"{named} ({label})"
    cv2.rectangle(cell, (0, CELL_PX - 17), (CELL_PX, CELL_PX), (0, 0, 0), cv2.FILLED)
    cv2.putText(cell, text, (3, CELL_PX - 5), cv2.FONT_HERSHEY_SIMPLEX, 0.42, color, 1, cv2.LINE_AA)
    return cell
