"""The device side never reaches for the network; frames stay where they are."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

FER_EDGE = Path(sys.executable).with_name("fer-edge")
HOOK = """
import os, sys

def refuse(event, arguments):
    if event.startswith("socket.") and event != "socket.gethostname":
        with open(os.environ["FER_EDGE_TRIED"], "a") as file:
            print(event, arguments, file=file)

sys.addaudithook(refuse)
"""
COMMANDS = {
    "picture": ("run", "noise.png", "--headless", "--jsonl", "o.jsonl"),
    "video": ("run", "noise.avi", "--headless", "--save", "o.avi", "--max-frames", "3"),
    "bench": ("bench", "tuned_int8", "--runs", "3", "--warmup", "1"),
    "data": ("data", "drawn"),
    "doctor": ("doctor",),
    "help": ("--help",),
}


@pytest.fixture
def place(tmp_path):
    noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
    cv2.imwrite(str(tmp_path / "noise.png"), noise)
    writer = cv2.VideoWriter(str(tmp_path / "noise.avi"), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 120))
    for _ in range(3):
        writer.write(noise)
    writer.release()
    (tmp_path / "hook").mkdir()
    (tmp_path / "hook/sitecustomize.py").write_text(HOOK)
    return tmp_path


def run(place, *command):
    env = {**os.environ, "PYTHONPATH": str(place / "hook"), "FER_EDGE_TRIED": str(place / "tried")}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=place, env=env)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("name", COMMANDS)
def test_no_python_code_opens_a_socket(place, name):
    run(place, FER_EDGE, *COMMANDS[name])
    assert not (place / "tried").exists(), (place / "tried").read_text()


def test_the_hook_sees_a_socket_that_is_opened(place):
    run(place, sys.executable, "-c", "import socket; socket.socket().close()")
    assert "socket.__new__" in (place / "tried").read_text()


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, to see what native code does")
@pytest.mark.parametrize("name", ["picture", "video"])
def test_no_native_code_opens_a_socket_of_the_internet(place, name):
    traced = ("strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", "trace", FER_EDGE, *COMMANDS[name])
    run(place, *traced)
    opened = [line for line in (place / "trace").read_text().splitlines() if "AF_INET" in line]
    assert opened == []


def test_frames_are_kept_only_where_they_are_asked_for(place):
    before = {path.name for path in place.iterdir()}
    run(place, FER_EDGE, "run", "noise.avi", "--headless")
    assert {path.name for path in place.iterdir()} == before
