"""Faults that people reported of such programs: the list in docs, and tests that stand nowhere else."""

import io
import itertools
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from fer_edge.errors import SourceError
from fer_edge.sources import make_capture
from fer_edge.sources.camera import Camera
from fer_edge.sources.mjpeg import MjpegPipe
from fer_edge.sources.pictures import Pictures

TESTS = Path(__file__).parent
LIST = TESTS.parent / "docs/reported-faults.md"
FER_EDGE = Path(sys.executable).with_name("fer-edge")


def rows():
    lines = [line for line in LIST.read_text().splitlines() if re.match(r"\| [A-Z]\d ", line)]
    return {
        cells[0]: cells for cells in ([cell.strip() for cell in line.strip("|").split("|")] for line in lines)
    }


def test_each_test_that_is_named_exists():
    all_tests = "".join(path.read_text() for path in TESTS.rglob("test_*.py"))
    for number, (*_, named) in rows().items():
        for test in filter(None, named.split(", ")):
            assert f"def {test}(" in all_tests, f"{number}: {test}"


def test_each_row_is_held_by_a_test_or_says_that_it_is_not():
    for number, (*_, here, named) in rows().items():
        assert bool(named) != here.startswith("not held: "), number


def test_no_known_case_is_left_out(cases):
    known = re.findall(r"^\| ([A-Z]\d) \|", (cases / "README.md").read_text(), re.MULTILINE)
    assert set(known) == set(rows())


def test_k3_each_of_472_frames_has_its_line(media, tmp_path):
    log = tmp_path / "o.jsonl"
    command = [FER_EDGE, "run", media / "emotions_pexels.mp4", "--headless", "--every", "24", "--jsonl", log]
    environment = {key: value for key, value in os.environ.items() if "DISPLAY" not in key}
    subprocess.run(command, check=True, capture_output=True, env=environment)
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    times = [line["time_s"] for line in lines]
    assert [line["frame"] for line in lines] == list(range(472))
    assert all(a < b for a, b in itertools.pairwise(times))


def jpeg(level):
    return cv2.imencode(".jpg", np.full((64, 64, 3), level, np.uint8))[1].tobytes()


def test_p2_a_name_that_is_not_utf_8_is_escaped_in_every_output(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / os.fsdecode(b"in/b\xe9.jpg")).write_bytes(jpeg(90))
    (tmp_path / os.fsdecode(b"in/c\xe9.jpg")).write_text("no picture")
    outputs = ("--jsonl", "o.jsonl", "--csv", "o.csv", "--json", "o.json")
    done = subprocess.run(
        [FER_EDGE, "run", "in", "--headless", *outputs], check=False, capture_output=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert b"c\\xe9.jpg" in done.stderr
    (line,) = (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert json.loads(line)["source"].endswith(r"b\xe9.jpg")
    assert r"b\xe9.jpg" in (tmp_path / "o.csv").read_text(encoding="utf-8")


def test_p4_what_a_path_leads_to_decides(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "2024").mkdir()
    (tmp_path / "2024/a.jpg").write_bytes(jpeg(9))
    (tmp_path / "by-id").symlink_to("/dev/null")
    os.mkfifo(tmp_path / "pipe")
    kinds = {"2024": Pictures, "by-id": Camera, "pipe": MjpegPipe}
    assert {name: type(make_capture(name)) for name in kinds} == kinds


def levels(data):
    pipe = MjpegPipe(io.BytesIO(data))
    pipe.open()
    frames = iter(pipe.read, None)
    return [round(float(frame.bgr.mean())) for frame in frames]


def test_r2_a_thumbnail_inside_is_no_picture_and_nothing_at_all_is_an_error():
    thumbnail, picture = jpeg(200), jpeg(10)
    segment = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2) + thumbnail
    assert levels(2 * (picture[:2] + segment + picture[2:])) == [10, 10]
    for data, came in ((b"", "nothing"), (b"\0\0\0\x01\x67" + bytes(99), r"H\.264")):
        with pytest.raises(SourceError, match=f"ended without a JPEG picture: .*{came}"):
            levels(data)


def test_r3_a_boundary_after_each_picture():
    head = b"\r\n--frame\r\nContent-Type: image/jpeg\r\n\r\n"
    assert levels(jpeg(10) + head + jpeg(200) + head) == [10, 200]
