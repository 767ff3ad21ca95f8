from __future__ import annotations

import gzip
import lzma
import tarfile
import zipfile

import pytest
from known_rows import plain_rows

from fer_edge import data
from fer_edge.data import table as reading
from fer_edge.errors import DataError


def _pack(kind: str, path, folder):
    packed = folder / f"packed.{kind}"
    if kind == "xz":
        packed.write_bytes(lzma.compress(path.read_bytes()))
    elif kind == "gz":
        packed.write_bytes(gzip.compress(path.read_bytes()))
    elif kind == "tar.gz":
        with tarfile.open(packed, "w:gz") as archive:
            archive.add(path, "fer2013/fer2013.csv")
    else:
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("README", "hello")
            archive.write(path, "fer2013/fer2013.csv")
    return packed


KINDS = ("xz", "gz", "tar.gz", "zip")


@pytest.mark.parametrize("kind", KINDS)
def test_packed_is_the_same_data(table, tmp_path, kind):
    path = table(plain_rows())
    packed = _pack(kind, path, tmp_path)
    plain = data.load(str(path))
    assert data.load(str(packed)).sha256 == plain.sha256
    misnamed = packed.rename(tmp_path / "misnamed.csv")
    assert data.load(str(misnamed)).sha256 == plain.sha256


@pytest.mark.parametrize("kind", KINDS)
def test_cut_short_is_an_error(table, tmp_path, kind):
    packed = _pack(kind, table(plain_rows()), tmp_path)
    packed.write_bytes(packed.read_bytes()[: packed.stat().st_size // 2])
    with pytest.raises(DataError, match="damaged or cut short"):
        data.load(str(packed))


@pytest.mark.parametrize("kind", KINDS)
def test_what_unpacks_without_end_is_stopped(table, tmp_path, monkeypatch, kind):
    packed = _pack(kind, table(plain_rows()), tmp_path)
    monkeypatch.setattr(reading, "MAX_BYTES", 100_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        data.load(str(packed))


@pytest.mark.parametrize(
    ("members", "why"),
    [
        ({"a/x.png": "x"}, "holds no .csv"),
        ({"one.csv": "x", "two.csv": "x"}, "several tables .one.csv, two.csv."),
    ],
)
def test_zip_without_one_table(tmp_path, own_cache, members, why):
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    with pytest.raises(DataError, match=why):
        data.load(str(path))


def test_known_table_is_taken_from_several(table, tmp_path):
    path = table(plain_rows())
    packed = tmp_path / "x.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("train.csv", "x")
        archive.writestr("__MACOSX/._fer2013.csv", "x")
        archive.write(path, "icml_face_data.csv")
    assert len(data.load(str(packed))) == 28


def test_nothing_there(own_cache, tmp_path):
    with pytest.raises(DataError, match=r"none.csv does not exist: give fer2013.csv"):
        data.load(str(tmp_path / "none.csv"))
