"""Signs of life for systemd, received on a socket of the test's own."""

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from drawn_clip import drawn_clip

from fer_edge.cli import application
from fer_edge.loop.realtime import Watchdog

ROOT = Path(__file__).parents[2]
FER_EDGE = Path(sys.executable).with_name("fer-edge")


@pytest.fixture
def systemd(tmp_path):
    """A socket as systemd has it, and its path."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(path)
        receiving.setblocking(False)
        yield receiving, path


def received(receiving):
    messages = []
    while True:
        try:
            messages.append(receiving.recv(100))
        except BlockingIOError:
            return messages


def test_ready_and_then_a_beat_no_oftener_than_a_third_of_what_systemd_waits(systemd):
    receiving, path = systemd
    watchdog = Watchdog({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": str(3 * 3_600_000_000)})
    watchdog.ready()
    for _ in range(5):
        watchdog.beat()
    assert received(receiving) == [b"READY=1", b"WATCHDOG=1"]


def test_every_beat_where_a_third_has_passed(systemd):
    receiving, path = systemd
    watchdog = Watchdog({"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "0"})
    watchdog.beat()
    watchdog.beat()
    assert received(receiving) == [b"WATCHDOG=1"] * 2


def test_without_a_watchdog_only_ready_is_sent(systemd):
    receiving, path = systemd
    watchdog = Watchdog({"NOTIFY_SOCKET": path})
    watchdog.ready()
    watchdog.beat()
    assert received(receiving) == [b"READY=1"]


@pytest.mark.parametrize("environment", [{}, {"NOTIFY_SOCKET": "/nowhere/at/all", "WATCHDOG_USEC": "0"}])
def test_nothing_happens_without_systemd(environment):
    watchdog = Watchdog(environment)
    watchdog.ready()
    watchdog.beat()


def test_a_run_says_when_it_is_ready_and_that_it_lives(systemd, tmp_path):
    receiving, path = systemd
    environment = {**os.environ, "NOTIFY_SOCKET": path, "WATCHDOG_USEC": "0"}
    command = [FER_EDGE, "run", drawn_clip(tmp_path / "c.avi", frames_each=4), "--headless"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    messages = received(receiving)
    assert messages[0] == b"READY=1"
    assert messages.count(b"WATCHDOG=1") >= 4  # every frame and the look that finds the end


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_one(tmp_path):
    unit = (ROOT / "docs/fer-edge.service").read_text()
    (tmp_path / "fer-edge.service").write_text(unit.replace("/opt/fer-edge/bin/fer-edge", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / "fer-edge.service"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "fer-edge" in line]) == (0, [])


def test_the_unit_s_command_has_the_options_that_it_names():
    (line,) = re.findall(
        r"^ExecStart=/bin/sh -c 'exec (.*)'$", (ROOT / "docs/fer-edge.service").read_text(), re.M
    )
    words = shlex.split(line.replace("$(", "").replace(")", ""))
    command = typer.main.get_command(application()).get_command(None, "run")
    with command.make_context("run", words[2:]) as context:
        assert (context.params["camera"], context.params["web"], context.params["headless"]) == (
            "0",
            8000,
            True,
        )
