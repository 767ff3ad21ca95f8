"""The real file: counts as its README states them. Uses the user's cache, as the program does."""

from __future__ import annotations

import pytest

from fer_edge import data

COUNTS = {
    "Training": [3995, 436, 4097, 7215, 4830, 3171, 4965],
    "PublicTest": [467, 56, 496, 895, 653, 415, 607],
    "PrivateTest": [491, 55, 528, 879, 594, 416, 626],
}


@pytest.fixture(scope="module")
def dataset(fer2013):
    return data.load(str(fer2013), progress=False)


def test_counts_and_duplicates(dataset):
    found = data.summarise(dataset)
    assert {split: list(counts.values()) for split, counts in found["counts"].items()} == COUNTS
    assert found["bad"]["count"] == 0
    duplicates = found["duplicates"]
    assert duplicates["within"]["Training"]["different"] == 27_473
    assert duplicates["across"][:2] == [
        {"split": "PublicTest", "of": "Training", "rows": 280, "other_label": 7},
        {"split": "PrivateTest", "of": "Training", "rows": 288, "other_label": 8},
    ]


def test_protocols(dataset):
    official = data.protocol_splits(dataset, "official")
    assert [len(official.train), len(official.validation), len(official.report)] == [28_709, 3589, 3589]
    assert data.seen_in_training(official.report, official.train).sum() == 288
    paper = data.protocol_splits(dataset, "paper")
    assert [len(paper.train), len(paper.validation), len(paper.report)] == [28_709, 7178, 3589]
    assert paper.report.ids.tolist() == official.validation.ids.tolist()
