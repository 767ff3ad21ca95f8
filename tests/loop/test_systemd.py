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
