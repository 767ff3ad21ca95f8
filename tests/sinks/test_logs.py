import csv
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from loop_fakes import LABELS, FakeCapture, face, result

from fer_edge.errors import OutputError, UsageError
from fer_edge.sinks import Outputs, open_sinks
from fer_edge.sinks.logs import CsvLog, JsonlLog, Progress
from fer_edge.sinks.window import why_no_window

FACE = face("sad", (0.1, 0.7, 0.2), box=(np.int32(1), 2, 3, 4), track=5)
UNSURE = face(None, (0.1, 0.7, 0.2), box=(1, 2, 3, 4), confidence=0.3)


def written(tmp_path, kind, *results):
    log = kind(tmp_path / "new" / "o", LABELS)
    for one in results:
        log.write(one)
    return (tmp_path / "new" / "o").read_text(encoding="utf-8")  # before it is closed


def test_a_line_is_what_the_format_says_in_plain_types(tmp_path):
    first = result(FACE, source="été.mp4", time_s=1.25)
    results = first, result(UNSURE, index=1), result(index=2, analysed=False)
    one, two, three = map(json.loads, written(tmp_path, JsonlLog, *results).splitlines())
    told = {"box_xywh": [1, 2, 3, 4], "track": 5, "label": "sad", "confidence": 0.5, "quality": 1.0}
    told["probabilities"] = {"happy": 0.1, "sad": 0.7, "neutral": 0.2}
    assert one == {"source": "été.mp4", "frame": 0, "time_s": 1.25, "faces": [told]}
    assert (two["faces"][0]["label"], three["faces"], three["analysed"]) == (None, [], False)


def test_csv_has_a_row_a_face_and_one_for_a_frame_without(tmp_path):
    text = written(tmp_path, CsvLog, result(FACE, UNSURE), result(index=1), result(index=2, analysed=False))
    rows = list(csv.DictReader(text.splitlines()))
    assert [(row["frame"], row["label"], row["sad"], row["width"]) for row in rows] == [
        ("0", "sad", "0.7", "3"),
        ("0", "", "0.7", "3"),
        ("1", "", "", ""),
    ]


@pytest.mark.parametrize("kind", [JsonlLog, CsvLog])
def test_a_log_without_a_frame_is_none_and_leaves_an_older_one(tmp_path, kind):
    kind(tmp_path / "o", LABELS).close()
    assert not (tmp_path / "o").exists()
    (tmp_path / "o").write_text("older" * 1000)
    (tmp_path / "link").symlink_to("o")
    kind(tmp_path / "link", LABELS).close()
    assert (tmp_path / "link").read_text() == "older" * 1000
    log = kind(tmp_path / "link", LABELS)
    log.write(result())
    log.close()
    assert "older" not in (tmp_path / "o").read_text()


def test_a_full_disk_takes_nothing_from_a_file_that_standard_output_is_appended_to(tmp_path, monkeypatch):
    path = tmp_path / "o.jsonl"
    path.write_text("earlier\n")
    with path.open("ab", buffering=0) as file:
        nowhere = {"write": lambda data: os.write(os.open("/dev/full", os.O_WRONLY), data)}
        full = SimpleNamespace(**nowhere, truncate=file.truncate)
        monkeypatch.setattr("sys.stdout", SimpleNamespace(buffer=full))
        with pytest.raises(OutputError, match="No space left"):
            JsonlLog(Path("-"), LABELS).write(result())
    assert path.read_text() == "earlier\n"


@pytest.mark.parametrize("kind", [JsonlLog, CsvLog])
def test_names_that_are_no_text_are_escaped(tmp_path, kind):
    """A name that is not UTF-8, and one that would steer a terminal."""
    text = written(tmp_path, kind, result(source=os.fsdecode(b"b\xe9.jpg")), result(source="\x1b]0;x\x07\n"))
    assert "xe9.jpg" in text
    assert text.count("\n") == 2 + (kind is CsvLog)
    assert text.replace("\n", "").isprintable()


def test_an_input_is_no_output(tmp_path):
    """Nor a card, nor a picture of the folder that is read."""
    path, picture = tmp_path / "o.jsonl", tmp_path / "a.jpg"
    path.write_text("x")
    picture.write_bytes(b"\xff\xd8\xff")
    Outputs(save=tmp_path).check(None, False)  # a folder may be saved into
    Outputs(jsonl=path).check(None, True, str(tmp_path))
    for output, *inputs in ((path, str(path)), (path, None, "edge_int8", path), (picture, str(tmp_path))):
        with pytest.raises(OutputError, match="the input"):
            Outputs(jsonl=output).check(None, True, *inputs)
    Path(tmp_path / "c-12.png").touch()
    with pytest.raises(OutputError, match=r"c-12\.png exists already"):
        Outputs(snapshot=tmp_path / "c.png").check(None, False, "-")
    Outputs(snapshot=tmp_path / "c.png").check(None, True, "-")
    Path(tmp_path / "b-a.jpg-1.png").touch()
    for source in (tmp_path, picture):
        with pytest.raises(OutputError, match="exists already"):
            Outputs(snapshot=tmp_path / "b.png").check(None, False, str(source))
    picture.rename(tmp_path / "a.png.png")
    (tmp_path / "a.png").write_bytes(b"\x89PNG")
    with pytest.raises(OutputError, match="the input"):
        Outputs(save=tmp_path).check(None, True, str(tmp_path))


@pytest.mark.parametrize(("save", "said"), [("o.mp4", "o.csv exists"), ("f.mp4", "f.mp4: it is a folder")])
def test_an_output_that_cannot_be_begun_ends_the_run_before_it_begins(tmp_path, save, said):
    (tmp_path / "f.mp4").mkdir()
    (tmp_path / "o.csv").touch()
    with pytest.raises(OutputError, match=said) as caught:  # it holds them: none is closed by being forgotten
        open_sinks(FakeCapture([]), LABELS, Outputs(tmp_path / save, csv=tmp_path / "o.csv"), False)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["f.mp4", "o.csv"], caught.value


@pytest.mark.parametrize(
    ("given", "json"),
    [({"jsonl": "-"}, "-"), ({"jsonl": "a", "csv": "a"}, None), ({"jsonl": "a", "csv": "b/../a"}, None)],
)
def test_two_outputs_cannot_share_a_place(given, json, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    outputs = Outputs(**{kind: Path(name) for kind, name in given.items()})
    with pytest.raises((UsageError, OutputError), match=r"two outputs|another output"):
        outputs.check(json, True)


def test_progress_says_how_long_it_will_take(capsys, monkeypatch):
    monkeypatch.setattr("fer_edge.sinks.logs.time.monotonic", iter((0, 0.1, 1, 1.1)).__next__)
    progress = Progress(5.0)
    for _ in range(3):
        progress.write(result(time_s=1.25))
    progress.close()
    said = "[#####---------------] 25%, 2 frames, 2 a second, 0:03 left"
    assert capsys.readouterr().err == f"\r{said}\x1b[K\r\x1b[K"


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere there is always a display")
@pytest.mark.parametrize("display", ["", ":987"])
def test_a_display_that_does_not_answer_does_not_end_the_process(monkeypatch, display):
    monkeypatch.setenv("DISPLAY", display)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    assert "display" in why_no_window()
