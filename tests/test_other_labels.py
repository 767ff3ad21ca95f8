"""A model with another set of labels, FER+'s eight, through the whole loop and all that it writes."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_clip import drawn_clip
from tiny_models import shipped_style

from fer_edge.data.ferplus import LABELS
from fer_edge.model import file
from fer_edge.model.classifier import Classifier
from fer_edge.spec import ModelCard, TensorSpec

FER_EDGE = Path(sys.executable).with_name("fer-edge")


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Names the brightest of the first eight pixels of a face's first row."""
    card = ModelCard(
        name="eight",
        format="int8",
        labels=LABELS,
        input=TensorSpec("uint8", (1, 48, 48, 1), 1.0, 0),
        output=TensorSpec("float32", (1, 8), real_max=1.0, content="probabilities"),
    )
    path = tmp_path_factory.mktemp("model") / "eight_int8.tflite"
    path.write_bytes(file.embed_card(shipped_style(8), card))
    return path


@pytest.fixture(scope="module")
def written(model, tmp_path_factory):
    """The folder with all that one run over a drawn clip of 12 frames writes."""
    folder = tmp_path_factory.mktemp("run")
    clip = drawn_clip(folder / "clip.avi")
    outputs = ("--jsonl", "o.jsonl", "--csv", "o.csv", "--save", "o.mp4", "--snapshot", "o.png", "--json")
    command = [FER_EDGE, "run", clip, "--model", model, "--headless", "--web", "0", *outputs, "o.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "live page: http://127.0.0.1:" in done.stdout
    return folder


def lines(folder):
    return [json.loads(line) for line in (folder / "o.jsonl").read_text().splitlines()]


def test_the_model_takes_eight(model):
    classifier = Classifier(model)
    face = np.zeros((48, 48), np.uint8)
    face[0, 7] = 200
    assert classifier.labels[classifier.predict_one(face).argmax()] == "contempt"


def test_every_line_has_the_eight_in_the_model_s_order(written):
    faces = [face for line in lines(written) for face in line["faces"]]
    assert len(faces) >= 10
    for face in faces:
        assert tuple(face["probabilities"]) == LABELS
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert face["label"] in LABELS


def test_the_table_says_the_same(written):
    with (written / "o.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0])[-8:] == LABELS
    faces = [(line["frame"], face) for line in lines(written) for face in line["faces"]]
    with_face = [row for row in rows if row["track"]]
    assert len(with_face) == len(faces)
    for row, (frame, face) in zip(with_face, faces, strict=True):
        assert (int(row["frame"]), row["label"]) == (frame, face["label"])
        assert [float(row[label]) for label in LABELS] == list(face["probabilities"].values())


def test_pictures_and_summary_are_whole(written):
    video = cv2.VideoCapture(str(written / "o.mp4"))
    frames = 0
    while video.read()[0]:
        frames += 1
    assert frames == len(lines(written)) == 12
    assert min(cv2.imread(str(written / "o-1.png")).shape[:2]) > 100
    summary = json.loads((written / "o.json").read_text())
    assert set(summary["shares"]) <= set(LABELS)
    assert sum(summary["shares"].values()) == pytest.approx(1)


def test_the_report_takes_it(written):
    command = [FER_EDGE, "report", written / "o.jsonl", "--png", written / "r.png", "--json", "-"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["frames"] == 12
    assert "contempt" in (written / "o.html").read_text()


def test_sure_of_nothing_is_uncertain(model, tmp_path):
    clip = drawn_clip(tmp_path / "clip.avi", frames_each=3)
    command = [FER_EDGE, "run", clip, "--model", model, "--headless", "--jsonl", "-", "--min-confidence", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    found = [face for line in done.stdout.splitlines() for face in json.loads(line)["faces"]]
    unsure = [face for face in found if face["confidence"] < 1]
    assert unsure
    assert all(face["label"] is None for face in unsure)
