"""How the process of a command begins and ends, and what the command line offers."""

import json
import signal
import subprocess
import sys
import time

import pytest
import typer
from processes import ended, fer_edge, python

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


def test_a_command_of_other_programs_is_shown_the_way():
    assert "fer-edge run does this" in fer_edge("predict", "x", code=2).stderr


def test_what_ships_is_listed_with_the_default():
    done = fer_edge("models", "--json", "-")
    found = json.loads(done.stdout)
    assert found["default"] in {model["name"] for model in found["models"]}
    assert all(model["bytes"] > 0 and 0.3 < model["accuracy"] < 1 for model in found["models"])
    assert f"{found['default']} (default)" in done.stderr


def test_options_stand_in_panels():
    from fer_edge.cli import PANEL_OF, application

    group = typer.main.get_command(application())
    assert set(PANEL_OF) <= {o for command in group.commands.values() for p in command.params for o in p.opts}
    panels = {p.opts[0]: p.rich_help_panel for p in group.get_command(None, "train").params}
    assert [panels[name] for name in ("--data", "--out", "--epochs")] == ["Input", "Output", "Training"]
