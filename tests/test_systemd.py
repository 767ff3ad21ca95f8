"""Signs of life for systemd, received on a socket of the test's own."""

import socket

import pytest

from fer_edge.systemd import Watchdog


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
