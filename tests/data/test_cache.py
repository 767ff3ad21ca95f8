from __future__ import annotations

import shutil

import numpy as np
import pytest
from known_rows import plain_rows

from fer_edge import data, files
from fer_edge.errors import DataError


@pytest.fixture
def no_reading(monkeypatch):
    """From the call on, reading a table fails the test."""

    def forbid():
        monkeypatch.setattr(data.Table, "read", lambda *_: pytest.fail("read again"))

    return forbid


def test_second_time_or_of_a_copy_elsewhere_it_is_mapped_from_the_cache(table, tmp_path, no_reading):
    path = table(plain_rows())
    first = data.load(str(path))
    no_reading()
    for same in (path, shutil.copy(path, tmp_path / "copy.csv")):
        second = data.load(str(same))
        assert isinstance(second.images, np.memmap)
        assert (second.path, second.sha256) == (str(same), first.sha256)
        np.testing.assert_array_equal(second.images, first.images)


def test_changed_content_of_the_same_size_is_read(table):
    path = table(plain_rows())
    assert data.load(str(path)).labels[0] == 0
    path.write_text(path.read_text().replace("\n0,", "\n5,", 1))
    assert data.load(str(path)).labels[0] == 5


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_entry_is_never_used(table, own_cache, suffix, harm):
    path = table(plain_rows())
    first = data.load(str(path))
    (kept,) = own_cache.glob(f"data/*{suffix}")
    if harm == "cut":
        kept.write_bytes(kept.read_bytes()[:-100])
    else:
        kept.unlink()
    again = data.load(str(path))
    assert again.sha256 == first.sha256
    assert len(again.images) == 28
    assert isinstance(data.load(str(path)).images, np.memmap)


def test_what_fails_while_it_is_written_leaves_nothing(table, own_cache, monkeypatch, capsys):
    path = table(plain_rows())

    def full_disk(path, text):  # after the images
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "write_text", full_disk)
    assert len(data.load(str(path))) == 28
    assert "No space left" in capsys.readouterr().err
    assert [*own_cache.glob("data/*"), *own_cache.glob("data/.*")] == []


def test_reading_goes_on_without_a_cache(table, tmp_path, monkeypatch, capsys):
    path = table(plain_rows())
    (tmp_path / "file").write_text("no folder")
    monkeypatch.setenv("FER_EDGE_CACHE", str(tmp_path / "file"))
    assert len(data.load(str(path))) == 28
    assert "cannot cache" in capsys.readouterr().err


def test_where_the_cache_is(monkeypatch, tmp_path):
    monkeypatch.delenv("FER_EDGE_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert data.cache_folder() == tmp_path / "fer-edge"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data.cache_folder() == tmp_path / ".cache/fer-edge"


def test_skipped_rows_come_out_of_the_cache_too(table, no_reading):
    rows = plain_rows(7)
    rows[2] = "nonsense"
    path = str(table(rows))
    first = data.load(path, skip_bad_rows=True)
    no_reading()
    assert data.load(path, skip_bad_rows=True).bad == first.bad
    with pytest.raises(DataError, match="row 3"):
        data.load(path)
