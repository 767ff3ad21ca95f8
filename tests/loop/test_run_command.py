"""`fer-edge run` from outside: exit codes, one line for an error, signals, systemd, other labels."""

import csv
import json
import re
import resource
import shlex
import shutil
import signal
import socket
import subprocess
from pathlib import Path

import cv2
import pytest
import typer
from drawn_clip import drawn_clip
from loop_fakes import read_back, until, write_clip
from processes import FER_EDGE, ended, fer_edge, python
from tiny_models import shipped_card, shipped_style

from fer_edge.cli import application
from fer_edge.data.ferplus import LABELS
from fer_edge.model import file

NO_DISPLAY = {"DISPLAY": "", "WAYLAND_DISPLAY": ""}


def run(*arguments, **how):
    return fer_edge("run", *arguments, timeout=60, variables=NO_DISPLAY, **how)


def rows(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def empty_clip(tmp_path_factory):
    """300 frames of noise: no face, and enough to be busy with."""
    return write_clip(tmp_path_factory.mktemp("clip") / "noise.avi", 300, 25.0, "MJPG", (320, 240))


@pytest.mark.parametrize(
    "source", ["empty.jpg", "text_not_image.jpg", "empty.mp4", "truncated_half.mp4", "camera 93"]
)
def test_what_cannot_be_read_is_one_line_and_exit_1(media, source):
    done = run(*(("--camera", "93") if "93" in source else [media / "derived" / source]), "--headless")
    assert (done.returncode, len(done.stderr.splitlines())) == (1, 1)
    assert source in done.stderr
    assert [line for line in done.stdout.splitlines() if not line.startswith("detector:")] == []


def test_a_smile_is_called_happy_and_no_face_is_no_failure(media, tmp_path):
    assert "happy" in run(media / "astronaut.png", "--headless").stdout
    done = run(media / "coffee_noface.png", "--headless", "--jsonl", tmp_path / "o.jsonl", code=0)
    assert done.stdout.strip().endswith("coffee_noface.png: no face")
    assert rows(tmp_path / "o.jsonl")[0]["faces"] == []


def test_from_neutral_to_a_smile(media, tmp_path):
    logs = "--jsonl", tmp_path / "o.jsonl", "--json", tmp_path / "s.json"
    run(media / "neutral_to_smile.mp4", "--headless", *logs, code=0)
    lines = rows(tmp_path / "o.jsonl")
    labels = [line["faces"][0]["label"] for line in lines]
    assert [line["frame"] for line in lines] == list(range(72))
    assert set(labels[:15]) == {"neutral"}
    assert set(labels[45:]) == {"happy"}
    summary = json.loads((tmp_path / "s.json").read_text())
    assert (summary["frames"], summary["frames_with_face"], summary["tracks"]) == (72, 72, 1)


def test_k3_each_of_472_frames_has_its_line(media, tmp_path):
    log = tmp_path / "o.jsonl"
    fer_edge("run", media / "emotions_pexels.mp4", "--headless", "--every", "24", "--jsonl", log, code=0)
    times = [line["time_s"] for line in rows(log)]
    assert [line["frame"] for line in rows(log)] == list(range(472))
    assert times == sorted(set(times))


def test_without_a_display_it_says_so_once_and_goes_on(empty_clip):
    done = run(empty_clip, "--max-frames", "3", code=0)
    assert (done.stdout + done.stderr).count("no window") == 1


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_whole_files_and_exit_0(empty_clip, tmp_path, number):
    log, saved = tmp_path / "o.jsonl", tmp_path / "o.mp4"
    # At 20 frames a second the clip lasts 15 seconds; the signal comes once some lines are there.
    command = [FER_EDGE, "run", empty_clip, "--headless", "--max-fps", "20", "--jsonl", log, "--save", saved]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    until(lambda: log.exists() and log.read_text().count("\n") >= 5)
    process.send_signal(number)
    said, _ = process.communicate(timeout=20)
    assert process.returncode == 0, said
    lines = rows(log)
    assert 5 <= len(lines) < 300
    assert f"{len(lines)} frames" in said
    assert len(read_back(saved)[1]) == len(lines)


def test_a_signal_amid_a_wait_of_the_loop_does_not_lock_it_up():
    code = """
import os, signal, time
from fer_edge.commands import run
stop = run._stop_on_signals()
with stop._cond:  # as inside stop.wait()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(0.1)
print(stop.wait(20))
"""
    assert python(code, timeout=60, code=0).stdout == "True\n"


def test_a_signal_while_a_server_does_not_answer_is_exit_0():
    with socket.create_server(("127.0.0.1", 0)) as server:  # takes connections and says nothing
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        process = subprocess.Popen([FER_EDGE, "run", url, "--headless"], stdout=subprocess.PIPE, text=True)
        server.settimeout(60)
        connection = server.accept()[0]
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)
        connection.close()
    assert (process.returncode, said) == (0, f"stopped before {url} could be opened\n")


def test_wrong_usage_is_exit_2(empty_clip, media, tmp_path):
    for wrong in (("--save", tmp_path / "o.png"), ("--camera", "0"), ("--every", "0"), ("--web-host", "::1")):
        run(empty_clip, "--headless", *wrong, code=2)
    run("", "--headless", code=2)
    for wrong in (("--save", tmp_path / "o.mp4"), ("--snapshot", tmp_path / "o.mp4"), ("--snapshot", ".")):
        run(media / "astronaut.png", "--headless", *wrong, code=2)


def test_a_full_disk_leaves_whole_lines_and_a_file_that_exists_is_kept(empty_clip, tmp_path):
    """A limit of a file's size stands for the disk's."""
    log = tmp_path / "o.jsonl"
    full = {"preexec_fn": lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))}
    for how, said in ((full, "File too large (the lines so far are kept)"), ({}, "--force")):
        done = run(empty_clip, "--headless", "--jsonl", log, **how)
        assert (done.returncode, said in done.stderr) == (1, True)
        assert len(rows(log)) > 5


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_do_not_end_up_in_files(empty_clip, tmp_path, closed):
    log, saved = tmp_path / "o.jsonl", tmp_path / "o.mp4"
    command = f"{FER_EDGE} run {empty_clip} --headless --max-frames 3 --jsonl {log} --save {saved} {closed}"
    ended("sh", "-c", command, variables=NO_DISPLAY, code=0)
    assert [row["frame"] for row in rows(log)] == [0, 1, 2]
    assert len(read_back(saved)[1]) == 3


UNIT = (Path(__file__).parents[2] / "docs/fer-edge.service").read_text()


@pytest.mark.parametrize(
    ("watchdog", "beats"),
    [({}, 0), ({"WATCHDOG_USEC": "0"}, 4), ({"WATCHDOG_USEC": "10800000000"}, 0)],
    ids=["no watchdog", "every round where a third has passed", "no oftener than a third"],
)
def test_a_run_says_when_it_is_ready_and_that_it_lives(tmp_path, watchdog, beats):
    clip, path = drawn_clip(tmp_path / "c.avi", frames_each=4), str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(path)
        systemd.setblocking(False)
        fer_edge("run", clip, "--headless", variables={"NOTIFY_SOCKET": path, **watchdog}, code=0)
        received = [systemd.recv(100) for _ in range(1 + beats)]
        with pytest.raises(BlockingIOError):
            systemd.recv(100)
    assert received == [b"READY=1"] + [b"WATCHDOG=1"] * beats


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_one(tmp_path):
    (tmp_path / "fer-edge.service").write_text(UNIT.replace("/opt/fer-edge/bin/fer-edge", "/bin/true"))
    done = ended("systemd-analyze", "verify", "--man=no", tmp_path / "fer-edge.service", code=0)
    assert "fer-edge" not in done.stderr


def test_the_unit_s_command_has_the_options_that_it_names():
    (line,) = re.findall(r"^ExecStart=/bin/sh -c 'exec (.*)'$", UNIT, re.M)
    words = shlex.split(line.replace("$(", "").replace(")", ""))
    command = typer.main.get_command(application()).get_command(None, "run")
    with command.make_context("run", words[2:]) as context:
        taken = [context.params[name] for name in ("camera", "web", "headless")]
    assert taken == ["0", 8000, True]


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
    lines = rows(folder / "o.jsonl")
    faces = [(line["frame"], face) for line in lines for face in line["faces"]]
    with (folder / "o.csv").open(newline="") as table:
        cells = list(csv.DictReader(table))
    assert tuple(cells[0])[-8:] == LABELS
    assert len(faces) >= 10
    for row, (frame, face) in zip((row for row in cells if row["track"]), faces, strict=True):
        assert tuple(face["probabilities"]) == LABELS
        assert sum(face["probabilities"].values()) == pytest.approx(1, abs=1e-4)
        assert face["label"] in LABELS
        assert (int(row["frame"]), row["label"]) == (frame, face["label"])
        assert [float(row[label]) for label in LABELS] == list(face["probabilities"].values())
    assert len(read_back(folder / "o.mp4")[1]) == len(lines) == 12
    assert min(cv2.imread(str(folder / "o-1.png")).shape[:2]) > 100
    summary = json.loads((folder / "o.json").read_text())
    assert set(summary["shares"]) <= set(LABELS)
    assert sum(summary["shares"].values()) == pytest.approx(1)
    report = fer_edge("report", "o.jsonl", "--png", "r.png", "--json", "-", cwd=folder, code=0).stdout
    assert json.loads(report)["frames"] == 12
    assert "contempt" in (folder / "o.html").read_text()


def test_sure_of_nothing_is_uncertain_and_jsonl_on_standard_output_is_alone_there(folder):
    asked = "--headless", "--jsonl", "-", "--min-confidence", "1"
    done = fer_edge("run", "clip.avi", "--model", "eight.tflite", *asked, cwd=folder, code=0)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["frame"] for line in lines] == list(range(12))
    assert "12 frames" in done.stderr
    found = [face for line in lines for face in line["faces"]]
    unsure = [face for face in found if face["confidence"] < 1]
    assert unsure
    assert all(face["label"] is None for face in unsure)
