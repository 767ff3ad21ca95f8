"""What Ihsan, Niswatin, Swanjaya, "Deteksi Ekspresi Wajah Menggunakan TensorFlow", state: facts, no code.

Only figures that this project has at hand; what the paper has besides is left out, not guessed.
"""

from __future__ import annotations

TABLE_3: dict[str, tuple[float, ...]] = {
    "batch": (16, 32, 64, 128, 256),
    "epochs": (30, 40, 50, 60, 70, 80, 90, 100),
    "dropout": (0.2, 0.4, 0.6, 0.8),
}
"""The search as planned, stage by stage. The paper gives ranges for the last two, 30 to 100 and 0.2 to 0.8:
the steps of 10 and 0.2 are ours."""

REPORTED: dict[str, tuple[float, ...]] = {
    "batch": (16, 32, 64, 128, 256),
    "epochs": (70, 90, 100, 120, 150),
    "dropout": (0.2, 0.4, 0.6, 0.8, 1.0),
}
"""The values that Tables 7 to 9 report, which differ from the plan."""

BATCH_STAGE_EPOCHS = 50
CHOSEN: dict[str, float] = {"batch": 32, "epochs": 100, "dropout": 0.6}
"""What the paper went on with."""

ACCURACY: dict[tuple[str, float], float] = {("dropout", 1.0): 0.6672}
"""Validation accuracy 0..1 by (stage, value)."""

VALIDATION_ACCURACY = (0.6244, 0.6454)
"""Two figures for one network."""

TEST_SCORES = ((0.77, 0.72, 0.74), (0.67, 0.67, 0.66))
"""Accuracy, precision, recall on the test set, stated twice and differently."""

LOSS = 0.04
"""The order of the losses that the paper states, `4 %`, beside accuracies of some 65 %."""


def kept(dropout: float) -> float:
    """The dropout rate to train with for a rate that the paper names.

    A rate of 1 becomes 0: Keras 2 applied dropout only where `0 < rate < 1`, so 1 switched the layer off.
    """
    return 0.0 if dropout == 1 else dropout
