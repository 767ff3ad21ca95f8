"""FER+'s votes: reading, matching to rows, shares and majorities, each worked out by hand."""

import dataclasses

import numpy as np
import pytest

from fer_edge.data import Dataset, ferplus, load
from fer_edge.errors import DataError, UsageError

HEADER = "Usage,Image name," + ",".join(ferplus.COLUMNS)


def table(tmp_path, *rows):
    path = tmp_path / "votes.csv"
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    return path


def dataset(count, ids=None):
    ids = np.arange(1, count + 1) if ids is None else np.array(ids)
    images = np.zeros((len(ids), 48, 48), np.uint8)
    return Dataset(images, np.zeros(len(ids), np.int64), np.zeros(len(ids), np.uint8), ids, "made", "hash")


def test_votes_follow_their_rows(tmp_path):
    path = table(tmp_path, "Training,a,4,0,0,1,3,2,0,0,0,0", "Training,b,0,10,0,0,0,0,0,0,0,0")
    attached = ferplus.attach(dataset(2, ids=[2, 1]), path)
    assert attached.votes.tolist() == [[0, 10, 0, 0, 0, 0, 0, 0, 0, 0], [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]]
    assert attached.rows(np.array([False, True])).votes.tolist() == [[4, 0, 0, 1, 3, 2, 0, 0, 0, 0]]


def test_shares_drop_single_votes_and_what_is_no_expression():
    votes = np.array(
        [[4, 0, 0, 1, 3, 3, 0, 0, 2, 0], [1, 1, 0, 0, 0, 0, 0, 0, 4, 4], [0, 0, 0, 0, 0, 0, 0, 0, 0, 10]],
        np.uint8,
    )
    wanted = [[0.4, 0, 0, 0, 0.3, 0.3, 0, 0], [0.5, 0.5, 0, 0, 0, 0, 0, 0], [0] * 8]
    np.testing.assert_allclose(ferplus.shares(votes), wanted, atol=1e-7)


def test_majority_needs_more_than_half_and_an_expression(tmp_path):
    path = table(
        tmp_path,
        "Training,a,6,1,1,1,1,0,0,0,0,0",  # neutral: all others are single votes
        "Training,b,5,5,0,0,0,0,0,0,0,0",  # half is not more than half
        "Training,c,2,0,0,0,0,0,0,0,8,0",  # nobody could say
        "Training,,0,0,0,0,0,0,0,0,0,10",  # not a face
        "Training,e,0,0,0,0,3,0,0,7,0,0",  # contempt
    )
    kept = ferplus.relabelled(ferplus.attach(dataset(5), path))
    assert kept.ids.tolist() == [1, 5]
    assert kept.labels.tolist() == [0, 7]
    assert kept.label_names[7] == "contempt"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a,b\n1,2\n", "no column 'neutral'"),
        (HEADER + "\nTraining,a,4,0,0,x,3,2,0,0,0,0\n", "line 2"),
        (HEADER + "\nTraining,a,4,0,0\n", "line 2"),
        (HEADER + "\nTraining,a,4,0,0,-1,3,2,0,0,0,0\n", "outside 0..255"),
        ("\0\xff", "votes"),
    ],
)
def test_what_is_no_table_of_votes_is_named(tmp_path, text, said):
    path = tmp_path / "bad.csv"
    path.write_bytes(text.encode("latin-1"))
    with pytest.raises(DataError, match=said):
        ferplus.attach(dataset(1), path)


def test_votes_of_other_pictures_are_refused(tmp_path):
    path = table(tmp_path, "Training,a,4,0,0,1,3,2,0,0,0,0")
    with pytest.raises(DataError, match="votes for 1 rows"):
        ferplus.attach(dataset(2), path)
    with pytest.raises(DataError, match="is not the FER-2013"):
        ferplus.attach(dataclasses.replace(dataset(1), protocol="holdout"), path)


def test_labels_are_chosen_by_name(tmp_path):
    path = table(tmp_path, "Training,a,0,9,0,0,0,0,0,0,0,0")
    given = dataset(1)
    assert ferplus.chosen(given, None) is given
    assert ferplus.chosen(given, "fer2013") is given
    assert ferplus.chosen(given, f"ferplus:{path}").labels.tolist() == [1]
    for wrong in ("ferplus", "ferplus:", "affectnet:x"):
        with pytest.raises(UsageError, match="ferplus:FILE"):
            ferplus.chosen(given, wrong)


def test_real_votes(fer2013):
    real = ferplus.attach(load(str(fer2013)), fer2013.with_name("ferplus.csv"))
    # First row of the table, and no row that is dropped has a clear expression (counted with awk).
    assert real.votes[0].tolist() == [4, 0, 0, 1, 3, 2, 0, 0, 0, 0]
    kept = ferplus.relabelled(real)
    happy = kept.labels == ferplus.LABELS.index("happy")
    assert (real.labels[kept.ids[happy] - 1] == 3).mean() > 0.85  # both data sets mean the same pictures
