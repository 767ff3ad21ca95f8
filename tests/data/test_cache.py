import shutil

import numpy as np
import pytest
from known_rows import plain_rows

from fer_edge import data, files
from fer_edge.errors import DataError


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
    path.write_text(path.read_text().replace("\n0,", "\n5,", 1))  # of the same size
    assert (first.labels[0], data.load(str(path), skip_bad_rows=True).labels[0]) == (0, 5)


@pytest.mark.parametrize("suffix", [".npy", ".json"])
@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_damaged_entry_is_never_used(table, own_cache, suffix, harm):
    path = str(table(plain_rows()))
    first = data.load(path)
    (kept,) = own_cache.glob(f"data/*{suffix}")
    if harm == "cut":
        kept.write_bytes(kept.read_bytes()[:-100])
    else:
        kept.unlink()
    assert data.load(path).sha256 == first.sha256
    assert isinstance(data.load(path).images, np.memmap)


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
        assert data.cache_folder() == tmp_path / folder
        monkeypatch.delenv(name)
