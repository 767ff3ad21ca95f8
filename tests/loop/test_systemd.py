"""Signs of life for systemd, received on a socket of the test's own."""

import re
import shlex
import shutil
import socket
from pathlib import Path

import pytest
import typer
from drawn_clip import drawn_clip
from processes import ended, fer_edge

from fer_edge.cli import application
from fer_edge.loop import Watchdog

UNIT = (Path(__file__).parents[2] / "docs/fer-edge.service").read_text()


@pytest.fixture
def systemd(tmp_path):
    """A socket's path, and a function that gives what came there."""
    path = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiving:
        receiving.bind(path)
        receiving.setblocking(False)

        def received():
            messages = []
            while True:
                try:
                    messages.append(receiving.recv(100))
                except BlockingIOError:
                    return messages

        yield path, received


@pytest.mark.parametrize(
    ("waits_s", "beats"),
    [(None, 0), (0, 3), (10_800, 0)],
    ids=["no watchdog", "every beat where a third has passed", "no oftener than a third"],
)
def test_ready_and_then_beats(systemd, waits_s, beats):
    path, received = systemd
    asked = {} if waits_s is None else {"WATCHDOG_USEC": str(waits_s * 1_000_000)}
    for environment in ({"NOTIFY_SOCKET": path, **asked}, {"NOTIFY_SOCKET": "/nowhere", **asked}, {}):
        watchdog = Watchdog(environment)
        for _ in range(4):
            watchdog.beat()
    assert received() == [b"READY=1"] + [b"WATCHDOG=1"] * beats


def test_a_run_says_when_it_is_ready_and_that_it_lives(systemd, tmp_path):
    path, received = systemd
    environment = {"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "0"}
    fer_edge(
        "run", drawn_clip(tmp_path / "c.avi", frames_each=4), "--headless", variables=environment, code=0
    )
    messages = received()
    assert messages[0] == b"READY=1"
    assert messages.count(b"WATCHDOG=1") >= 4  # every frame and the look that finds the end


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="needs systemd-analyze")
def test_the_unit_is_one(tmp_path):
    (tmp_path / "fer-edge.service").write_text(UNIT.replace("/opt/fer-edge/bin/fer-edge", "/bin/true"))
    command = ["systemd-analyze", "verify", "--man=no", tmp_path / "fer-edge.service"]
    done = ended(*command)
    assert (done.returncode, [line for line in done.stderr.splitlines() if "fer-edge" in line]) == (0, [])


def test_the_unit_s_command_has_the_options_that_it_names():
    (line,) = re.findall(r"^ExecStart=/bin/sh -c 'exec (.*)'$", UNIT, re.M)
    words = shlex.split(line.replace("$(", "").replace(")", ""))
    command = typer.main.get_command(application()).get_command(None, "run")
    with command.make_context("run", words[2:]) as context:
        taken = [context.params[name] for name in ("camera", "web", "headless")]
    assert taken == ["0", 8000, True]
