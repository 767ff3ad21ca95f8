"""Scripts of train/: the paper's tables beside ours, and the spread over seeds, against values by hand."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[2] / "train"


def script(name):
    spec = importlib.util.spec_from_file_location(name, SCRIPTS / f"{name}.py")
    sys.modules[name] = module = importlib.util.module_from_spec(spec)  # where dataclasses look for it
    spec.loader.exec_module(module)
    return module


def metrics(accuracy, *, split="PrivateTest", unseen=0.5):
    scores = {"macro_precision": 0.6, "macro_recall": 0.6, "macro_f1": 0.6}
    return {
        "data": {"sha256": "ab", "split": split, "n": 3589},
        "accuracy": accuracy,
        "accuracy_without_duplicates": unseen,
        "per_class": {"angry": {"recall": accuracy / 2}},
        **scores,
    }


def trained(folder, epochs, of, **files):
    """A training of so many epochs: losses fall, accuracy on PublicTest grows by 0.01 an epoch."""
    folder.mkdir()
    rows = [f"{n},{2 - n / 1000},0.3,{1.5 - n / 1000},{n / 100},0.001,60" for n in range(1, epochs + 1)]
    head = "epoch,loss,accuracy,val_loss,val_accuracy,learning_rate,seconds"
    (folder / "history.csv").write_text("\n".join([head, *rows]) + "\n")
    (folder / "recipe.toml").write_text(f"epochs = {of}\n")
    for name, value in files.items():
        (folder / f"{name}.json").write_text(json.dumps(value))


def test_the_papers_tables_say_what_is_trained_and_how_far(tmp_path):
    tables = script("paper_tables")
    trained(tmp_path / "paper", 60, 100)
    trained(tmp_path / "paper_dropout_none", 60, 60, metrics=metrics(0.7))
    trained(tmp_path / "paper_dropout_0.2", 40, 100, metrics=metrics(0.6))  # its patience ended it
    rows = {row[0]: row for row in tables.by_dropout(tmp_path).rows}
    assert rows[0.8][1:4] == ("45.65", "", "52.01")
    assert rows[0.8][-1] == "not trained"
    assert rows[0.6][4] == ""  # not ended: nothing is known of PrivateTest
    assert rows[0.6][-1] == "60 of 100 epochs, not ended"
    assert rows["none ('1')"][3:5] == ("66.72", "65.00")  # 60 % of PublicTest and 70 of PrivateTest, as many
    assert rows[0.2][-3:] == ("40.00", "60.00", "40 of 100 epochs")
    batch = {row[0]: row for row in tables.by_stage("batch", tmp_path).rows}
    assert batch["32"][1:] == (
        "55.15", "60.59", "30.00", "50.00", "30.00", "50.00",
        "paper_dropout_none (60 of 60 epochs), paper (60 of 100 epochs, not ended)",
    )  # fmt: skip
    assert batch["64"][3:] == ("", "", "", "", "not trained")
    epochs = {row[0]: row for row in tables.by_stage("epochs", tmp_path).rows}
    assert epochs["70"][3:7] == ("", "", "", "")  # both have 60
    shipped = tables.shipped(tmp_path).rows
    assert [row[:4] for row in shipped] == [
        ("`paper_dropout_0.2`", 40, "40.00", "60.00"),
        ("`paper_dropout_none`", 60, "60.00", "70.00"),
    ]


def test_what_ships_stands_in_the_tables():
    tables = script("paper_tables")
    page = (SCRIPTS / "README.md").read_text(encoding="utf-8")
    assert tables.shipped(SCRIPTS / "results").markdown().strip() in page
    page = (SCRIPTS / "PAPER_TABLES.md").read_text(encoding="utf-8")
    assert tables.by_dropout(SCRIPTS / "results").markdown().strip() in page


def test_mean_and_sample_deviation():
    table = script("spread").table([metrics(0.6), metrics(0.7), metrics(0.8, unseen=None)])
    rows = {row[0]: row[1:] for row in table.rows}
    assert rows["accuracy"] == ("70.00", "10.00", "60.00", "80.00")
    assert rows["recall angry"] == ("35.00", "5.00", "30.00", "40.00")
    assert "accuracy without duplicates" not in rows  # not all have it
    assert table.notes == ["3 runs, PrivateTest (3589 pictures); std is the sample standard deviation."]


@pytest.mark.parametrize(
    "runs", [[metrics(0.6)], [metrics(0.6), metrics(0.6, split="PublicTest")]], ids=["one", "other pictures"]
)
def test_runs_that_cannot_be_compared_are_refused(runs):
    with pytest.raises(SystemExit, match="two runs"):
        script("spread").table(runs)
