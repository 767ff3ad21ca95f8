"""What a data set must hold to make files with and to prove them on: known before anything is trained."""

from __future__ import annotations

import numpy as np

from fer_edge.conversion import calibration, parity
from fer_edge.data.dataset import Dataset

SPLIT = "PublicTest"
"""What files are proved on: the split that one may choose on."""


def proving_split(dataset: Dataset) -> str:
    """The split, or splits joined by `+`, whose pictures prove a file.

    Fewer than `parity.ENOUGH` of `SPLIT` are helped out by those of PrivateTest: no network was trained on
    them either, and whether a file agrees with its network chooses nothing.
    """
    alone = len(dataset.part(SPLIT)) >= parity.ENOUGH or not len(dataset.part("PrivateTest"))
    return SPLIT if alone else f"{SPLIT}+PrivateTest"


def lacking(dataset: Dataset) -> list[str]:
    """What `convert` would miss, a sentence each."""
    found = []
    proving = len(dataset.part(*proving_split(dataset).split("+")))
    if proving < parity.LEAST_PICTURES:
        found.append(
            f"{proving} pictures outside Training: convert proves a file on at least {parity.LEAST_PICTURES}"
        )
    training = dataset.part("Training").labels
    counts = np.bincount(training, minlength=len(dataset.label_names))
    least = calibration.LEAST_PER_CLASS
    if few := [f"{name} {n}" for name, n in zip(dataset.label_names, counts, strict=True) if n < least]:
        found.append(f"{', '.join(few)} in Training: int8 needs at least {least} of each expression")
    if len(training) < calibration.LEAST_PICTURES:
        found.append(
            f"{len(training)} pictures in Training: int8 needs at least {calibration.LEAST_PICTURES}"
        )
    return found
