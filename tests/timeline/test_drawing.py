"""Timelines as pictures and pages."""

import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.timeline import page
from fer_edge.timeline.log import Face, Recording

FER_EDGE = Path(sys.executable).with_name("fer-edge")
LABELS = ("happy", "sad")


def face(times_s, shown, track=1, source="a.mp4"):
    probabilities = np.float32([(0.75, 0.25) if label == "happy" else (0.25, 0.75) for label in shown])
    return Face(source, track, np.array(times_s, float), tuple(shown), probabilities)


def recording(*faces, name="o.jsonl"):
    sources = tuple(dict.fromkeys(face.source for face in faces)) or ("a.mp4",)
    return Recording(Path(name), LABELS, sources, 10, 9, 1.0, faces)


def test_a_stretch_ends_where_the_face_was_away():
    one, two = page.binned(face([0, 0.5, 1, 3, 3.5], ["happy", "sad", "sad", "happy", "happy"]))
    assert one[0].tolist() == [0, 0.5, 1]
    assert one[2] == ["happy", "sad", "sad"]
    assert two[0].tolist() == [3, 3.5]


def test_a_long_recording_is_averaged():
    ((times_s, means, shown),) = page.binned(
        face([0, 0.1, 0.2, 0.3, 0.4], ["happy", "sad"] * 2 + ["happy"]), most=3
    )
    assert times_s.tolist() == [0, 0.2, 0.4]
    np.testing.assert_allclose(means, [(0.5, 0.5), (0.5, 0.5), (0.75, 0.25)])
    assert shown == ["sad", "sad", "happy"]


def test_runs_of_a_label_reach_to_the_next_one():
    assert page.runs([0, 1, 2, 3], ["a", "a", None, "b"]) == [(0, 2, "a"), (2, 3, None), (3, 3, "b")]
    assert page.runs([5], ["a"]) == [(5, 5, "a")]


@pytest.mark.parametrize(("seconds", "text"), [(0, "0:00"), (7.5, "0:07.5"), (65, "1:05"), (3600, "60:00")])
def test_times_as_people_write_them(seconds, text):
    assert page.clock(seconds) == text


def test_the_picture_has_the_labels_colours(tmp_path):
    page.draw(recording(face([0, 1], ["happy", "happy"])), tmp_path / "o.png")
    drawn = cv2.imread(str(tmp_path / "o.png"))
    for colour in ((40, 200, 250), (230, 150, 60)):  # happy's and sad's, BGR, as on the video
        assert (np.abs(drawn.astype(int) - colour).max(axis=2) < 12).sum() > 100


@pytest.mark.parametrize("faces", [(), (face([1.5], ["sad"]),)], ids=["nobody", "one moment"])
def test_recordings_without_length_can_be_drawn(tmp_path, faces):
    page.draw(recording(*faces), tmp_path / "o.png")
    assert cv2.imread(str(tmp_path / "o.png")) is not None


def test_the_page_holds_everything_and_asks_for_nothing():
    faces = [face([0, 0.5], ["happy", None], track=n) for n in range(page.MOST_FACES + 3)]
    text = page.page(recording(*faces, name="<b>.jsonl"))
    assert "&lt;b&gt;" in text
    assert "<b>" not in text
    assert "<svg" in text
    assert not re.search(
        r"""(src|href)=["']?(?!#)""", text.replace("xlink:href", "href").split("</style>")[1]
    )
    assert "3 faces that were seen in fewer frames are left out" in text
    assert "uncertain 50.0 %" in text


def test_several_sources_are_named():
    text = page.page(recording(face([0], ["sad"], source="x/1.png"), face([0], ["sad"], source="x/2.png")))
    assert "<td>1.png, 1</td>" in text


def test_from_outside(tmp_path):
    log = tmp_path / "o.jsonl"
    log.write_text('{"source": "a.mp4", "frame": 0, "time_s": 0.0, "faces": []}\n')
    done = subprocess.run([FER_EDGE, "report", log], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "o.png").stat().st_size > 1000
    assert "no face in this recording" in (tmp_path / "o.html").read_text()
    again = subprocess.run([FER_EDGE, "report", log], capture_output=True, text=True, check=False)
    assert (again.returncode, len(again.stderr.splitlines())) == (1, 1)
    assert "--force" in again.stderr


def test_a_folder_is_no_log(tmp_path):
    done = subprocess.run(
        [FER_EDGE, "report", "."], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert done.returncode == 1
    assert done.stderr.startswith("fer-edge: there is no log .: ")
