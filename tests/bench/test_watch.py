"""Telling a busy neighbour from one's own threads: on made-up clocks, and once with real processes."""

import subprocess
import sys
import threading
import zlib
from types import SimpleNamespace

import pytest

from fer_edge import machine
from fer_edge.bench import watch

BURN = "import time; end = time.perf_counter() + 1.2\nwhile time.perf_counter() < end: pass"


@pytest.fixture
def clocks(monkeypatch):
    """Clocks to be moved by hand, of a machine with four cores."""
    now = SimpleNamespace(wall=100.0, own=5.0, children=1.0, busy=1000.0, queued=0)
    monkeypatch.setattr(watch.time, "perf_counter", lambda: now.wall)
    monkeypatch.setattr(watch.time, "process_time", lambda: now.own)
    times = lambda: SimpleNamespace(children_user=now.children, children_system=0.5)  # noqa: E731
    monkeypatch.setattr(watch.os, "times", times)
    monkeypatch.setattr(watch.os, "cpu_count", lambda: 4)
    monkeypatch.setattr(machine, "usable_cores", lambda: 4)
    monkeypatch.setattr(machine, "busy_seconds", lambda: now.busy)
    monkeypatch.setattr(watch, "queued_ns", lambda: now.queued)
    return now


def passed(now, wall, own=0.0, children=0.0, others=0.0, queued_s=0.0):
    """Seconds go by: the machine is busy with all three."""
    now.wall, now.own, now.children = now.wall + wall, now.own + own, now.children + children
    now.busy, now.queued = now.busy + own + children + others, now.queued + int(queued_s * 1e9)


def test_own_threads_and_children_are_no_others(clocks):
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=30, children=8)
    assert meanwhile.others_share() == pytest.approx(0)
    assert not meanwhile.disturbed()
    assert (meanwhile.elapsed_s, meanwhile.cpu_s) == (pytest.approx(10), pytest.approx(30))


def test_a_thread_that_waits_for_its_own_worker_is_not_disturbed(clocks):
    """The worker runs for all of the time but a tenth, in which the system wakes one and the other."""
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=8.5, queued_s=0.5)
    assert not meanwhile.disturbed()


def test_a_busy_neighbour_disturbs(clocks):
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=10, others=10)  # one core of four
    assert meanwhile.others_share() == pytest.approx(0.25)
    assert meanwhile.disturbed()


def test_waiting_for_a_core_disturbs_even_where_nobody_is_seen(clocks):
    """As in a container that may use less than a core."""
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=5, queued_s=5)
    assert meanwhile.disturbed()


def test_one_busy_program_is_seen_on_a_machine_of_many_cores(clocks, monkeypatch):
    monkeypatch.setattr(watch.os, "cpu_count", lambda: 64)
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=10, others=9)
    assert meanwhile.disturbed()


def test_only_the_stretches_count(clocks):
    meanwhile = watch.Watch()
    for _ in range(2):
        with meanwhile:
            passed(clocks, wall=1, own=1)
        passed(clocks, wall=5, others=20)
    assert meanwhile.others_share() == pytest.approx(0)
    assert meanwhile.elapsed_s == pytest.approx(2)


def test_what_the_system_does_not_tell_is_not_known(clocks, monkeypatch):
    with watch.Watch() as meanwhile:
        passed(clocks, wall=0.2, others=0.8)
    assert meanwhile.others_share() is None  # too short for clocks of 10 ms
    monkeypatch.setattr(machine, "busy_seconds", lambda: None)
    monkeypatch.setattr(watch, "queued_ns", lambda: None)
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=10)
    assert meanwhile.others_share() is None
    assert not meanwhile.disturbed()
    with watch.Watch() as meanwhile:
        passed(clocks, wall=10, own=5)
    assert meanwhile.disturbed()


@pytest.mark.skipif(machine.busy_seconds() is None, reason="this system has no /proc/stat")
def test_real_neighbours_are_seen():
    """Started outside the watch, so that they are nobody's children within it."""
    cores = machine.usable_cores()
    neighbours = [subprocess.Popen([sys.executable, "-c", BURN]) for _ in range(cores)]
    try:
        with watch.Watch() as meanwhile:
            watch.time.sleep(0.8)
    finally:
        for neighbour in neighbours:
            neighbour.wait()
    assert watch.is_busy(meanwhile.others_share())


@pytest.mark.skipif(machine.busy_seconds() is None, reason="this system has no /proc/stat")
def test_real_threads_and_children_of_ones_own_are_counted_as_ones_own():
    """Whatever others do: what this process and its child burn is taken off the machine's time."""
    block = bytes(1 << 22)
    threads = [
        threading.Thread(target=lambda: [zlib.compress(block, 9) for _ in range(20)]) for _ in range(2)
    ]
    busy, own = machine.busy_seconds(), watch.os.times()
    with watch.Watch() as meanwhile:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        subprocess.run([sys.executable, "-c", BURN], check=True)
    after = watch.os.times()
    burnt = sum(after[:4]) - sum(own[:4])
    others = meanwhile.others_share() * meanwhile.elapsed_s * watch.os.cpu_count()
    assert burnt > 0.3
    assert others == pytest.approx(max(0, machine.busy_seconds() - busy - burnt), abs=0.25)
