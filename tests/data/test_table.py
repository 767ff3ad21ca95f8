"""FER-2013 as a table in every layout and packing, and what is said of one that is wrong."""

import csv
import gzip
import io
import lzma
import zipfile

import numpy as np
import pytest
from known_rows import face, pixels, plain_rows, split_name

from fer_edge import data
from fer_edge.data import table as reading
from fer_edge.data.dataset import SPLITS
from fer_edge.errors import DataError


def test_every_value_comes_through(table):
    read = data.load(str(table(plain_rows())))
    assert (read.images.dtype, read.protocol) == (np.uint8, "official")
    np.testing.assert_array_equal(read.images, [face(row) for row in range(1, 29)])
    assert read.labels.tolist() == [*range(7)] * 4
    assert [SPLITS[index] for index in read.split] == [split_name(row) for row in range(1, 29)]
    assert read.ids.tolist() == list(range(1, 29))
    other = data.load(str(table([row.replace("PublicTest", "PrivateTest") for row in plain_rows()])))
    assert other.sha256 != read.sha256


def _written(*order: str, **how) -> str:
    out = io.StringIO()
    writer = csv.writer(out, **{"lineterminator": "\n", **how})
    rows = [row.split(",") for row in plain_rows()]
    place = {"emotion": 0, "pixels": 1, "usage": 2}
    writer.writerows([order, *([row[place[name.strip().lower()]] for name in order] for row in rows)])
    return out.getvalue()


ORDER = ("emotion", "pixels", "Usage")
LAYOUTS = {
    "icml_spaces": _written("emotion", " Usage", " pixels"),
    "other_order": _written("Usage", "pixels", "emotion"),
    "other_case": _written("EMOTION", "pixels", "usage", lineterminator="\r\n"),
    "bom_quotes_crlf": "\ufeff" + _written(*ORDER, quoting=csv.QUOTE_ALL, lineterminator="\r\n"),
    "no_last_newline": _written(*ORDER).rstrip("\n"),
    "blank": _written(*ORDER, lineterminator="\n\n"),
}


@pytest.mark.parametrize("text", LAYOUTS.values(), ids=LAYOUTS)
def test_layouts_of_the_same_rows_are_the_same_data(table, tmp_path, text):
    plain = data.load(str(table(plain_rows())))
    (tmp_path / "other.csv").write_bytes(text.encode())
    assert data.load(str(tmp_path / "other.csv")).sha256 == plain.sha256


@pytest.mark.parametrize("name", ["plain.csv", "icml_header_spaces.csv", "quoted_crlf_bom.csv"])
def test_shown_layouts(cases, own_cache, name):
    read = data.load(str(cases / "csv" / name))
    assert (np.bincount(read.labels).tolist(), np.bincount(read.split).tolist()) == ([4] * 7, [14, 7, 7])


GOOD = pixels(3)
SHORT = GOOD.rsplit(" ", 1)[0]
BAD = {
    f"2,{SHORT},Training": "2303 pixel values instead of 2304",
    f"2,{GOOD} 7,Training": "2305 pixel values instead of 2304",
    "2,,Training": "0 pixel values instead of 2304",
    **{
        f"2,{SHORT} {level},Training": f"the pixel value {level!r}, not a number from 0 to 255"
        for level in ("256", "65546", "1070", "-1", "abc", "0.5", "é")  # 65546 would wrap to 10
    },
    f"7,{GOOD},Training": "emotion '7', not 0 to 6",
    f"-1,{GOOD},Training": "emotion '-1', not 0 to 6",
    f",{GOOD},Training": "emotion '', not 0 to 6",
    f"2,{GOOD},Test": "Usage 'Test', not Training, PublicTest, PrivateTest",
    f"2,{GOOD}": "2 of the header's 3 columns",
    f"2,{GOOD},Training,x": "4 of the header's 3 columns",
    f'2,"{GOOD},Training': "a quote that is not closed",
}


def test_bad_rows_are_named_counted_and_can_be_skipped(table):
    """G2. A blank line is a line and no row."""
    rows = plain_rows(7)
    path = str(table([rows[0], "", *BAD, *rows[1:]]))
    first = r"row 2 \(line 4\) has 2303 pixel values instead of 2304; bad rows in all: 17; --skip-bad-rows"
    with pytest.raises(DataError, match=first):
        data.load(path)
    read = data.load(path, skip_bad_rows=True)
    found = {f"row {row} (line {row + 2})": f"has {why}" for row, why in enumerate(BAD.values(), 2)}
    assert dict(read.bad) == found
    assert read.ids.tolist() == [1, *range(19, 25)]
    np.testing.assert_array_equal(read.images, [face(row) for row in range(1, 8)])
    with pytest.raises(DataError, match="over 10000 invalid rows"):
        data.load(str(table([*rows, *["x"] * 10_001])), skip_bad_rows=True)


NOT_OURS = {
    "has nothing": b"",
    "header needs emotion,pixels,Usage and has 'emotion', 'Usage'": b"emotion,Usage\n1,Training\n",
    "the column 'pixels' twice": b"emotion,pixels,pixels\n",
    "no 'emotion' column.*can be classified": b"pixels,Usage\n",
    "is not FER-2013": bytes(range(256)) * 8,
    "contains nothing valid$": b"emotion,pixels,Usage\n",
    r"contains nothing valid: row 1 \(line 2\) has 1 pixel": b"emotion,pixels,Usage\n1,2,Training\n",
    "line 1 is longer": b"x" * (2 << 20),
}


def test_not_a_table_of_ours(tmp_path, own_cache):
    path = tmp_path / "x.csv"
    with pytest.raises(DataError, match=r"x.csv does not exist: give fer2013.csv"):
        data.load(str(path))
    for why, content in NOT_OURS.items():
        path.write_bytes(content)
        with pytest.raises(DataError, match=why):
            data.load(str(path), skip_bad_rows=True)


def _zip(members: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return out.getvalue()


# as archives have them: macOS' own file and others beside the table
BESIDE = {"README": b"hi" * 400, "a/._fer2013.csv": b"x"}
PACKED = {
    "xz": lzma.compress,
    "gz": gzip.compress,
    "zip": lambda text: _zip({**BESIDE, "../fer2013/fer2013.csv": text}),
}


@pytest.mark.parametrize("kind", PACKED)
def test_packed_is_the_same_data_whatever_it_is_called(table, tmp_path, monkeypatch, kind):
    path, packed = table(plain_rows()), tmp_path / "misnamed.csv"
    whole = PACKED[kind](path.read_bytes())
    packed.write_bytes(whole)
    assert data.load(str(packed)).sha256 == data.load(str(path)).sha256
    assert not list(tmp_path.parent.rglob("fer2013/fer2013.csv"))  # nothing was unpacked
    packed.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match="damaged, cut short"):
        data.load(str(packed))
    packed.write_bytes(whole + b" ")  # not from the cache
    monkeypatch.setattr(reading, "MAX_BYTES", 100_000)
    with pytest.raises(DataError, match="unpacks to more than"):
        data.load(str(packed))


def test_an_archive_without_one_table_says_so(tmp_path, own_cache):
    for tables in ([], ["one.csv", "two.csv"]):
        (tmp_path / "x").write_bytes(_zip(dict.fromkeys(["a/x.png", *tables], b"x")))
        with pytest.raises(DataError, match=f"holds {len(tables)} .csv files"):
            data.load(str(tmp_path / "x"))
