"""Scripts of train/: the paper's tables beside ours, the spread over seeds, a teacher's stem."""

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
    tables = script("paper_tables")
    trained(tmp_path / "paper", 60, 100)
    trained(tmp_path / "paper_dropout_none", 60, 60, metrics=metrics(0.7))
    trained(tmp_path / "paper_dropout_0.2", 40, 100, metrics=metrics(0.6))  # its patience ended it
    trained(tmp_path / "paper_dropout_0.4", 70, 70, metrics=metrics(0.6))

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
    trained(tmp_path / "edge", 40, 40, metrics=metrics(0.6))
    assert [row[:4] for row in tables.shipped(tmp_path).rows] == [("`edge`", 40, "40.00", "60.00")]


def test_what_ships_stands_in_the_tables():
    tables = script("paper_tables")
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
