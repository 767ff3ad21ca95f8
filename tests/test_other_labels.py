"""A model with another set of labels, FER+'s eight, through the whole loop and all that it writes."""

import csv
import json

import cv2
import pytest
from drawn_clip import drawn_clip
from processes import fer_edge
from tiny_models import shipped_card, shipped_style

from fer_edge.data.ferplus import LABELS
from fer_edge.model import file


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """With a clip of 12 drawn frames and a model that names the brightest of a face's first eight pixels."""
    folder = tmp_path_factory.mktemp("run")
    drawn_clip(folder / "clip.avi")
    (folder / "eight.tflite").write_bytes(file.embed_card(shipped_style(8), shipped_card(*LABELS)))
    return folder


def test_all_outputs_have_the_eight_in_the_model_s_order(folder):
    run = "run", "clip.avi", "--model", "eight.tflite", "--headless", "--web", "0", "--snapshot", "o.png"
    logs = "--jsonl", "o.jsonl", "--csv", "o.csv", "--save", "o.mp4", "--json", "o.json"
    assert "live page: http://127.0.0.1:" in fer_edge(*run, *logs, cwd=folder, code=0).stdout
    lines = [json.loads(line) for line in (folder / "o.jsonl").read_text().splitlines()]
    faces = [(line["frame"], face) for line in lines for face in line["faces"]]
    with (folder / "o.csv").open(newline="") as table:
        rows = list(csv.DictReader(table))
    assert tuple(rows[0])[-8:] == LABELS
    assert len(faces) >= 10
    for row, (frame, face) in zip((row for row in rows if row["track"]), faces, strict=True):
        assert tuple(face["probabilities"]) == LABELS
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert face["label"] in LABELS
        assert (int(row["frame"]), row["label"]) == (frame, face["label"])
        assert [float(row[label]) for label in LABELS] == list(face["probabilities"].values())
    video = cv2.VideoCapture(str(folder / "o.mp4"))
    assert sum(iter(lambda: video.read()[0], False)) == len(lines) == 12
    assert min(cv2.imread(str(folder / "o-1.png")).shape[:2]) > 100
    summary = json.loads((folder / "o.json").read_text())
    assert set(summary["shares"]) <= set(LABELS)
    assert sum(summary["shares"].values()) == pytest.approx(1)
    report = fer_edge("report", "o.jsonl", "--png", "r.png", "--json", "-", cwd=folder, code=0).stdout
    assert json.loads(report)["frames"] == 12
    assert "contempt" in (folder / "o.html").read_text()


def test_sure_of_nothing_is_uncertain(folder):
    asked = "--headless", "--jsonl", "-", "--min-confidence", "1"
    said = fer_edge("run", "clip.avi", "--model", "eight.tflite", *asked, cwd=folder, code=0).stdout
    found = [face for line in said.splitlines() for face in json.loads(line)["faces"]]
    unsure = [face for face in found if face["confidence"] < 1]
    assert unsure
    assert all(face["label"] is None for face in unsure)
