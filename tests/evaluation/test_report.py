"""What an evaluation looks like in print and as a picture."""

import numpy as np
import pytest

from fer_edge.evaluation import metrics, report
from fer_edge.spec import LABELS


@pytest.fixture
def result():
    """Class i has 10 + i pictures, of which 5 are named rightly and the rest neutral."""
    cm = np.diag([5] * 7)
    cm[:, 6] += np.arange(5, 12)
    data = {"path": "d", "sha256": "ab", "protocol": "official", "split": "PrivateTest", "n": 91}
    scores = metrics.scores(cm, LABELS)
    return {
        "model": "tuned_$int8", "data": data, **scores, "accuracy_without_duplicates": 0.4321,
        "confusion_matrix": cm.tolist(),
    }  # fmt: skip


def test_printed_figures_beside_the_paper_s_for_its_own_data_only(result, capsys):
    report.show_evaluation(result)
    text = capsys.readouterr().out
    cells = [line.split() for line in text.splitlines()]
    assert ["happy", "100.0", "38.5", "55.6", "13"] in cells
    assert ["macro", "average", "89.5", "49.2", "55.4", "91"] in cells  # neutral: precision 16 of 61
    assert ["happy", "0", "0", "0", "5", "0", "0", "8", "38.5"] in cells
    # 46 of 91 is 50.55; Wilson: centre 0.5053, half-width 0.1007
    assert "accuracy 50.55 % (46 of 91; 95 % interval 40.5 to 60.6), macro F1" in text
    assert "accuracy without pictures that are also in Training 43.21 %" in text
    assert ["accuracy", "50.5", "69.8", "77", "or", "67"] in cells
    assert next(row for row in cells if row[:2] == ["macro", "precision,"])[-4:] == ["67.9", "72", "or", "67"]
    assert ["recall", "of", "fear", "41.7", "44.6"] in cells  # Table 10: 45 of a row that sums to 101
    # one against the rest: 45 wrong pictures count once as missed and once as false, in 7 x 91 decisions
    assert f"{100 * (1 - 90 / (7 * 91)):.1f}" in text
    assert text.isascii()  # no frames where there is no terminal
    other = {**result, "per_class": {label.upper(): row for label, row in result["per_class"].items()}}
    for shown in (other, {**result, "data": {**result["data"], "protocol": "holdout"}}):
        report.show_evaluation(shown)
        text = capsys.readouterr().out
        assert ("accuracy 50.55 %" in text, "69.8" in text) == (True, False)
