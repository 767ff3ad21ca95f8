from __future__ import annotations

import numpy as np
import pytest
from known_rows import face, plain_rows

from fer_edge import data
from fer_edge.data.dataset import with_held_out
from fer_edge.errors import DataError, UsageError


@pytest.fixture
def dataset(table):
    """Rows 1 to 14 Training, 15 to 21 PublicTest, 22 to 28 PrivateTest."""
    return data.load(str(table(plain_rows())))


@pytest.mark.parametrize(
    ("name", "validation", "report"),
    [("official", range(15, 22), range(22, 29)), ("paper", range(15, 29), range(15, 22))],
)
def test_parts(dataset, name, validation, report):
    parts = data.protocol_splits(dataset, name)
    assert parts.name == name
    assert parts.train.ids.tolist() == list(range(1, 15))
    assert parts.validation.ids.tolist() == list(validation)
    assert parts.report.ids.tolist() == list(report)
    np.testing.assert_array_equal(parts.report.images[0], face(report[0]))


def test_unknown_and_unfit_protocols(dataset):
    with pytest.raises(UsageError, match="no protocol 'oficial': choose from official, paper, holdout"):
        data.protocol_splits(dataset, "oficial")
    with pytest.raises(DataError, match="use --protocol official"):
        data.protocol_splits(dataset, "holdout")
    with pytest.raises(DataError, match="has no PrivateTest rows"):
        data.protocol_splits(dataset.part("Training", "PublicTest"), "official")


def test_paper_needs_the_official_splits(table):
    rows = [row.rsplit(",", 1)[0] for row in plain_rows(70)]
    read = data.load(str(table(rows, header="emotion,pixels")))
    with pytest.raises(DataError, match="use --protocol holdout"):
        data.protocol_splits(read, "paper")
    assert data.protocol_splits(read, "holdout").name == "holdout"


def test_a_small_class_gives_one_row(dataset):
    """Two rows of each class: a tenth is none, and one is held out all the same; the second has to stay."""
    split = with_held_out(dataset.part("Training"), seed=0).split
    assert np.bincount(split).tolist() == [7, 0, 7]


def test_a_sample_is_drawn_without_repetition_in_the_sources_order(dataset):
    for seed in range(5):
        ids = dataset.sample(25, seed).ids
        assert len(ids) == 25
        assert (np.diff(ids) > 0).all()
    assert (dataset.sample(10, 0).ids != dataset.sample(10, 1).ids).any()
    assert dataset.sample(28, 0) is dataset


def test_a_class_of_one_row_stays_in_training(dataset):
    alone = with_held_out(dataset.rows(np.arange(7)), seed=0)
    assert (alone.split == 0).all()
