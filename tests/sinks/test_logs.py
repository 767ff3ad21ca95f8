"""Logs: plain types, a line a frame, whole lines on a full disk."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from loop_fakes import LABELS, picture

from fer_edge.errors import OutputError
from fer_edge.sinks.logs import CsvLog, JsonlLog, json_line
from fer_edge.vision.frames import Face, Frame, FrameResult

PROBABILITIES = np.array([0.1, 0.7, 0.2], np.float32)
FACE = Face((np.int32(1), 2, 3, 4), 5, "sad", np.float32(0.5), PROBABILITIES, PROBABILITIES)


def result(*faces, index=0, analysed=True):
    return FrameResult(Frame(picture(), 1.25, "été.mp4"), index, faces, analysed)


def test_a_line_is_what_the_format_says_in_plain_types():
    assert json.loads(json_line(result(FACE), LABELS)) == {
        "source": "été.mp4",
        "frame": 0,
        "time_s": 1.25,
        "faces": [
            {
                "box_xywh": [1, 2, 3, 4],
                "track": 5,
                "label": "sad",
                "confidence": 0.5,
                "quality": 1.0,
                "probabilities": {"happy": 0.1, "sad": 0.7, "neutral": 0.2},
            }
        ],
    }


def test_no_face_is_an_empty_list_and_uncertain_is_null():
    assert json.loads(json_line(result(), LABELS))["faces"] == []
    unsure = Face((1, 2, 3, 4), 5, None, 0.3, PROBABILITIES, PROBABILITIES)
    assert json.loads(json_line(result(unsure), LABELS))["faces"][0]["label"] is None


def test_a_frame_passed_over_says_so():
    assert json.loads(json_line(result(analysed=False), LABELS))["analysed"] is False


def test_lines_are_there_before_the_file_is_closed(tmp_path):
    log = JsonlLog(tmp_path / "new" / "o.jsonl", LABELS)
    for i in range(3):
        log.write(result(FACE, index=i), None)
    lines = (tmp_path / "new" / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [0, 1, 2]
    log.close()


def test_csv_has_a_row_a_face_and_one_for_a_frame_without(tmp_path):
    log = CsvLog(tmp_path / "o.csv", LABELS)
    log.write(result(FACE, FACE), None)
    log.write(result(index=1), None)
    log.close()
    with (tmp_path / "o.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert [(row["frame"], row["label"], row["sad"], row["width"]) for row in rows] == [
        ("0", "sad", "0.7", "3"),
        ("0", "sad", "0.7", "3"),
        ("1", "", "", ""),
    ]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full, which Linux has")
@pytest.mark.parametrize("kind", [JsonlLog, CsvLog])
def test_a_full_disk_is_said(kind):
    def write():
        kind(Path("/dev/full"), LABELS).write(result(FACE), None)

    with pytest.raises(OutputError, match="No space left"):
        write()


def test_a_line_that_does_not_fit_is_taken_back(tmp_path):
    log = JsonlLog(tmp_path / "o.jsonl", LABELS)
    log.write(result(FACE), None)

    class FullAfter10:
        def __init__(self, file):
            self.file = file
            self.left = 10

        def write(self, data):
            if not self.left:
                raise OSError(28, "No space left on device")
            taken, self.left = self.left, 0
            return self.file.write(data[:taken])

        def truncate(self, size):
            return self.file.truncate(size)

        def close(self):
            self.file.close()

    log._file = FullAfter10(log._file)
    with pytest.raises(OutputError, match="lines so far are kept"):
        log.write(result(FACE, index=1), None)
    log.close()
    lines = (tmp_path / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["frame"] for line in lines] == [0]


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(OutputError, match="cannot write"):
        JsonlLog(tmp_path / "file" / "o.jsonl", LABELS)
