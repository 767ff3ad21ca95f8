"""Logs read back; the sums are worked out by hand."""

import json

import numpy as np
import pytest

from fer_edge.errors import DataError
from fer_edge.timeline.log import as_dict, read

A, B = (0.75, 0.25), (0.25, 0.75)


def line(frame, *faces, source="a.mp4", labels="ab"):
    """faces: (track, label, probabilities of a and b)."""
    found = [
        {
            "box_xywh": [0, 0, 1, 1],
            "track": t,
            "label": label,
            "probabilities": dict(zip(labels, p, strict=True)),
        }
        for t, label, p in faces
    ]
    return json.dumps({"source": source, "frame": frame, "time_s": frame / 10, "faces": found})


@pytest.fixture
def log(tmp_path):
    def write(*lines, end="\n"):
        path = tmp_path / "o.jsonl"
        path.write_text("\n".join(lines) + end)
        return path

    return write


def test_faces_frames_and_shares(log):
    seen = ([(1, "a", A)], [], [(1, "a", B), (2, "b", B)], [(1, None, A)], [(1, "b", B)])
    recording = read(log(*(line(n, *faces) for n, faces in enumerate(seen))))
    assert (recording.labels, recording.frames, recording.frames_with_face) == (("a", "b"), 5, 4)
    assert recording.seconds == pytest.approx(0.4)
    one, two = recording.faces  # the one seen most comes first
    assert (one.track, two.track) == (1, 2)
    assert one.times_s.tolist() == pytest.approx([0, 0.2, 0.3, 0.4])
    assert one.shown == ("a", "a", None, "b")
    np.testing.assert_array_equal(one.probabilities, np.float32([A, B, A, B]))
    assert one.changes == 2
    assert one.shares == {"a": 0.5, "uncertain": 0.25, "b": 0.25}
    assert recording.shares == {"a": 0.4, "b": 0.4, "uncertain": 0.2}
    told = as_dict(recording, recording.faces)
    assert json.loads(json.dumps(told)) == told
    assert [face["label_changes"] for face in told["faces"]] == [2, 0]


def test_the_same_track_in_another_source_is_another_face(log):
    recording = read(log(line(0, (1, "a", A), source="x.png"), line(0, (1, "b", B), source="y.png")))
    assert {(face.source, face.track) for face in recording.faces} == {("x.png", 1), ("y.png", 1)}
    assert (recording.sources, recording.seconds) == (("x.png", "y.png"), 0)


def test_a_log_without_a_face_is_a_log_and_what_a_kill_cut_off_is_left_out(log, capsys):
    recording = read(log(line(0), line(1), line(2, (1, "a", A))[:25], end=""))
    assert (recording.frames, recording.faces, recording.shares) == (2, (), {})
    assert "cut short" in capsys.readouterr().err


@pytest.mark.parametrize(
    "bad",
    [
        "no json",
        "[]",
        "7",
        "{}",
        '{"source": "a", "time_s": "soon", "faces": []}',
        '{"source": "a", "time_s": 1, "faces": [7]}',
        '{"source": "a", "time_s": 1, "faces": [{"track": 1, "label": "a", "probabilities": [1]}]}',
        '{"source": "a", "time_s": 1, "faces": [{"track": 1, "label": "a", "probabilities": {}}]}',
        '{"source": "a", "time_s": 1, "faces": [{"track": 1, "label": "a", "probabilities": {"a": NaN}}]}',
        '{"source": "a", "time_s": 1, "faces": null}',
        line(1, (1, "a", A), labels="ac"),  # another model's
    ],
)
def test_what_is_no_log_is_named_by_its_line(log, bad):
    with pytest.raises(DataError, match=r"line 2 of .*o\.jsonl"):
        read(log(line(0, (1, "a", A)), bad, line(2)))


def test_an_empty_and_an_absent_file_are_said(log, tmp_path):
    with pytest.raises(DataError, match="no line"):
        read(log(end=""))
    with pytest.raises(DataError, match="cannot read"):
        read(tmp_path / "absent.jsonl")
