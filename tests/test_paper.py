"""The paper's tables, and what follows from them, against values worked out by hand."""

import importlib.util
from pathlib import Path

import pytest

from fer_edge import paper
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS

ROOT = Path(__file__).parents[1]


def test_sums_that_do_not_add_up():
    assert sum(paper.TABLE_1.values()) == 35_527  # of 35,887
    assert sum(paper.TABLE_4.values()) == 3_536
    assert sum(paper.PUBLIC_TEST.values()) == 3_589
    assert {sum(row) for row in paper.TABLE_10} == {99, 100, 101}


def test_table_10_comes_to_none_of_the_stated_figures():
    pictures = paper.table_10_pictures()
    assert pictures.sum() == pytest.approx(3_589)
    assert pictures[1].sum() == pytest.approx(56)
    # accuracy by hand: each row's diagonal over the row's sum, times the class's count
    right = 467 * 0.7 + 56 * 0.55 + 496 * 45 / 101 + 895 * 0.87 + 653 * 55 / 101 + 415 * 0.8 + 607 * 75 / 99
    scores = metrics.scores(pictures, LABELS)
    assert scores["accuracy"] == pytest.approx(right / 3_589)
    means = (scores[key] for key in ("accuracy", "macro_precision", "macro_recall"))
    assert [round(100 * score, 1) for score in means] == [69.8, 67.9, 66.7]
    assert [triple[0] for triple in paper.TEST_SCORES] == [0.77, 0.67]


def test_table_5_is_equation_1_but_for_a_sign():
    for gray, x in paper.TABLE_5.items():
        assert abs(abs((gray / 255 - 0.5) * 2) - abs(x)) < 0.04, gray  # 72 has one digit
    wrong = [gray for gray, x in paper.TABLE_5.items() if (gray / 255 - 0.5) * x < 0]
    assert wrong == [70]


def test_the_page_holds_what_is_worked_out():
    spec = importlib.util.spec_from_file_location("paper_check", ROOT / "train/paper_check.py")
    check = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(check)
    report = check.report()
    assert "| 64.54 | 52.1 (" in report  # (2 x 64.54 - 77) % of PrivateTest
    assert report in (ROOT / "docs/paper.md").read_text(encoding="utf-8")
