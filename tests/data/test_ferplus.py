"""FER+'s votes: reading, matching to rows, shares and majorities, each worked out by hand."""

import dataclasses

import numpy as np
import pytest

from fer_edge.data import Dataset, ferplus, load
from fer_edge.errors import DataError, UsageError

HEADER = "Usage,Image name," + ",".join(ferplus.COLUMNS)
VOTES = [
    [6, 1, 1, 1, 1, 0, 0, 0, 0, 0],  # neutral: all others are single votes
    [5, 5, 0, 0, 0, 0, 0, 0, 0, 0],  # half is not more than half
    [2, 0, 0, 0, 0, 0, 0, 0, 8, 0],  # nobody could say
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 10],  # not a face
    [0, 0, 0, 0, 3, 0, 0, 7, 0, 0],  # contempt
]


@pytest.fixture
def votes(tmp_path):
    rows = [f"Training,a,{','.join(map(str, row))}" for row in VOTES]
    (tmp_path / "votes.csv").write_text("\n".join([HEADER, *rows]), encoding="utf-8-sig")  # Excel's
    return tmp_path / "votes.csv"


def dataset(*ids):
    images, zeros = np.zeros((len(ids), 48, 48), np.uint8), np.zeros(len(ids), np.int64)
    return Dataset(images, zeros, zeros.astype(np.uint8), np.array(ids), "made", "hash")


def test_votes_follow_their_rows_and_a_majority_is_over_half_and_an_expression(votes):
    attached = ferplus.attach(dataset(5, 2, 3, 1, 4), votes)
    assert attached.votes.tolist() == [VOTES[row] for row in (4, 1, 2, 0, 3)]
    assert attached.rows(np.array([1, 0])).votes.tolist() == [VOTES[1], VOTES[4]]
    kept = ferplus.relabelled(attached)
    assert kept.ids.tolist() == [5, 1]
    assert [kept.label_names[label] for label in kept.labels] == ["contempt", "neutral"]


def test_shares_drop_single_votes_and_what_is_no_expression():
    votes = np.array([[4, 0, 0, 1, 3, 3, 0, 0, 2, 0], [1, 1, 0, 0, 0, 0, 0, 0, 4, 4], VOTES[3]], np.uint8)
    wanted = [[0.4, 0, 0, 0, 0.3, 0.3, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0, 0], [0] * 8]
    np.testing.assert_allclose(ferplus.shares(votes), wanted, atol=1e-7)


def test_what_is_no_table_of_votes_is_named(tmp_path):
    path = tmp_path / "bad.csv"
    for text, said in (
        ("a,b\n1,2\n", "no column 'neutral'"),
        (HEADER + "\nTraining,a,4,0,0,x,3,2,0,0,0,0\n", "line 2"),
        (HEADER + "\nTraining,a,4,0,0\n", "line 2"),
        (HEADER + "\nTraining,a,4,0,0,-1,3,2,0,0,0,0\n", "outside 0..255"),
        ("\0\xff", "votes"),
    ):
        path.write_bytes(text.encode("latin-1"))
        with pytest.raises(DataError, match=said):
            ferplus.attach(dataset(1), path)


def test_votes_of_other_pictures_and_other_labels_are_refused(votes):
    given = dataset(5)
    changes = {"protocol": "holdout"}, {"split": given.split + 1}
    for other in (dataset(6), *(dataclasses.replace(given, **change) for change in changes)):
        with pytest.raises(DataError, match="votes for 5 rows; made is not the FER-2013"):
            ferplus.attach(other, votes)
    assert ferplus.chosen(given, None) is ferplus.chosen(given, "fer2013") is given
    assert ferplus.chosen(given, f"ferplus:{votes}").labels.tolist() == [7]
    for wrong in ("ferplus", "ferplus:", "affectnet:x"):
        with pytest.raises(UsageError, match="ferplus:FILE"):
            ferplus.chosen(given, wrong)


def test_votes_of_the_same_pictures_in_another_order_are_refused(tmp_path):
    rng, path, given = np.random.default_rng(0), tmp_path / "votes.csv", dataset(*range(1, 1001))
    labels = rng.integers(0, 7, 1000)
    columns = [(4, 5, 6, 1, 3, 2, 0)[label] for label in labels]  # FER-2013's numbers, as FER+'s columns
    rows = [f"Training,a,{','.join(map(str, row))}" for row in np.eye(10, dtype=int)[columns] * 9]
    path.write_text("\n".join([HEADER, *rows]))
    assert ferplus.attach(dataclasses.replace(given, labels=labels), path).votes.sum() == 9000
    with pytest.raises(DataError, match="is not the FER-2013"):
        ferplus.attach(dataclasses.replace(given, labels=rng.permutation(labels)), path)


def test_real_votes(fer2013):
    real = ferplus.attach(load(str(fer2013)), fer2013.with_name("ferplus.csv"))
    # First row of the table, and no row that is dropped has a clear expression (counted with awk).
    assert real.votes[0].tolist() == [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]
    kept = ferplus.relabelled(real)
    happy = kept.labels == ferplus.LABELS.index("happy")
    assert (real.labels[kept.ids[happy] - 1] == 3).mean() > 0.85  # both data sets mean the same pictures
