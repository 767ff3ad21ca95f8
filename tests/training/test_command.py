import json
import subprocess
import time
from dataclasses import replace

import numpy as np
import pytest
from processes import FER_EDGE, fer_edge

from fer_edge.data import ferplus, load, protocol_splits
from fer_edge.errors import OutputError
from fer_edge.spec import LABELS, ModelCard
from fer_edge.training import session
from fer_edge.training.recipes import Recipe

pytestmark = pytest.mark.usefixtures("own_cache")


def test_the_run_folder_and_the_output_hold_what_is_promised(tmp_path):
    words = "train --recipe paper --data drawn:252 --epochs 2 --json -"
    done = fer_edge(*words.split(), cwd=tmp_path)
    assert done.returncode in (0, 3), done.stderr  # two epochs settle nothing: the check may fail
    promised = "recipe.toml history.csv curves.png metrics.json confusion_matrix.png model.keras card.json"
    assert {*promised.split(), "checkpoint"} <= {path.name for path in (tmp_path / "runs/paper").iterdir()}
    said = done.stderr.splitlines()
    assert "recipe paper: network paper, 2 epochs, into runs/paper" in said
    assert any(line.startswith("training on ") for line in said)
    if done.returncode == 0:  # standard output is JSON alone
        assert sum(map(sum, json.loads(done.stdout)["confusion_matrix"])) == 42
    card = ModelCard.from_json((tmp_path / "runs/paper/card.json").read_text(), "card.json")
    assert (card.name, card.parameters, card.labels) == ("paper", 642_935, LABELS)
    assert card.recipe["epochs"] == 2
    assert card.measured["reference_check"]["pictures"] == 42


@pytest.mark.parametrize(
    ("arguments", "code", "complaint"),
    [
        ("--recipe papper --data drawn:70", 2, "paper"),
        ("--recipe paper --epochs 0 --data drawn:70", 2, "epochs"),
        ("--protocol officiall --data drawn:70", 2, "official"),
        ("--precision float8 --data drawn:70", 2, "float16"),
        ("--data gone.csv", 1, "gone.csv"),
        ("", 2, "'drawn'"),
        ("--recipe edge --teacher edge_int8 --data drawn:70", 2, "add --labels ferplus:"),
        ("--recipe edge --teacher edge_int8 --labels fer2013 --data drawn:70", 2, "add --labels ferplus:"),
        ("--recipe edge --labels ferplus:v.csv --data drawn:70", 2, "give --teacher MODEL"),
        ("--recipe paper --teacher edge_int8 --data drawn:70", 2, "leave out --teacher"),
        ("--weights edg --data drawn:70", 1, "no trained network 'edg': choose from edge"),
        ("--labels ferplus:v.csv --data drawn:70", 1, "v.csv"),
        ("--recipe edge --labels ferplus:v --teacher edge_int9", 1, "no model 'edge_int9'"),
    ],
)
def test_wrong_usage_is_said_without_keras_and_leaves_nothing(arguments, code, complaint, tmp_path):
    (tmp_path / "keras.py").write_text("raise RuntimeError('keras was imported')\n")
    alone = {"cwd": tmp_path, "variables": {"PYTHONPATH": str(tmp_path)}}
    done = fer_edge("train", *arguments.split(), code=code, **alone)
    assert ("Traceback" in done.stderr, complaint in done.stderr) == (False, True)
    assert not (tmp_path / "runs").exists()


SMALL = """
network = "nano"
epochs = 6
batch_size = 16
dropout = 0.3
reference_agreement = 0.0
reference_loss_difference = 100.0
[augmentation]
rotation_deg = 20.0
flip = true
"""


def test_another_process_killed_and_resumed_gives_the_same_weights(tmp_path):
    (tmp_path / "small.toml").write_text(SMALL)
    words = ("train", "--recipe", "small.toml", "--data", "drawn:84", "--deterministic", "--seed=3", "--out")
    fer_edge(*words, "whole", cwd=tmp_path, code=0)
    command, silent = [FER_EDGE, *words, "killed"], subprocess.DEVNULL
    child = subprocess.Popen(command, cwd=tmp_path, stdout=silent, stderr=silent)
    state = tmp_path / "killed/checkpoint/state.json"
    while not state.exists() and child.poll() is None:
        time.sleep(0.01)
    child.kill()
    child.wait()
    assert not (tmp_path / "killed/model.keras").exists()
    (state.parent / "epoch_0006.npz").write_bytes(b"half-written")
    fer_edge(*words, "killed", "--resume", cwd=tmp_path, code=0)
    one, two = (np.load(tmp_path / name / "checkpoint/epoch_0006.npz") for name in ("whole", "killed"))
    assert set(one) == set(two)
    for name in one:
        np.testing.assert_array_equal(one[name], two[name], err_msg=name)
    histories = [(tmp_path / name / "history.csv").read_text() for name in ("whole", "killed")]
    one, two = ([line.split(",")[:-1] for line in text.splitlines()] for text in histories)
    assert one == two  # but for the seconds
    assert [line[0] for line in one] == ["epoch", *"123456"]


def test_both_heads_are_written_with_their_labels_and_model_keras_last(tmp_path, monkeypatch):
    data = load("drawn:210")
    voted = np.array([ferplus.LABELS.index(name) for name in data.label_names])[data.labels]
    splits = protocol_splits(replace(data, votes=10 * np.eye(10, dtype=np.uint8)[voted]), "official")
    recipe = Recipe(
        "twice", network="nano", epochs=1, batch_size=16, dropout=0.0, votes_weight=1.0,
        reference_agreement=0.5, reference_loss_difference=1.0,
    )  # fmt: skip

    def draw(run, path):
        if path.parent.name == "ferplus":
            raise OutputError("disk full")

    with monkeypatch.context() as patched:
        patched.setattr(session.Run, "draw_curves", draw)
        with pytest.raises(OutputError):
            session.run(recipe, splits, tmp_path / "run", 0)
    assert list(tmp_path.rglob("model.keras")) == []
    session.run(recipe, splits, tmp_path / "run", 0, resume=True)
    first, second = (json.loads((tmp_path / f"run{at}/card.json").read_text()) for at in ("", "/ferplus"))
    assert (first["labels"], first["data"]["votes"]) == (list(data.label_names), "beside the labels")
    assert (second["labels"], second["data"]["votes"]) == (list(ferplus.LABELS), "the labels")
    assert (second["name"], second["output"]["shape"]) == ("twice_ferplus", [1, 8])
    counts = {card["measured"]["report"]["data"]["n"] for card in (first, second)}
    assert (len(counts), (tmp_path / "run/ferplus/model.keras").stat().st_size > 100_000) == (1, True)
