"""Telling a busy neighbour from one's own threads: on made-up clocks, and once with real processes."""

import math
import subprocess
import sys
import zlib
from threading import Thread
from types import SimpleNamespace

import pytest

from fer_edge import machine

BURN = "import time; end = time.perf_counter() + 1.2\nwhile time.perf_counter() < end: pass"


@pytest.fixture
def clocks(monkeypatch):
    """Clocks to be moved by hand, of a machine with four cores."""
    now = SimpleNamespace(wall=100.0, own=5.0, children=1.0, busy=1000.0, queued=0, cores=4)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now.wall)
    monkeypatch.setattr(machine.time, "process_time", lambda: now.own)
    times = lambda: SimpleNamespace(children_user=now.children, children_system=0.5)  # noqa: E731
    monkeypatch.setattr(machine.os, "times", times)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: now.cores)
    monkeypatch.setattr(machine, "usable_cores", lambda: now.cores)
    monkeypatch.setattr(machine, "busy_seconds", lambda: now.busy)
    monkeypatch.setattr(machine, "queued_s", lambda: now.queued)
    return now


def passed(now, wall, own=0.0, children=0.0, others=0.0, queued_s=0.0):
    """Seconds go by: the machine is busy with all three."""
    now.wall, now.own, now.children = now.wall + wall, now.own + own, now.children + children
    now.busy, now.queued = now.busy + own + children + others, now.queued + queued_s


@pytest.mark.parametrize(
    ("seconds", "cores", "share", "disturbed"),
    [
        ({"own": 30, "children": 8}, 4, 0, False),
        ({"own": 10, "others": 10}, 4, 0.25, True),
        ({"own": 10, "others": 9}, 64, 9 / 640, True),  # one busy program on a machine of many cores
        ({"own": 10, "others": 3.9}, 4, 0.0975, False),
        ({"own": 8.5, "queued_s": 0.5}, 4, 0, False),  # it waited for its own worker
        ({"own": 5, "queued_s": 5}, 4, 0, True),  # as in a container that has less than a core
        ({"own": 37, "queued_s": 5}, 4, 0, False),  # it waited for its own threads, which filled all cores
    ],
)
def test_who_disturbs(clocks, seconds, cores, share, disturbed):
    clocks.cores = cores
    with machine.Watch() as meanwhile:
        passed(clocks, wall=10, **seconds)
    assert meanwhile.others_share() == pytest.approx(share)
    assert meanwhile.disturbed() is disturbed
    assert (meanwhile.elapsed_s, meanwhile.cpu_s) == (pytest.approx(10), pytest.approx(seconds["own"]))


def test_only_the_stretches_count(clocks):
    meanwhile = machine.Watch()
    for _ in range(2):
        with meanwhile:
            passed(clocks, wall=1, own=1)
        passed(clocks, wall=5, others=20)
    assert (meanwhile.others_share(), meanwhile.elapsed_s) == (pytest.approx(0), pytest.approx(2))


def test_what_the_system_does_not_tell_is_not_known(clocks, monkeypatch):
    with machine.Watch() as meanwhile:
        passed(clocks, wall=0.2, others=0.8)
    assert meanwhile.others_share() is None  # too short for clocks of 10 ms
    monkeypatch.setattr(machine, "busy_seconds", lambda: None)
    monkeypatch.setattr(machine, "queued_s", lambda: math.nan)
    for own, disturbed in ((10, False), (5, True)):  # some thread of its own always ran, or not
        with machine.Watch() as meanwhile:
            passed(clocks, wall=10, own=own)
        assert (meanwhile.others_share(), meanwhile.disturbed()) == (None, disturbed)


@pytest.mark.skipif(machine.busy_seconds() is None, reason="this system has no /proc/stat")
def test_real_threads_and_children_of_ones_own_are_counted_as_ones_own():
    """Whatever others do: what this process and its child burn is taken off the machine's time."""
    block = bytes(1 << 22)
    threads = [Thread(target=lambda: [zlib.compress(block, 9) for _ in range(20)]) for _ in range(2)]
    busy, own = machine.busy_seconds(), machine.os.times()
    with machine.Watch() as meanwhile:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        subprocess.run([sys.executable, "-c", BURN], check=True)
    burnt = sum(machine.os.times()[:4]) - sum(own[:4])
    others = meanwhile.others_share() * meanwhile.elapsed_s * machine.os.cpu_count()
    assert burnt > 0.3
    assert others == pytest.approx(max(0, machine.busy_seconds() - busy - burnt), abs=0.25)
