"""train/paper_check.py: what the paper's figures imply, against values worked out by hand."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[1] / "train/paper_check.py"


@pytest.fixture(scope="module")
def check():
    spec = importlib.util.spec_from_file_location("paper_check", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_lowest_loss_is_reached_by_a_tie_of_two(check):
    # two of three pictures right with certainty, the third 1/2 to 1/2: (0 + 0 + ln 2) / 3
    assert check.lowest_loss(2 / 3) == pytest.approx(np.log(2) / 3)
    assert check.lowest_loss(1) == 0


@pytest.mark.parametrize("scale", [1, 100], ids=["shares", "percent"])
def test_table_10_is_weighed_by_the_classes_counts(check, tmp_path, scale):
    table = np.eye(7)
    table[0] = [0.5, 0, 0, 0.5, 0, 0, 0]
    path = tmp_path / "table10.csv"
    np.savetxt(path, table * scale, delimiter=",")
    got = check.scores_of_table_10(path, np.array([40, 10, 10, 20, 10, 5, 5]))
    assert got["accuracy"] == pytest.approx(0.8)  # 20 of 100 go wrong
    assert got["macro_recall"] == pytest.approx(6.5 / 7)
    assert got["macro_precision"] == pytest.approx((6 + 20 / 40) / 7)  # 20 angry ones among 40 called happy


def test_the_whole_on_the_real_counts(check, fer2013):
    text = check.report(str(fer2013), None)
    assert "disgust 56" in text
    assert "50.0 % of the 7,178" in text
    # (2 x 64.54 - 77) % of PrivateTest
    assert "| 64.54 | 52.1 (" in text
