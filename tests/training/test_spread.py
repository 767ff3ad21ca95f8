"""Mean and standard deviation over runs, against values worked out by hand."""

import json

import pytest
from typer.testing import CliRunner

from fer_edge.cli import application
from fer_edge.errors import DataError, UsageError
from fer_edge.training import spread


def metrics(accuracy, *, split="PrivateTest", unseen=0.5):
    return {
        "model": "nano",
        "data": {"path": "x.csv", "sha256": "ab", "protocol": "official", "split": split, "n": 100},
        "accuracy": accuracy,
        "accuracy_without_duplicates": unseen,
        "macro_precision": 0.6,
        "macro_recall": 0.6,
        "macro_f1": 0.6,
        "per_class": {"angry": {"precision": 0.1, "recall": accuracy / 2, "f1": 0.1, "support": 10}},
        "confusion_matrix": [[0]],
    }


def test_mean_and_sample_deviation():
    got = spread.summarise([metrics(0.6), metrics(0.7), metrics(0.8)])
    row = got["scores"]["accuracy"]
    assert (row["mean"], row["standard_deviation"]) == pytest.approx((0.7, 0.1))
    assert (row["min"], row["max"], row["values"]) == (0.6, 0.8, [0.6, 0.7, 0.8])
    assert got["scores"]["recall angry"]["mean"] == pytest.approx(0.35)
    assert got["scores"]["macro_f1"]["standard_deviation"] == 0
    assert got["runs"] == 3


def test_only_scores_that_all_have():
    spoilt = {"robustness": {"conditions": {"dark x0.4": {"accuracy": 0.5}}}}
    got = spread.summarise([metrics(0.6) | spoilt, metrics(0.7, unseen=None)])
    assert "accuracy, dark x0.4" not in got["scores"]
    assert "accuracy_without_duplicates" not in got["scores"]
    both = spread.summarise([metrics(0.6) | spoilt, metrics(0.7) | spoilt])
    assert both["scores"]["accuracy, dark x0.4"]["mean"] == 0.5


def test_runs_that_cannot_be_compared_are_refused():
    with pytest.raises(UsageError, match="two"):
        spread.summarise([metrics(0.6)])
    with pytest.raises(DataError, match="split is PrivateTest and PublicTest"):
        spread.summarise([metrics(0.6), metrics(0.6, split="PublicTest")])


@pytest.mark.parametrize("text", ["", "[]", '{"accuracy": 1}', "[" * 100_000, '{"accuracy": NaN}'])
def test_other_files_are_refused_in_a_line(tmp_path, text):
    path = tmp_path / "metrics.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"metrics\.json is no metrics\.json"):
        spread.read(tmp_path)
    with pytest.raises(DataError, match="cannot read"):
        spread.read(tmp_path / "absent")


def test_the_command_on_folders_and_files(tmp_path):
    (tmp_path / "run0").mkdir()
    (tmp_path / "run0/metrics.json").write_text(json.dumps(metrics(0.6)))
    (tmp_path / "other.json").write_text(json.dumps(metrics(0.7)))
    page, out = tmp_path / "seeds.md", tmp_path / "seeds.json"
    names = [str(tmp_path / "run0"), str(tmp_path / "other.json")]
    done = CliRunner().invoke(application(), ["spread", *names, "--markdown", str(page), "--json", str(out)])
    assert done.exit_code == 0
    assert "| accuracy | 65.00 | 7.07 | 60.00 | 70.00 |" in page.read_text()
    assert json.loads(out.read_text())["scores"]["accuracy"]["mean"] == pytest.approx(0.65)
    assert "2 runs, PrivateTest (100 pictures)" in done.output
