"""How the process of a command begins and ends, and what the command line offers."""

import json
import signal
import subprocess
import sys
import time

import pytest
import typer
from processes import ended, fer_edge, python

from fer_edge import cli

BUSY_INSIDE_OPENCV = """
import atexit, sys, threading, time
import numpy as np
from fer_edge.vision.opencv import cv2

class TakenDown:
    def __del__(self):  # keeps Python's end waiting until the thread wants to go on
        time.sleep(0.5)

def work():
    while True:
        cv2.blur(picture, (9, 9))

sys.taken_down = TakenDown()
picture = np.zeros((500, 500), np.uint8)
threading.Thread(target=work, daemon=True).start()
atexit.register(lambda: print("tidied up"))
from fer_edge.cli import main
main()
"""


@pytest.mark.parametrize(("words", "code"), [(["--version"], 0), (["run", "no-such-file"], 1)])
def test_a_thread_that_is_inside_a_driver_does_not_abort_the_process(words, code):
    done = python(BUSY_INSIDE_OPENCV, *words, code=code)
    assert done.stdout.endswith("tidied up\n")
    assert "terminate" not in done.stderr


@pytest.mark.parametrize("words", [["-h"], ["train", "-h"], ["bogus"], ["train", "--bogus"]])
def test_what_goes_into_a_pipe_has_neither_frames_nor_colours(words):
    done = fer_edge(*words)
    said = done.stdout + done.stderr
    assert "Usage: " in said
    assert said.isascii(), said
    assert "\x1b" not in said


def test_whoever_calls_the_command_line_in_a_process_goes_on():
    busy = "import threading, time; threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    calls = "from fer_edge.cli import invoke\ntry: invoke()\nexcept SystemExit: print('goes on')"
    assert python(busy + calls, "models", code=0).stdout.endswith("goes on\n")


def test_a_closed_output_is_no_fault():
    command = f"'{sys.executable}' -c 'from fer_edge.cli import main; main()' doctor >&-"
    assert ended("sh", "-c", command, code=0).stderr == ""


def test_a_package_that_is_not_here_is_named_with_its_extra(tmp_path):
    (tmp_path / "o.jsonl").write_text('{"source": "a.mp4", "frame": 0, "time_s": 0.0, "faces": []}\n')
    hidden = "import sys; sys.modules['matplotlib'] = None; from fer_edge.cli import main; main()"
    done = python(hidden, "report", "o.jsonl", cwd=tmp_path, code=1)
    what = "this needs matplotlib, which is not installed"
    assert done.stderr == f"fer-edge: {what}: pip install 'fer-edge[plot]'\n"
    assert [path.name for path in tmp_path.iterdir()] == ["o.jsonl"]


def test_another_backend_of_keras_is_refused(tmp_path):
    asked = ["train", "--data", "drawn:42", "--epochs", "1"]
    done = fer_edge(*asked, cwd=tmp_path, code=2, variables={"KERAS_BACKEND": "pytorch"})
    assert "KERAS_BACKEND is 'pytorch': use tensorflow, jax or torch" in done.stderr


@pytest.mark.slow
def test_ctrl_c_at_any_moment_ends_in_silence_with_130():
    start = "from fer_edge.__main__ import main; print('started', flush=True); main()"
    command = [sys.executable, "-c", start, "evaluate", "edge_int8", "--data", "drawn:5000"]
    pipes, found = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}, set()
    for moment_ms in range(0, 300, 20):
        with subprocess.Popen(command, **pipes) as process:
            process.stdout.readline()
            time.sleep(moment_ms / 1000)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        found.add((process.returncode, errors))
    assert found == {(130, "")}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("predict x", 2, "fer-edge run does this"),
        ("data drawn:42 --seed -1", 2, "-1 is not in the range"),
        ("data drawn:42 --class-names x", 2, "--class-names is for a folder tree"),
        ("bench --tolerance nan", 2, "nan is not a number"),
        ("run x --min-confidence nan", 2, "nan is not a number"),
        ("evaluate edge_int8 --plot -", 2, "give a file, not -"),
        ("evaluate edge_int8 --data drawn:42 --protocol no --split PublicTest", 2, "no protocol 'no'"),
        ("bench edge_int8 nano_int8 --loop x.mp4", 2, "--loop measures one model"),
        ("bench --loop x.mp4 --threads 1,2", 2, "--loop measures one model"),
        ("bench --loop x.mp4 --split PublicTest", 2, "--loop measures one model"),
        ("bench --loop x.mp4 --skip-bad-rows", 2, "--loop measures one model"),
        ("bench edge_int8 --card v.csv", 1, "leave out --card"),
        ("evaluate edge_int8 --labels ferplus:v.csv --json v.csv --force", 1, "it is the input"),
        ("bench --labels ferplus:v.csv --json v.csv --force", 1, "it is the input"),
        ("data --labels ferplus:v.csv --json v.csv --force", 1, "it is the input"),
        ("train --labels ferplus:v.csv --json v.csv --force", 1, "it is the input"),
        ("train --data gone.csv --out 1", 1, "1/model.keras exists already"),
        ("train --data gone.csv --out 2", 1, "2/card.json exists already"),
        ("train --data gone.csv --recipe 3/recipe.toml --out 3", 1, "rewritten without"),
        ("train --data gone.csv --out 3 --force", 1, "gone.csv"),
        ("train --data gone.csv --out 4", 1, "4 has a training: continue it with --resume"),
    ],
)
def test_what_cannot_be_asked_for_is_refused(words, code, said, tmp_path, monkeypatch, capsys):
    for name in ["v.csv", "1/model.keras", "2/card.json", "3/recipe.toml", "4/checkpoint", "4/model.keras"]:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["fer-edge", *words.split()])
    with pytest.raises(SystemExit) as end:
        cli.invoke()
    assert (end.value.code, said in capsys.readouterr().err) == (code, True)


def test_what_ships_is_listed_with_the_default():
    done = fer_edge("models", "--json", "-")
    found = json.loads(done.stdout)
    assert found["default"] in {model["name"] for model in found["models"]}
    assert all(model["bytes"] > 0 and 0.3 < model["accuracy"] < 1 for model in found["models"])
    assert f"{found['default']} (default)" in done.stderr


def test_options_stand_in_panels():
    group = typer.main.get_command(cli.application())
    parameters = [parameter for command in group.commands.values() for parameter in command.params]
    assert set(cli.PANEL_OF) <= {option for parameter in parameters for option in parameter.opts}
    panels = {p.opts[0]: p.rich_help_panel for p in group.get_command(None, "train").params}
    assert [panels[name] for name in ("--data", "--out", "--epochs")] == ["Input", "Output", "Training"]
