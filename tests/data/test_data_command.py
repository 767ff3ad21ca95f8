import json

import cv2
import numpy as np
import pytest
from known_rows import plain_rows
from processes import fer_edge

from fer_edge import sheets
from fer_edge.data import ferplus, load
from fer_edge.data.dataset import SPLITS
from fer_edge.training import recipes


def test_plain_lines_of_what_the_environment_names(table, tree, monkeypatch):
    numbers, names = tuple("1234567"), "surprise,fear,disgust,happy,sad,angry,neutral"
    fer_edge("data", tree({"train": numbers, "test": numbers}), "--class-names", names, code=0)
    monkeypatch.setenv("FER_EDGE_DATA", str(table(plain_rows())))
    out = fer_edge("data", code=0).stdout
    assert "28 faces" in out
    lines = [line.split() for line in out.splitlines()]
    assert ["happy", "2", "1", "1", "4"] in lines
    assert ["all", "14", "7", "7", "28"] in lines
    assert ["also", "in", "Training", "0", "0"] in lines


def test_a_bad_row_is_one_line_and_exit_1_and_json_stands_alone(table):
    rows = plain_rows()
    rows[9] = "nonsense"
    path = table(rows)
    refused = fer_edge("data", path, code=1).stderr
    assert (refused.count("\n"), "row 10 (line 11)" in refused) == (1, True)
    done = fer_edge("data", path, "--skip-bad-rows", "--json", "-", code=0)
    result = json.loads(done.stdout)
    assert result["counts"]["Training"]["fear"] == 1
    assert result["bad"]["rows"] == [{"where": "row 10 (line 11)", "why": "has 1 of the header's 3 columns"}]
    assert "row 10 (line 11) has 1 of" in done.stderr


def test_plot_has_up_to_twelve_faces_of_each_expression(table, tmp_path):
    path, sheet = table(plain_rows(14)), tmp_path / "été.png"
    assert [len(row) for row in sheets.samples(load(str(path)), 0)] == [2] * 7
    assert {len(row) for row in sheets.samples(load("drawn:98"), 0)} == {12}
    fer_edge("data", path, "--plot", sheet, code=0)
    drawn = cv2.imdecode(np.fromfile(sheet, np.uint8), cv2.IMREAD_GRAYSCALE)
    faces, rest = np.split(drawn, [drawn.shape[1] // 4], axis=1)  # two faces a row, then white
    assert (faces < 250).mean() > 0.5
    assert (rest == 255).all()
    assert "exists already" in fer_edge("data", path, "--plot", sheet, code=1).stderr
    assert "ends in .png" in fer_edge("data", path, "--plot", tmp_path / "x.docx", code=2).stderr
    fer_edge("data", path, "--plot", sheet, "--force", code=0)


@pytest.mark.parametrize(("recipe", "mixtures"), [("paper", 0), ("edge", 3)])
def test_augmentations_are_labelled_panels_then_mixtures(recipe, mixtures):
    """Figure 6: the picture and (a) to (e), each under its name; three mixtures for a recipe that mixes."""
    how = recipes.read(recipe).augmentation
    heads, rows = sheets.augmentations(load("drawn:84"), how, 0)
    changes = ["(a) rotation", "(b) shift along x", "(c) shift along y", "(d) zoom", "(e) flip"]
    assert heads == ["picture", *changes, *["mixture"] * mixtures]
    for face, *others in rows:
        assert len(others) == 5 + mixtures
        np.testing.assert_array_equal(others[4], face[:, ::-1])  # (e)
        for other in others[:4]:  # (a) to (d) each change the picture
            assert np.abs(face.astype(int) - other).mean() > 2


def test_labels_of_ferplus(tmp_path):
    """Contempt, FER+'s eighth, has one picture here, and nobody is disgusted."""
    votes = tmp_path / "votes.csv"
    rows = [
        f"{SPLITS[split]},a,{','.join('9' if n == (row % 4 if row else 7) else '0' for n in range(10))}"
        for row, split in enumerate(load("drawn:84").split)
    ]
    votes.write_text("\n".join(["Usage,Image name," + ",".join(ferplus.COLUMNS), *rows]))
    drawn = "--plot", tmp_path / "s.png", "--augmented", tmp_path / "a.png"
    done = fer_edge("data", "drawn:84", "--labels", f"ferplus:{votes}", *drawn, code=0)
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [row[0] for row in lines[2:10]] == list(ferplus.LABELS)
    assert [row[-1] for row in lines[2:10]] == ["20", "21", "21", "21", "0", "0", "0", "1"]
    assert all(cv2.imread(str(sheet)).std() > 50 for sheet in drawn[1::2])


def test_table_5_needs_no_data(monkeypatch):
    monkeypatch.delenv("FER_EDGE_DATA", raising=False)
    lines = [line.split() for line in fer_edge("data", "--table5", code=0).stdout.splitlines()]
    assert len(lines) == 12
    assert ["70", "-0.451", "+0.45"] in lines  # its sign is lost in the paper
    printed = json.loads(fer_edge("data", "--table5", "--json", "-", code=0).stdout)
    assert printed["table_5"]["70"] == 0.45
    refused = fer_edge("data", code=2).stderr
    assert "fer2013.csv or icml_face_data.csv of Kaggle's" in refused
    assert "'drawn'" in refused
