import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
from processes import fer_edge

from fer_edge.errors import DataError, OutputError
from fer_edge.timeline import MOST_FACES, Face, Recording, draw, page, read, shares, stretches
from fer_edge.vision.overlay import COLORS

A, B = {"a": 0.75, "b": 0.25}, {"a": 0.25, "b": 0.75}


def line(time_s, *faces, source="a.mp4"):
    """faces: (track, label shown, probabilities by label)."""
    found = [dict(zip(("track", "label", "probabilities"), face, strict=True)) for face in faces]
    return json.dumps({"source": source, "frame": 0, "time_s": time_s, "faces": found})


@pytest.fixture
def log(tmp_path):
    def write(*lines, end="\n"):
        path = tmp_path / "o.jsonl"
        path.write_text("\n".join(lines) + end)
        return path

    return write


def test_faces_frames_and_shares(log):
    seen = ([(1, "a", A)], [], [(1, "a", B), (2, "b", B)], [(1, None, A)], [(1, "b", B)])
    recording = read(log(*(line(n / 10, *faces) for n, faces in enumerate(seen))))
    assert (recording.labels, recording.frames, recording.frames_with_face) == (("a", "b"), 5, 4)
    assert recording.seconds == pytest.approx(0.4)
    one, two = recording.faces  # the one seen most comes first
    assert (one.track, two.track) == (1, 2)
    assert one.times_s.tolist() == pytest.approx([0, 0.2, 0.3, 0.4])
    assert one.shown == ("a", "a", None, "b")
    np.testing.assert_array_equal(one.probabilities, np.float32([(0.75, 0.25), (0.25, 0.75)] * 2))
    assert shares([one]) == {"a": 0.5, "uncertain": 0.25, "b": 0.25}
    assert shares(recording.faces) == {"a": 0.4, "b": 0.4, "uncertain": 0.2}
    told = recording.as_dict()
    assert json.loads(json.dumps(told)) == told
    assert [(face["track"], face["frames"]) for face in told["faces"]] == [(1, 4), (2, 1)]


def test_the_same_track_in_another_source_is_another_face(log):
    recording = read(log(line(0, (1, "a", A), source="x.png"), line(0, (1, "b", B), source="y.png")))
    assert {(face.source, face.track) for face in recording.faces} == {("x.png", 1), ("y.png", 1)}


def test_a_log_without_a_face_is_a_log_and_what_a_kill_cut_off_is_left_out(log, capsys):
    skipped = line(0.5)[:-1] + ', "analysed": false}'
    recording = read(log(line(0), skipped, line(1), line(2, (1, "a", A))[:25], end=""))
    assert (recording.frames, recording.faces, shares(recording.faces)) == (2, (), {})
    assert "cut short" in capsys.readouterr().err
    with pytest.raises(DataError, match="no line"):
        read(log(end=""))


ROW = '{"source": "a", "time_s": %s, "faces": %s}'
FACE = '[{"track": 1, "label": "a", "probabilities": %s}]'


@pytest.mark.parametrize(
    "bad",
    [
        *("no json", "[]", "7", "{}"),
        *(ROW % (time_s, "[]") for time_s in ('"soon"', "NaN", "Infinity", "1e300", "9" * 400)),
        *(ROW % (1, faces) for faces in ("null", "[7]", *(FACE % p for p in ("[1]", "{}", '{"a": NaN}')))),
        line(0.1, (1, None, {f"label {n}": 1 / 3000 for n in range(3000)})),  # no model has so many
        line(0.1, (1, "a", {"a": 0.75, "c": 0.25})),  # another model's
    ],
)
def test_what_is_no_log_is_named_by_its_line(log, bad):
    with pytest.raises(DataError, match=r"line 2 of .*o\.jsonl"):
        read(log(line(0, (1, "a", A)) if '"c"' in bad else line(0), bad, line(2)))


LABELS = ("happy", "sad")


def face(times_s, shown, track=1, source="a.mp4"):
    probabilities = np.float32([(0.75, 0.25) if label == "happy" else (0.25, 0.75) for label in shown])
    return Face(source, track, np.array(times_s, float), tuple(shown), probabilities)


def recording(*faces, name="o.jsonl"):
    sources = tuple(dict.fromkeys(face.source for face in faces)) or ("a.mp4",)
    return Recording(Path(name), LABELS, sources, 10, 9, 65.0, faces)


def test_a_stretch_ends_where_the_face_was_away_and_a_long_recording_is_averaged():
    one, two = stretches(face([0, 0.5, 1, 3, 3.5], ["happy", "sad", "sad", "happy", "happy"]))
    assert one.times_s.tolist() == [0, 0.5, 1]
    assert one.shown == ("happy", "sad", "sad")
    assert two.times_s.tolist() == [3, 3.5]
    assert len(stretches(face([0, 5, 10, 15], ["happy"] * 4))) == 1  # a frame in five seconds
    long = face([0, 0.1, 0.2, 0.3, 0.4], ["happy", "sad", "happy", "sad", "happy"])
    (averaged,) = stretches(long, most=3)
    assert averaged.times_s.tolist() == [0, 0.2, 0.4]
    np.testing.assert_allclose(averaged.probabilities, [(0.5, 0.5), (0.5, 0.5), (0.75, 0.25)])
    assert averaged.shown == ("sad", "sad", "happy")


@pytest.mark.parametrize("shown", [["sad"], ["happy", None, "sad"]], ids=["one moment", "three"])
def test_the_picture_has_the_colours_of_the_labels_shown(tmp_path, shown):
    draw(recording(face(range(len(shown)), shown)), tmp_path / "o.png", tmp_path / "o.html")
    drawn = cv2.imread(str(tmp_path / "o.png")).astype(int)
    for label in shown:
        assert (np.abs(drawn - COLORS[label]).max(axis=2) < 3).sum() > 100


def test_the_page_holds_everything_and_asks_for_nothing():
    faces = [face([0, 0.5], ["happy", None], track=n) for n in range(MOST_FACES + 3)]
    text = page(recording(*faces, face([0], ["sad"], source="x/2.png"), name="<b>.jsonl"))
    for told in (
        *("&lt;b&gt;", "<svg", "4 faces seen in fewer frames are left out", "10 frames in 1:05"),
        *("a.mp4, face 1", "a.mp4, 2.png:"),  # several sources are named, without their folders
        "happy 48%, uncertain 48%, sad 4%",
    ):
        assert told in text
    assert "<b>" not in text
    body = text.replace("xlink:href", "href").split("</style>")[1]
    assert not re.search(r"""(src|href)=["']?(?!#)""", body)


def test_from_outside(tmp_path):
    log = tmp_path / "o.jsonl"
    log.write_text('{"source": "a.mp4", "frame": 0, "time_s": 0.0, "faces": []}\n')
    fer_edge("report", log, code=0)
    assert (tmp_path / "o.png").stat().st_size > 1000
    assert "no face in this recording" in (tmp_path / "o.html").read_text()
    again = fer_edge("report", log, code=1)
    assert (len(again.stderr.splitlines()), "--force" in again.stderr) == (1, True)
    fer_edge("report", log, "--png", tmp_path / "o", "--html", tmp_path / "p", code=0)
    assert (tmp_path / "o").read_bytes()[1:4] == b"PNG"
    fer_edge("report", log, "--png", "-", code=2)
    fer_edge("report", log, "--png", tmp_path / "o.txt", "--force", code=2)
    assert fer_edge("report", ".", cwd=tmp_path).stderr.endswith("jsonl: .: Is a directory\n")


@pytest.mark.parametrize(
    "lines",
    [
        [line(0, (1, "$x^{", {"$x^{": 1.0, "\\frac$": 0.0}))],
        [line(0, (1, "\udce9", {"\udce9": 1.0, "\x1b[31m": 0.0}))],
        [line(0, (1, "高兴", {"高兴": 1.0}))],
        [line(0, (1, "a", A)), line(1e8, (1, "a", A))],
    ],
    ids=["dollars", "no text", "letters that the font lacks", "three years"],
)
def test_odd_logs_are_drawn(tmp_path, capfd, log, lines):
    path = log(*lines).rename(tmp_path / "\udce9.jsonl")
    draw(read(path), tmp_path / "o.png", tmp_path / "o.html")
    assert capfd.readouterr() == ("", "")


def test_no_picture_is_left_where_the_page_fails(tmp_path):
    with pytest.raises(OutputError, match="No space left"):
        draw(recording(), tmp_path / "o.png", Path("/dev/full"))
    assert not (tmp_path / "o.png").exists()
