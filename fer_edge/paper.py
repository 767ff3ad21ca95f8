"""What Ihsan, Niswatin, Swanjaya, "Deteksi Ekspresi Wajah Menggunakan TensorFlow", state: see paper.toml."""

import tomllib
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from fer_edge.console import Table
from fer_edge.spec import LABELS


class Row(NamedTuple):
    """A row of Tables 7 to 9: accuracies in percent, losses as printed."""

    accuracy: float
    val_accuracy: float
    loss: float
    val_loss: float


_PRINTED = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

TABLE_1, TABLE_3, TABLE_4, TABLE_10 = (_PRINTED[f"table_{number}"] for number in (1, 3, 4, 10))
TABLE_5: dict[int, float] = dict(_PRINTED["table_5"])
RESULTS: dict[str, dict[float, Row]] = {
    stage: {value: Row(*figures) for value, *figures in _PRINTED[name]}
    for stage, name in (("batch", "table_7"), ("epochs", "table_8"), ("dropout", "table_9"))
}
"""Tables 7 to 9 by the stages of Table 3; their values differ from its plan."""
STATED = {where: Row(*figures) for where, figures in _PRINTED["stated"].items()}
TEST_SCORES: list[list[float]] = _PRINTED["test_scores"]
PUBLIC_TEST: dict[str, int] = TABLE_4 | {"fear": 496, "happy": 895}
"""The data's own counts behind Table 4: 3,589 pictures."""


def table_5() -> Table:
    """Table 5 beside the results of equation 1, which is the networks' first layer."""
    rows = [(gray, f"{(gray / 255 - 0.5) * 2:+.3f}", f"{x:+.2f}") for gray, x in TABLE_5.items()]
    return Table("x = ((p / 255) - 0.5) x 2", ("gray level", "x", "the paper's Table 5"), [*rows])


def table_10_pictures() -> NDArray[np.float64]:
    """Table 10 in pictures of PublicTest, float64 (7, 7): each row scaled to its class's count.

    Three rows of the printed table sum to 99 or 101.
    """
    cells: NDArray[np.float64] = np.array(TABLE_10, np.float64)
    cells *= np.array([[PUBLIC_TEST[label]] for label in LABELS]) / cells.sum(axis=1, keepdims=True)
    return cells
