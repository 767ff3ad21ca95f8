"""Splits, protocols and duplicates of a data set; the drawn one; the cache."""

import shutil
from dataclasses import replace

import numpy as np
import pytest
from known_rows import face, pixels, plain_rows

from fer_edge import data, files
from fer_edge.data.dataset import cache_folder
from fer_edge.errors import DataError


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
    wanted = (name, [*range(1, 15)], [*validation], [*report])
    found = (part.ids.tolist() for part in (parts.train, parts.validation, parts.report))
    assert (parts.name, *found) == wanted
    np.testing.assert_array_equal(parts.report.images[0], face(report[0]))


def test_protocols_that_the_data_cannot_have(dataset, table):
    """Of train.csv of the competition, which has no Usage, two tenths are held out."""
    rows = [row.rsplit(",", 1)[0] for row in plain_rows(140)]
    held_out = data.load(str(table(rows, header="emotion,pixels")))
    for given, name, said in (
        (dataset.part("Training+PublicTest"), "official", "has no PrivateTest rows"),
        (held_out, "paper", "use --protocol official"),
    ):
        with pytest.raises(DataError, match=said):
            data.protocol_splits(given, name)
    assert data.protocol_splits(held_out, "official").name == "holdout"
    for index, count in enumerate((16, 2, 2)):
        assert np.bincount(held_out.labels[held_out.split == index]).tolist() == [count] * 7


def test_a_small_class_gives_one_row_and_keeps_one(dataset):
    """Two rows of each class: a tenth is none, and one is held out all the same; the second has to stay."""
    split = dataset.part("Training").with_held_out().split
    assert np.bincount(split).tolist() == [7, 0, 7]
    assert (dataset.rows(np.arange(7)).with_held_out().split == 0).all()


def test_duplicates_are_counted_by_picture(table):
    rows = plain_rows()
    rows += [
        f"0,{pixels(1)},Training",  # row 1 again
        f"5,{pixels(1)},Training",  # and under another label
        f"1,{pixels(2)},PublicTest",  # row 2 of Training, same label
        f"6,{pixels(3)},PublicTest",  # row 3 of Training, which is fear
        f"5,{pixels(1)},PrivateTest",  # known in Training under angry and surprise
        f"0,{pixels(15)},PrivateTest",  # row 15 of PublicTest
    ]
    dataset = data.load(str(table(rows)))
    seen = data.seen_in_training(dataset.part("PublicTest"), dataset.part("Training"))
    assert np.flatnonzero(seen).tolist() == [7, 8]
    other = dataset.images.copy()
    other[3, 47, 47] ^= 1  # one gray level makes another picture
    assert np.flatnonzero(~data.seen_in_training(dataset, replace(dataset, images=other))).tolist() == [3]
    found = data.summarise(dataset)["duplicates"]
    assert (found["different"], *found["within"].values()) == (28, 14, 9, 9)
    assert found["across"] == [
        {"split": "PublicTest", "of": "Training", "rows": 2},
        {"split": "PrivateTest", "of": "Training", "rows": 1},
        {"split": "PrivateTest", "of": "PublicTest", "rows": 1},
    ]


def test_drawn_faces_follow_from_the_seed_and_each_is_its_own():
    read = data.load("drawn:84", seed=3)
    assert (read.images.dtype, len({image.tobytes() for image in read.images})) == (np.uint8, 84)
    parts = data.protocol_splits(read, "official")
    for part, count in ((parts.train, 8), (parts.validation, 2), (parts.report, 2)):
        assert np.bincount(part.labels, minlength=7).tolist() == [count] * 7
    assert not data.seen_in_training(parts.report, parts.train).any()
    assert read.sha256 == data.load("drawn:84", seed=3).sha256 != data.load("drawn:84", seed=4).sha256
    for silly in ("3", "x", "-50", "99999999", "9" * 5000):
        with pytest.raises(DataError, match="N from 42"):
            data.load(f"drawn:{silly}")


COUNTS = {
    "Training": [3995, 436, 4097, 7215, 4830, 3171, 4965],
    "PublicTest": [467, 56, 496, 895, 653, 415, 607],
    "PrivateTest": [491, 55, 528, 879, 594, 416, 626],
}


def test_the_real_file_has_the_counts_and_duplicates_of_its_readme(fer2013):
    """Uses the user's cache, as the program does."""
    dataset = data.load(str(fer2013))
    found = data.summarise(dataset)
    assert {split: list(counts.values()) for split, counts in found["counts"].items()} == COUNTS
    assert found["bad"]["count"] == 0
    assert found["duplicates"]["within"]["Training"] == 27_473
    assert found["duplicates"]["across"][:2] == [
        {"split": "PublicTest", "of": "Training", "rows": 280},
        {"split": "PrivateTest", "of": "Training", "rows": 288},
    ]
    official, paper = (data.protocol_splits(dataset, name) for name in ("official", "paper"))
    for parts, counts in ((official, [28_709, 3589, 3589]), (paper, [28_709, 7178, 3589])):
        assert [len(part) for part in (parts.train, parts.validation, parts.report)] == counts
    assert data.seen_in_training(official.report, official.train).sum() == 288
    assert paper.report.ids.tolist() == official.validation.ids.tolist()


def test_second_time_or_of_a_copy_elsewhere_it_is_mapped_from_the_cache(table, tmp_path, monkeypatch):
    rows = plain_rows()
    rows[2] = "nonsense"
    path = table(rows)
    first = data.load(str(path), skip_bad_rows=True)
    monkeypatch.setattr(data.Table, "read", lambda *_: pytest.fail("read again"))
    for same in (path, shutil.copy(path, tmp_path / "copy.csv")):
        second = data.load(str(same), skip_bad_rows=True)
        assert isinstance(second.images, np.memmap)
        assert (second.path, second.sha256, second.bad) == (str(same), first.sha256, first.bad)
        for name in ("images", "labels", "split", "ids"):
            np.testing.assert_array_equal(getattr(second, name), getattr(first, name))
            assert getattr(second, name).dtype == getattr(first, name).dtype
    with pytest.raises(DataError, match="row 3"):
        data.load(str(path))
    monkeypatch.undo()
    for damaged in cache_folder().glob("data/*"):  # not used, and replaced
        damaged.write_bytes(damaged.read_bytes()[:100])
        assert data.load(str(path), skip_bad_rows=True).sha256 == first.sha256
    path.write_text(path.read_text().replace("\n0,", "\n5,", 1))  # of the same size
    assert (first.labels[0], data.load(str(path), skip_bad_rows=True).labels[0]) == (0, 5)


def test_what_fails_while_it_is_written_leaves_nothing(table, own_cache, monkeypatch, capsys):
    def full_disk(path, text):  # after the images
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_text", full_disk)
    assert len(data.load(str(table(plain_rows())))) == 28
    assert "cannot cache" in (said := capsys.readouterr().err)
    assert "No space left" in said
    assert [*own_cache.glob("data/*"), *own_cache.glob("data/.*")] == []


def test_where_the_cache_is_and_reading_without_one(table, monkeypatch, tmp_path, capsys):
    path = table(plain_rows())
    monkeypatch.setenv("FER_EDGE_CACHE", str(path))  # no folder
    assert len(data.load(str(path))) == 28
    assert "cannot cache" in capsys.readouterr().err
    monkeypatch.delenv("FER_EDGE_CACHE")
    for name, folder in (("XDG_CACHE_HOME", "fer-edge"), ("HOME", ".cache/fer-edge")):
        monkeypatch.setenv(name, str(tmp_path))
        assert cache_folder() == tmp_path / folder
        monkeypatch.delenv(name)
