"""`fer-edge train` as a user runs it, on a small folder tree of drawn faces."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("keras", reason="the train extra is not installed")

import cv2

from fer_edge.data import drawn_faces
from fer_edge.spec import LABELS, ModelCard

FER_EDGE = Path(sys.executable).with_name("fer-edge")


def fer_edge(*arguments, cwd, **more):
    env = {**os.environ, "FER_EDGE_CACHE": str(cwd / "cache"), **more}
    return subprocess.run(
        [FER_EDGE, *arguments], check=False, capture_output=True, text=True, cwd=cwd, env=env
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with a tree/ of 3 splits, 6 faces a class and split, and a trained run in it."""
    root = tmp_path_factory.mktemp("train")
    images, labels = drawn_faces(600, 1)
    for split, first in (("Training", 0), ("PublicTest", 6), ("PrivateTest", 12)):
        for k, label in enumerate(LABELS):
            folder = root / "tree" / split / label
            folder.mkdir(parents=True)
            for n, image in enumerate(images[labels == k][first : first + 6]):
                cv2.imwrite(str(folder / f"{n}.png"), image)
    done = fer_edge("train", "--recipe", "paper", "--data", "tree", "--epochs", "2", "--json", "-", cwd=root)
    assert done.returncode in (0, 3), done.stderr  # two epochs settle nothing: the check may fail
    return root, done


def test_the_run_folder_holds_all_that_is_promised(place):
    root, _ = place
    names = {path.name for path in (root / "runs/paper").iterdir()}
    promised = "recipe.toml history.csv curves.png metrics.json confusion_matrix.png model.keras card.json"
    assert {*promised.split(), "checkpoint"} <= names
    assert not [name for name in names if name.endswith(".tmp")]


def test_standard_output_is_json_alone_and_the_device_comes_first(place):
    _, done = place
    if done.returncode == 0:
        metrics = json.loads(done.stdout)
        assert metrics["data"]["n"] == 42
        assert sum(map(sum, metrics["confusion_matrix"])) == 42
    assert done.stderr.startswith("training on ")


def test_history_and_card(place):
    root, _ = place
    with (root / "runs/paper/history.csv").open() as file:
        assert [row["epoch"] for row in csv.DictReader(file)] == ["1", "2"]
    card = ModelCard.from_json((root / "runs/paper/card.json").read_text(), "card.json")
    assert (card.name, card.parameters, card.labels) == ("paper", 642_935, LABELS)
    assert card.recipe["epochs"] == 2
    assert card.measured["reference_check"]["pictures"] == 42


def test_a_run_is_not_overwritten_unasked(place):
    root, _ = place
    done = fer_edge("train", "--recipe", "paper", "--data", "tree", "--epochs", "2", cwd=root)
    assert done.returncode == 1
    assert "--resume" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (("--recipe", "papper"), 1, "paper"),
        (("--recipe", "paper", "--epochs", "0"), 2, "epochs"),
        (("--recipe", "paper", "--protocol", "officiall", "--out", "x"), 2, "official"),
    ],
)
def test_wrong_usage_is_said_in_a_line(place, arguments, code, says):
    root, _ = place
    done = fer_edge("train", "--data", "tree", *arguments, cwd=root)
    assert done.returncode in (code, 2)
    assert says in done.stderr
    assert "Traceback" not in done.stderr
