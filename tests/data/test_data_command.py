from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest
from known_rows import plain_rows

from fer_edge import cli
from fer_edge.data import ferplus


@pytest.fixture
def fer_edge(monkeypatch, capsys):
    """Runs the command line; gives exit code, standard output and standard error."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["fer-edge", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.invoke()
        shown = capsys.readouterr()
        return ended.value.code or 0, shown.out, shown.err

    return run


def test_plain_lines_of_what_the_environment_names(table, tree, fer_edge, monkeypatch):
    monkeypatch.setenv("FER_EDGE_CLASS_NAMES", "surprise,fear,disgust,happy,sad,angry,neutral")
    numbers = tuple("1234567")
    assert fer_edge("data", tree({"train": numbers, "test": numbers}))[0] == 0
    monkeypatch.setenv("FER_EDGE_DATA", str(table(plain_rows())))
    code, out, _ = fer_edge("data")
    assert code == 0
    assert "28 faces" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["happy", "2", "1", "1", "4"] in lines
    assert ["all", "14", "7", "7", "28"] in lines
    assert "no picture is in two splits" in out
    assert "too few: 14 pictures outside Training: convert proves a file on at least 50" in out


def test_a_bad_row_is_one_line_and_exit_1_and_json_stands_alone(table, fer_edge):
    rows = plain_rows()
    rows[9] = "nonsense"
    path = table(rows)
    code, _, err = fer_edge("data", path)
    assert (code, err.count("\n"), "row 10 (line 11)" in err) == (1, 1, True)
    code, out, err = fer_edge("data", path, "--skip-bad-rows", "--json", "-")
    assert code == 0
    result = json.loads(out)
    assert result["counts"]["Training"]["fear"] == 1
    assert result["bad"]["rows"] == [{"where": "row 10 (line 11)", "why": "has 1 of the header's 3 columns"}]
    assert "row 10 (line 11) has 1 of" in err


def test_plot_has_seven_rows_of_faces(table, tmp_path, fer_edge):
    path = table(plain_rows(14))
    sheet = tmp_path / "été.png"
    assert fer_edge("data", path, "--plot", sheet)[0] == 0
    drawn = cv2.imdecode(np.fromfile(sheet, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert drawn.shape == (700, 1310)
    for row in range(7):  # two faces a row, then white
        cells = drawn[row * 100 + 2 : row * 100 + 98, 110:]
        assert cells[:, :200].std() > 50
        assert (cells[:, 200:] == 255).all()
    code, _, err = fer_edge("data", path, "--plot", sheet)
    assert (code, "exists already" in err) == (1, True)
    assert fer_edge("data", path, "--plot", sheet, "--force")[0] == 0
    code, _, err = fer_edge("data", path, "--plot", tmp_path / "x.docx")
    assert (code, "ends in .png" in err) == (1, True)


@pytest.mark.parametrize(("recipe", "panels"), [("paper", 6), ("edge", 9)])
def test_augmentations_are_labelled_panels_then_mixtures(tmp_path, fer_edge, recipe, panels):
    """Figure 6: the picture and (a) to (e), each under its name; three mixtures for a recipe that mixes."""
    sheet = tmp_path / "augmented.png"
    assert fer_edge("data", "drawn:84", "--augmented", sheet, "--recipe", recipe)[0] == 0
    drawn = cv2.imread(str(sheet), cv2.IMREAD_GRAYSCALE)
    assert drawn.shape == (24 + 7 * 148, 110 + panels * 148)
    columns = [drawn[:, 110 + n * 148 : 110 + (n + 1) * 148] for n in range(panels)]
    assert all(column[:24].min() < 100 for column in columns)  # a name above each
    picture, flipped = columns[0][26:170, 2:146].astype(int), columns[5][26:170, 2:146].astype(int)
    assert np.abs(picture[:, ::-1] - flipped).max() <= 2  # (e)
    for other in columns[1:5]:  # (a) to (d) each change the picture
        assert np.abs(picture - other[26:170, 2:146]).mean() > 2


def test_labels_of_ferplus(tmp_path, fer_edge):
    """Contempt, FER+'s eighth, has one picture here, and nobody is disgusted."""
    votes = tmp_path / "votes.csv"
    rows = [f"Training,a,{','.join('9' if n == (7 if row == 0 else row % 4) else '0' for n in range(10))}"
            for row in range(84)]  # fmt: skip
    votes.write_text("\n".join(["Usage,Image name," + ",".join(ferplus.COLUMNS), *rows]))
    sheets = "--plot", tmp_path / "s.png", "--augmented", tmp_path / "a.png"
    code, out, _ = fer_edge("data", "drawn:84", "--labels", f"ferplus:{votes}", *sheets)
    lines = [line.split() for line in out.splitlines()]
    assert code == 0
    assert [row[0] for row in lines[2:10]] == list(ferplus.LABELS)
    assert [row[-1] for row in lines[2:10]] == ["20", "21", "21", "21", "0", "0", "0", "1"]
    assert cv2.imread(str(sheets[1])).shape == (8 * 100, 110 + 12 * 100, 3)
    assert cv2.imread(str(sheets[3])).shape == (24 + 8 * 148, 110 + 6 * 148, 3)


def test_table_5_needs_no_data(fer_edge, monkeypatch):
    monkeypatch.delenv("FER_EDGE_DATA", raising=False)
    code, out, _ = fer_edge("data", "--table5")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert len(lines) == 12
    assert ["70", "-0.451", "+0.45"] in lines  # its sign is lost in the paper
    code, _, err = fer_edge("data")
    assert (code, "fer2013.csv or icml_face_data.csv of Kaggle's" in err, "'drawn'" in err) == (2, True, True)
