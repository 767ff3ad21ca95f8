"""Sheets of faces, one row per expression: samples and augmentations (Figure 6).

They show faces of the data set, so keep them out of repositories.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.data.dataset import Dataset
from fer_edge.spec import INPUT_SHAPE
from fer_edge.training.augmentation import CHANGES, augment, warped
from fer_edge.training.recipes import Augmentation

SAMPLES, MIXTURES = 12, 3
GAP_PX = 2  # white round each face, before the sheet is enlarged

Rows = list[list[NDArray[np.uint8]]]


def samples(dataset: Dataset, seed: int, count: int = SAMPLES) -> Rows:
    """Up to `count` faces of each class, drawn by lot."""
    random = np.random.default_rng(seed)
    of_class = (np.flatnonzero(dataset.labels == label) for label in range(len(dataset.label_names)))
    return [[*dataset.images[random.permutation(rows)[:count]]] for rows in of_class]


def augmentations(dataset: Dataset, how: Augmentation, seed: int) -> tuple[list[str], Rows]:
    """A picture of each class, and named panels: (a) to (e) of Figure 6, one change each.

    Changes that `how` does not make are left out; if a recipe mixes changes, mixtures follow as in training.
    Single changes are drawn from the outer half of their range, so that they are visible.
    """
    random = np.random.default_rng(seed)
    amounts = (how.rotation_deg, how.shift_px, how.shift_px, how.zoom_max - how.zoom_min, how.flip)
    used = [name for name, amount in zip(CHANGES, amounts, strict=True) if amount]
    mixtures = 0 if how.one_change else MIXTURES

    def changed(face: NDArray[np.uint8], change: str) -> NDArray[np.uint8]:
        part = random.uniform(0.5, 1) * random.choice((-1, 1))
        turn, right, down, zoom, flip = (part * (name == change) for name in CHANGES)
        furthest = how.zoom_max if part > 0 else how.zoom_min
        shift = right * how.shift_px, down * how.shift_px
        return warped(face, turn * how.rotation_deg, shift, 1 + abs(zoom) * (furthest - 1), bool(flip))

    rows = samples(dataset, seed, 1)
    for row in filter(None, rows):  # a class may have no pictures
        face = row[0]
        row += [changed(face, name) for name in used]
        row += [*augment(np.repeat(face[None], mixtures, axis=0), how, random)]
    names = [f"({'abcde'[CHANGES.index(name)]}) {name}" for name in used]
    return ["picture", *names, *["mixture"] * mixtures], rows


def draw(rows: Rows, names: Sequence[str], heads: Sequence[str], path: Path, force: bool = True) -> None:
    """Draws faces row by row, with names on the left and heads on top; as `files.write_figure`."""
    from matplotlib.figure import Figure

    blank = np.full(INPUT_SHAPE[:2], 255, np.uint8)
    whole = [[*row, *[blank] * (len(heads) - len(row))] for row in rows]
    sheet = np.block([[np.pad(face, GAP_PX, constant_values=255) for face in row] for row in whole])
    cell = INPUT_SHAPE[0] + 2 * GAP_PX
    y, x = (np.arange(cell // 2, side, cell) for side in sheet.shape)
    figure = Figure(figsize=(1.4 + len(heads), 0.4 + len(rows)), layout="compressed")
    axes = figure.add_subplot(frame_on=False)
    axes.imshow(sheet, cmap="gray", vmin=0, vmax=255)
    axes.set_yticks(y, names)
    axes.set_xticks(x, heads, fontsize=8)
    axes.tick_params(length=0, labeltop=True, labelbottom=False)
    files.write_figure(path, figure, force)
