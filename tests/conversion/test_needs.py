"""Which pictures prove a file, and what a data set is told before anything is trained with it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from fer_edge.conversion import command, needs
from fer_edge.data.dataset import Dataset


def dataset(counts: dict[int, list[int]]) -> Dataset:
    """counts: pictures of each label by split."""
    labels = np.concatenate([np.repeat(np.arange(7), of) for of in counts.values()]).astype(np.int64)
    split = np.repeat(list(counts), [sum(of) for of in counts.values()]).astype(np.uint8)
    images = np.zeros((len(labels), 48, 48), np.uint8)
    return Dataset(images, labels, split, np.arange(1, len(labels) + 1), "p", "s")


@pytest.mark.parametrize(
    ("public", "split"), [([143] * 6 + [142], "PublicTest"), ([143] * 6 + [141], "PublicTest+PrivateTest")]
)
def test_the_report_split_helps_out_below_a_thousand(public: list[int], split: str) -> None:
    assert needs.proving_split(dataset({0: [9] * 7, 1: public, 2: [500] * 7})) == split


def test_what_is_not_there_is_not_named() -> None:
    assert needs.proving_split(dataset({0: [9] * 7, 1: [9] * 7})) == "PublicTest"


def test_enough_is_nothing_to_speak_of() -> None:
    assert needs.lacking(dataset({0: [10] * 7, 1: [1] * 7, 2: [7] * 6 + [1]})) == []


def test_each_want_is_named_with_its_count() -> None:
    assert needs.lacking(dataset({0: [4, 9, 9, 9, 9, 9, 0], 1: [1] * 7, 2: [6] * 7})) == [
        "49 pictures outside Training: convert proves a file on at least 50",
        "angry 4, neutral 0 in Training: int8 needs at least 5 of each expression",
        "49 pictures in Training: int8 needs at least 70",
    ]


@pytest.mark.parametrize(
    ("right", "pictures", "hint"),
    [
        (0.9, 56, "56 pictures are few, each is 1.8%"),
        (0.9, 1000, ""),
        (0.3, 56, "30.0% only: train it longer"),
    ],
)
def test_a_failed_gate_comes_with_its_likely_reason(right: float, pictures: int, hint: str) -> None:
    against = SimpleNamespace(accuracy=right, pictures=SimpleNamespace(dataset=range(pictures)))
    assert hint in command._hint(against)  # type: ignore[arg-type]
    assert bool(command._hint(against)) == bool(hint)  # type: ignore[arg-type]
