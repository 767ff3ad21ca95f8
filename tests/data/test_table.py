"""FER-2013 as a table in every layout and packing, and what is said of one that is wrong."""

from __future__ import annotations

import csv
import gzip
import io
import lzma
import tarfile
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from known_rows import face, pixels, plain_rows, split_name

from fer_edge import data
from fer_edge.data import table as reading
from fer_edge.data.table import parse_pixels
from fer_edge.errors import DataError


def test_every_value_comes_through(table):
    read = data.load(str(table(plain_rows())))
    assert read.images.dtype == np.uint8
    assert read.images.shape == (28, 48, 48)
    for row in range(1, 29):
        np.testing.assert_array_equal(read.images[row - 1], face(row))
    assert read.labels.tolist() == [(row - 1) % 7 for row in range(1, 29)]
    assert [data.SPLITS[index] for index in read.split] == [split_name(row) for row in range(1, 29)]
    assert read.ids.tolist() == list(range(1, 29))
    assert read.protocol == "official"


def _written(order: tuple[str, ...], names: dict[str, str], **how) -> str:
    out = io.StringIO()
    writer = csv.writer(out, **how)
    writer.writerow([names.get(name, name) for name in order])
    for row in range(1, 29):
        values = {"emotion": (row - 1) % 7, "pixels": pixels(row), "Usage": split_name(row)}
        writer.writerow([values[name] for name in order])
    return out.getvalue()


SPACED = {"Usage": " Usage", "pixels": " pixels"}


@pytest.mark.parametrize(
    "text",
    [
        _written(("emotion", "Usage", "pixels"), SPACED, lineterminator="\n"),
        _written(("Usage", "pixels", "emotion"), {}, lineterminator="\n"),
        _written(("emotion", "pixels", "Usage"), {"Usage": "usage", "emotion": "EMOTION"}),
        "\ufeff" + _written(("emotion", "pixels", "Usage"), {}, quoting=csv.QUOTE_ALL, lineterminator="\r\n"),
        _written(("emotion", "pixels", "Usage"), {}, quoting=csv.QUOTE_NONNUMERIC),
        _written(("emotion", "pixels", "Usage"), {}, lineterminator="\n").rstrip("\n"),
        _written(("emotion", "pixels", "Usage"), {}, lineterminator="\n\n"),
    ],
    ids=[
        "icml_spaces",
        "other_order",
        "other_case",
        "bom_quotes_crlf",
        "quoted_text",
        "no_last_newline",
        "blank",
    ],
)
def test_layouts_of_the_same_rows_are_the_same_data(table, tmp_path, text):
    """G1."""
    plain = data.load(str(table(plain_rows())))
    other = tmp_path / "other.csv"
    other.write_bytes(text.encode())
    assert data.load(str(other)).sha256 == plain.sha256


@pytest.mark.parametrize("name", ["plain.csv", "icml_header_spaces.csv", "quoted_crlf_bom.csv"])
def test_shown_layouts(cases, own_cache, name):
    """G1."""
    read = data.load(str(cases / "csv" / name))
    assert np.bincount(read.labels).tolist() == [4] * 7
    assert np.bincount(read.split).tolist() == [14, 7, 7]


GOOD = pixels(3)
BAD = {
    "2303 values": (f"2,{GOOD.rsplit(' ', 1)[0]},Training", "2303 pixel values instead of 2304"),
    "2305 values": (f"2,{GOOD} 7,Training", "2305 pixel values instead of 2304"),
    "no values": ("2,,Training", "0 pixel values instead of 2304"),
    "256": (f"2,{GOOD.rsplit(' ', 1)[0]} 256,Training", "pixel value '256', not a number from 0 to 255"),
    "wraps to 10": (
        f"2,{GOOD.rsplit(' ', 1)[0]} 65546,Training",
        "pixel value '65546', not a number from 0 to 255",
    ),
    "four figures": (
        f"2,{GOOD.rsplit(' ', 1)[0]} 1070,Training",
        "pixel value '1070', not a number from 0 to 255",
    ),
    "negative": (f"2,{GOOD.rsplit(' ', 1)[0]} -1,Training", "pixel value '-1'"),
    "a word": (f"2,{GOOD.rsplit(' ', 1)[0]} abc,Training", "pixel value 'abc'"),
    "a fraction": (f"2,{GOOD.rsplit(' ', 1)[0]} 0.5,Training", "pixel value '0.5'"),
    "not ASCII": (f"2,{GOOD.rsplit(' ', 1)[0]} é,Training", "pixel value 'é'"),
    "label 7": (f"7,{GOOD},Training", "emotion '7', not 0 to 6"),
    "label -1": (f"-1,{GOOD},Training", "emotion '-1'"),
    "no label": (f",{GOOD},Training", "emotion ''"),
    "unknown split": (f"2,{GOOD},Test", "Usage 'Test', not Training, PublicTest, PrivateTest"),
    "a column less": (f"2,{GOOD}", "2 of the header's 3 columns"),
    "a column more": (f"2,{GOOD},Training,x", "4 of the header's 3 columns"),
    "an open quote": (f'2,"{GOOD},Training', "a quote that is not closed"),
}


@pytest.mark.parametrize(("row", "why"), BAD.values(), ids=BAD.keys())
def test_a_bad_row_is_named_and_can_be_skipped(table, row, why):
    """G2: row 3 stands on line 4."""
    rows = plain_rows(7)
    rows[2] = row
    path = str(table(rows))
    with pytest.raises(DataError) as raised:
        data.load(path)
    assert "row 3 (line 4)" in str(raised.value)
    assert why in str(raised.value)
    assert "1 bad row in all" in str(raised.value)
    read = data.load(path, skip_bad_rows=True)
    assert read.ids.tolist() == [1, 2, 4, 5, 6, 7]
    assert read.bad.count == 1
    np.testing.assert_array_equal(read.images[2], face(4))


def test_all_bad_rows_are_counted(table):
    rows = plain_rows(7)
    rows[1] = rows[4] = "nonsense"
    with pytest.raises(DataError, match=r"row 2 \(line 3\).*2 bad rows in all"):
        data.load(str(table(rows)))


def test_blank_lines_count_as_lines_only(table):
    rows = plain_rows(7)
    rows[2] = "9,,"
    with pytest.raises(DataError, match=r"row 3 \(line 6\)"):
        data.load(str(table([rows[0], "", "", *rows[1:]])))


def test_nothing_valid_is_an_error_even_when_skipping(table):
    with pytest.raises(DataError, match="nothing valid"):
        data.load(str(table(["1,2,Training"])), skip_bad_rows=True)


def test_no_labels(cases, own_cache):
    """G3."""
    with pytest.raises(DataError, match=r"no 'emotion' column.*can be classified"):
        data.load(str(cases / "csv/no_emotion_column.csv"))


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "has nothing"),
        (b"emotion,Usage\n1,Training\n", "header needs emotion,pixels,Usage and has 'emotion', 'Usage'"),
        (b"emotion,pixels,pixels\n", "the column 'pixels' twice"),
        ("emotion,pixels\n".encode("utf-16"), "UTF-16"),
        (bytes(range(256)) * 8, "is not FER-2013"),
        (b"emotion,pixels,Usage\n", "nothing valid"),
        (b"x" * (2 << 20), "line 1 is longer"),
    ],
    ids=["empty", "no_pixels", "twice", "utf16", "noise", "header_alone", "endless_line"],
)
def test_not_a_table_of_ours(tmp_path, own_cache, content, why):
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(DataError, match=why):
        data.load(str(path))


def test_without_usage_tenths_are_held_out(table):
    """train.csv of the competition: 140 rows, 20 of each class, 2 and 2 held out."""
    rows = [row.rsplit(",", 1)[0] for row in plain_rows(140)]
    read = data.load(str(table(rows, header="emotion,pixels")))
    assert read.protocol == "holdout"
    for index, count in enumerate((16, 2, 2)):
        assert np.bincount(read.labels[read.split == index]).tolist() == [count] * 7


@settings(deadline=None)
@given(st.binary(min_size=1, max_size=40), st.sampled_from([" ", "  ", "\t"]))
def test_pixels_round_trip(pattern, gap):
    values = (list(pattern) * 2304)[:2304]
    assert parse_pixels(gap.join(map(str, values))).tolist() == values
    assert parse_pixels(gap.join(f"{value:03d}" for value in values)).tolist() == values


def test_the_hash_tells_other_splits_apart(table):
    plain = data.load(str(table(plain_rows())))
    other = data.load(str(table([row.replace("PublicTest", "PrivateTest") for row in plain_rows()])))
    assert other.sha256 != plain.sha256


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
    with pytest.raises(DataError, match="damaged, cut short"):
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
