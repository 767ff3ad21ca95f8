"""The paper's tables, what follows from them by hand, and the scripts of train/ that put ours beside them."""

import json
from pathlib import Path

import paper_check
import paper_tables as tables
import pytest

from fer_edge import paper
from fer_edge.evaluation import metrics
from fer_edge.spec import LABELS

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "train"


def test_sums_do_not_add_up_and_table_5_is_equation_1_but_for_a_sign():
    assert sum(paper.TABLE_1.values()) == 35_527  # of 35,887
    assert sum(paper.TABLE_4.values()) == 3_536
    assert sum(paper.PUBLIC_TEST.values()) == 3_589
    assert {sum(row) for row in paper.TABLE_10} == {99, 100, 101}
    for gray, x in paper.TABLE_5.items():
        assert abs(abs((gray / 255 - 0.5) * 2) - abs(x)) < 0.04, gray  # 72 has one digit
    assert [gray for gray, x in paper.TABLE_5.items() if (gray / 255 - 0.5) * x < 0] == [70]


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


def measured(accuracy, *, split="PrivateTest", unseen=0.5):
    scores = dict.fromkeys(("macro_precision", "macro_recall", "macro_f1"), 0.6)
    scores |= {"accuracy": accuracy, "accuracy_without_duplicates": unseen}
    data = {"sha256": "ab", "split": split, "n": 3589}
    return {"data": data, **scores, "per_class": {"angry": {"recall": accuracy / 2}}}


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
    trained(tmp_path / "paper", 60, 100)
    trained(tmp_path / "paper_dropout_none", 60, 60, metrics=measured(0.7))
    trained(tmp_path / "paper_dropout_0.2", 40, 100, metrics=measured(0.6))  # its patience ended it
    trained(tmp_path / "paper_dropout_0.4", 70, 70, metrics=measured(0.6))

    def rows(table):
        return [(row[0], row[1], row[3], row[5], *row[-3:]) for row in table.rows]

    nothing = (None, None, None, None)
    assert rows(tables.by_dropout(tmp_path)) == [
        ("0.2", "40", "30.00", "50.00", "40.00", "60.00", "paper_dropout_0.2 (40 of 100 epochs)"),
        ("0.4", "60", "30.00", None, "60.00", None, "paper_dropout_0.4 (70 of 70 epochs)"),
        ("0.4", "70", "30.00", "65.00", "70.00", "60.00", "paper_dropout_0.4 (70 of 70 epochs)"),
        ("0.6", "60", "30.00", None, "60.00", None, "paper (60 of 100 epochs, not ended)"),
        ("0.8", *nothing, None, "not trained"),
        # 60 % of PublicTest and 70 of PrivateTest, which has as many
        ("none ('1')", "60", "30.00", "65.00", "60.00", "70.00", "paper_dropout_none (60 of 60 epochs)"),
    ]
    batch = tables.by_batch(tmp_path)
    assert batch.rows[1][:6] == ("32, no dropout", "50", "55.15", "30.00", "60.59", None)
    assert batch.notes == ["Not trained, or not yet: 16, 64, 128, 256."]
    epochs = tables.by_epochs(tmp_path)
    assert rows(epochs)[0] == ("70", *nothing, None, "paper (60 of 100 epochs, not ended)")
    trained(tmp_path / "paper_even_weights", 10, 10)
    evening = tables.by_evening(tmp_path).rows
    assert [row[2] for row in evening] == ["10.00", "10.00"]  # both read at the tenth epoch
    trained(tmp_path / "edge", 40, 40, metrics=measured(0.6))
    assert [row[:4] for row in tables.shipped(tmp_path).rows] == [("`edge`", 40, "40.00", "60.00")]


def test_the_pages_hold_what_is_worked_out_and_what_ships():
    report = paper_check.report()
    assert "| 64.54 | 52.1 (" in report  # (2 x 64.54 - 77) % of PrivateTest
    assert report in (ROOT / "docs/paper.md").read_text(encoding="utf-8")
    assert tables.shipped(SCRIPTS / "results").markdown().strip() in (SCRIPTS / "README.md").read_text()
    assert (SCRIPTS / "PAPER_TABLES.md").read_text() == tables.page(SCRIPTS / "results")


@pytest.mark.parametrize("path", sorted((SCRIPTS.parent / "models").glob("*.json")), ids=lambda p: p.stem)
def test_cards_say_what_a_model_learned_from(path):
    card = json.loads(path.read_text())
    trained, data = card["recipe"].get("training", card["recipe"]), card["data"]
    assert (data["votes"] != "none") == (trained["votes_weight"] > 0 or len(card["labels"]) == 8)
    assert bool(data["teachers"]) == (trained["teacher_weight"] > 0)
    assert all(len(sha256) == 64 for named in ("teachers", "start") for sha256 in data[named].values())
    row = f"| `{trained['name']}` | {data['votes']} |"
    assert row in (path.parent / "README.md").read_text()
