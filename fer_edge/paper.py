"""What Ihsan, Niswatin, Swanjaya, "Deteksi Ekspresi Wajah Menggunakan TensorFlow", state: its tables as data.

Figures are as printed, misprints too; docs/paper.md says what does not add up.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_edge.console import Table
from fer_edge.spec import LABELS

TABLE_1 = dict(zip(LABELS, (4593, 547, 5121, 8989, 6077, 4002, 6198), strict=True))
"""Pictures of each class in all of FER-2013; the data has 4953 angry ones."""

TABLE_4 = dict(zip(LABELS, (467, 56, 469, 869, 653, 415, 607), strict=True))
"""Pictures of each class in the test set, which is PublicTest; the data has fear 496 and happy 895."""

PUBLIC_TEST = TABLE_4 | {"fear": 496, "happy": 895}
"""The data's own counts behind Table 4: 3,589 pictures."""

TRAINING, VALIDATION, TEST = 28_704, 7_184, 3_589
"""Pictures, as the text gives them: 28,709 and 7,178 rounded to whole batches of 16, and PublicTest."""

TABLE_3: dict[str, tuple[float, ...]] = {
    "batch": (16, 32, 64, 128, 256),
    "epochs": (30, 50, 70, 90, 100),
    "dropout": (0.2, 0.4, 0.5, 0.6, 0.8),
}
"""The search as planned, each stage at the best value of those before it."""

BATCH_STAGE_EPOCHS = 50
PLANNED_DROPOUT = 0.0
"""Table 3: dropout of the first two stages. What Tables 7 and 8 were made with is another question."""

TABLE_5 = {
    70: 0.45, 80: -0.37, 82: -0.35, 72: -0.4, 58: -0.54, 60: -0.5, 63: -0.5, 54: -0.57, 151: 0.18, 147: 0.15,
    155: 0.21,
}  # fmt: skip
"""Equation 1's x of eleven gray levels; 70 has lost its sign."""

TABLE_6 = {
    "rotation": "-90 to 90 degrees",
    "shift along x": "-10 to 10 pixels",
    "shift along y": "-10 to 10 pixels",
    "zoom": "0.7 to 1.3",
    "flip": "horizontal",
}
"""The changes of a training picture, in the order of Figure 6, (a) to (e): one picture, five variants."""


class Row(NamedTuple):
    """A row of Tables 7 to 9: accuracies in percent, losses as printed."""

    accuracy: float
    val_accuracy: float
    loss: float
    val_loss: float


TABLE_7: dict[float, Row] = {
    16: Row(54.91, 60.35, 4.96, 4.38),
    32: Row(55.15, 60.59, 4.93, 4.36),
    64: Row(55.11, 59.92, 4.91, 4.40),
    128: Row(52.14, 57.91, 5.21, 4.62),
    256: Row(55.03, 59.36, 4.97, 4.49),
}
"""By batch size, 50 epochs each."""
TABLE_8: dict[float, Row] = {
    70: Row(56.20, 60.42, 4.82, 4.30),
    90: Row(56.61, 62.15, 4.77, 4.20),
    100: Row(57.60, 62.80, 4.65, 4.11),
    120: Row(54.71, 60.41, 4.93, 4.31),
    150: Row(55.52, 60.46, 4.90, 4.31),
}
"""By epochs, batches of 32."""
TABLE_9 = {
    0.2: Row(58.06, 62.78, 4.64, 4.14),
    0.4: Row(60.63, 64.22, 4.32, 4.00),
    0.6: Row(62.24, 62.44, 4.54, 4.02),
    0.8: Row(45.65, 52.01, 5.91, 5.15),
    1.0: Row(75.31, 66.72, 2.76, 4.12),
}
"""By dropout, 100 epochs and batches of 32; 1 is none (see `kept`)."""

RESULTS: dict[str, dict[float, Row]] = {"batch": TABLE_7, "epochs": TABLE_8, "dropout": TABLE_9}
REPORTED: dict[str, tuple[float, ...]] = {stage: tuple(rows) for stage, rows in RESULTS.items()}
"""The values that Tables 7 to 9 report, which differ from the plan."""

CHOSEN: dict[str, float] = {"batch": 32, "epochs": 100, "dropout": 0.6}
"""What the paper went on with."""

STATED = {"abstract": Row(62.24, 62.44, 4.54, 4.02), "conclusion": Row(61.15, 64.54, 4.29, 3.96)}
"""Two sets of figures for one network."""

TEST_SCORES = ((0.77, 0.72, 0.74), (0.67, 0.67, 0.66))
"""Accuracy, precision, recall on the test set: beside Table 10, and in the conclusion."""

TABLE_10 = (
    (70, 1, 10, 4, 2, 3, 10),
    (26, 55, 5, 4, 5, 2, 3),
    (12, 1, 45, 5, 20, 7, 11),
    (2, 0, 2, 87, 2, 2, 5),
    (9, 1, 10, 6, 55, 1, 19),
    (3, 0, 10, 5, 2, 80, 0),
    (5, 0, 5, 9, 3, 2, 75),
)
"""Confusion matrix of the test set, percent of each true class (rows), order of `spec.LABELS`."""


def table_5() -> Table:
    """Table 5 beside what equation 1 gives, which is what the networks' own first layer does."""
    rows = [(gray, f"{(gray / 255 - 0.5) * 2:+.3f}", f"{x:+.2f}") for gray, x in TABLE_5.items()]
    return Table("x = ((p / 255) - 0.5) x 2", ("gray level", "x", "the paper's Table 5"), [*rows])


def table_10_pictures() -> NDArray[np.float64]:
    """Table 10 as pictures of PublicTest, float64 (7, 7): each row shared out over its class's count.

    Three rows of the printed table sum to 99 or 101.
    """
    cells: NDArray[np.float64] = np.array(TABLE_10, np.float64)
    cells *= np.array([[PUBLIC_TEST[label]] for label in LABELS]) / cells.sum(axis=1, keepdims=True)
    return cells


def kept(dropout: float) -> float:
    """The dropout rate to train with for a rate that the paper names.

    A rate of 1 becomes 0: Keras 2 applied dropout only where `0 < rate < 1`, so 1 switched the layer off.
    """
    return 0.0 if dropout == 1 else dropout
