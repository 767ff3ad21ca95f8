"""Which rows are trained on, chosen on and reported on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import SPLITS, Dataset
from fer_edge.errors import DataError, UsageError

PROTOCOLS = ("official", "paper", "holdout")
HELD_OUT = 0.1
"""The part of `Training` that is held out where a source has no rows to choose on."""


@dataclass(frozen=True)
class Protocol:
    """The parts of a data set under one protocol; `paper`'s validation contains its report."""

    name: str
    train: Dataset
    validation: Dataset
    report: Dataset

    @property
    def report_split(self) -> str:
        """The name, of SPLITS, of the rows reported on."""
        return report_split(self.name)


def report_split(protocol: str) -> str:
    """The split that a protocol of that name reports on."""
    return "PublicTest" if protocol == "paper" else "PrivateTest"


def protocol_splits(dataset: Dataset, protocol: str) -> Protocol:
    """The data set cut for training, choosing and reporting.

    official: Training / PublicTest / PrivateTest. paper: Training / PublicTest + PrivateTest /
    PublicTest. holdout: as official, with splits of our own (`with_held_out`); `official` asked of such
    a data set gives it, and is named `holdout`. Raises UsageError for another name, DataError where the
    data set has not these splits or one is empty.
    """
    if protocol not in PROTOCOLS:
        raise UsageError(f"there is no protocol {protocol!r}: choose from {', '.join(PROTOCOLS)}")
    if protocol == "paper" and dataset.protocol != "official":
        raise DataError(
            f"{dataset.path} has no PublicTest and PrivateTest of FER-2013: use --protocol holdout"
        )
    if protocol == "holdout" and dataset.protocol == "official":
        raise DataError(f"{dataset.path} has splits of its own: use --protocol official")
    validation = ("PublicTest", "PrivateTest") if protocol == "paper" else ("PublicTest",)
    for name in SPLITS:
        if not (dataset.split == SPLITS.index(name)).any():
            raise DataError(f"{dataset.path} has no {name} rows, which --protocol {protocol} needs")
    chosen = "paper" if protocol == "paper" else dataset.protocol
    return Protocol(
        name=chosen,
        train=dataset.part("Training"),
        validation=dataset.part(*validation),
        report=dataset.part(report_split(chosen)),
    )


def with_held_out(dataset: Dataset, seed: int) -> Dataset:
    """Holds out a stratified, seeded tenth of Training as PublicTest, and one as PrivateTest where that
    is empty too. Each class gives its tenth, rounded, and at least one row while it has two.
    """
    split = dataset.split.copy()
    random = np.random.default_rng(seed)
    taken: NDArray[np.int64] = np.flatnonzero(split == 0)
    for index in (2, 1):
        if not (split == index).any():
            split[_tenth(taken, dataset.labels, split, random)] = index
    return replace(dataset, split=split)


def _tenth(
    training: NDArray[np.int64],
    labels: NDArray[np.int64],
    split: NDArray[np.uint8],
    random: np.random.Generator,
) -> NDArray[np.int64]:
    """Counts the tenth on all of `training`, takes it from what is still Training."""
    chosen = []
    for label in np.unique(labels[training]):
        whole = training[labels[training] == label]
        rest = whole[split[whole] == 0]
        count = min(max(1, round(len(whole) * HELD_OUT)), len(rest) - 1)
        chosen.append(random.permutation(rest)[: max(count, 0)])
    return np.sort(np.concatenate(chosen))
