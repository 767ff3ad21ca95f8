"""Made-up timings and clocks, with what follows from them worked out by hand; nothing asserts a speed."""

import itertools
import subprocess
import sys
import zlib
from threading import Thread
from types import SimpleNamespace

import pytest

from fer_edge import machine
from fer_edge.bench import latency


def answers(references):
    """A `start` that gives, one after the other, processes with these references: one block each, ms.

    The model takes ten times as long as the reference: 10 ms where nothing disturbs.
    """
    turns = iter(references)

    def start(runs, order):
        reference = next(turns)
        blocks = reference if isinstance(reference, list) else [reference]
        return {"wall_ms": [[10.0 * blocks[0]] * runs], "cpu_ms": [1.0], "reference_ms": blocks}

    return start


def measured(references, wanted=4, patience_s=60.0, others=False):
    """What is told of the processes, and the model's row. others: are at work."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(machine, "busy_seconds", (n * 10.0**others for n in itertools.count()).__next__)
        patched.setattr(machine, "_LEAST_S", 0 if others else 60)
        (row,), told = latency.measured(
            answers(references), 5 * wanted, processes=wanted, patience_s=patience_s
        )
    return told, row


def test_a_process_whose_reference_is_over_5_percent_off_is_repeated():
    # 1.06 is off the best of 1.0, 1.05 is not; the fifth process stands in for it
    told, row = measured([1.0, 1.06, 1.05, 1.02, 1.04, 9.0])
    assert told == {"best_ms": 1.0, "process_ms": [1.0, 1.06, 1.05, 1.02, 1.04], "processes": 5, "quiet": 4}
    assert not row["disturbed"]
    assert row["latency_ms"]["p50"] == pytest.approx(10.3)  # of 10.0 10.2 10.4 10.5, five of each
    assert [row["latency_ms"][key] for key in ("min", "p50_low", "p50_high")] == [10.0, 10.0, 10.5]


def test_a_quieter_process_shows_that_the_ones_before_were_disturbed():
    # at 2.0 all four seem quiet until somebody stops; then three more are needed, as quiet as the fourth
    told, row = measured([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 5.0])
    assert (told["processes"], row["latency_ms"]["p50"], row["disturbed"]) == (7, 10.0, False)


def test_what_stays_disturbed_says_so_and_is_told_of_the_least_disturbed():
    # four are wanted and three for each of them are tried besides; one of sixteen was quiet
    told, row = measured([1.0, *itertools.repeat(1.5, 3), *itertools.repeat(1.2, 30)])
    assert (told["processes"], row["disturbed"]) == (16, True)
    assert [row["latency_ms"][key] for key in ("p50_low", "p50", "p50_high")] == [10.0, 12.0, 12.0]


def test_half_of_the_processes_are_enough_and_others_at_work_disturb_as_well():
    assert not measured([1.0, 1.0, 1.5, 1.5], patience_s=0)[1]["disturbed"]
    assert measured([1.0, 1.5, 1.5, 1.5], patience_s=0)[1]["disturbed"]
    assert measured(itertools.repeat(1.0), patience_s=0, others=True)[1]["disturbed"]


def test_the_best_is_of_one_block_and_a_process_is_judged_by_its_median():
    """Somebody was at work for most of the time in both, and paused once."""
    told, _ = measured([[3.0, 1.0, 3.0], [3.0, 3.0, 3.0]], wanted=2, patience_s=0)
    assert (told["best_ms"], told["quiet"]) == (1.0, 0)


@pytest.mark.parametrize(("runs", "shares"), [(3, [1] * 3), (10, [1] * 10), (25, [3] * 5 + [2] * 5)])
def test_processes_share_the_runs(runs, shares):
    asked, start = [], answers(itertools.repeat(1.0))
    latency.measured(lambda share, order: asked.append(share) or start(share, order), runs, patience_s=0)
    assert asked == shares


def test_summary_by_hand():
    """Two processes with medians of 1.5 and 3.5 ms."""
    got = latency.summary([[1.0, 2.0], [3.0, 4.0]], [1.0, 3.0])
    # percentiles lie between neighbours: rank q * (n - 1), so p90 is 0.7 of the way from 3 to 4
    ends = {"min": 1.0, "p50": 2.5, "p50_low": 1.5, "p50_high": 3.5}
    assert got["latency_ms"] == pytest.approx({**ends, "p90": 3.7, "p99": 3.97, "mean": 2.5})
    assert (got["fps"], got["cpu_ms"]) == (pytest.approx(400), 2.0)
    assert {type(value) for value in got["latency_ms"].values()} == {float}


def test_rounds_take_turns_and_the_reference_follows_every_block():
    calls = []
    subjects = [lambda: calls.append("a"), lambda: calls.append("b")]
    got = latency.timed(subjects, warmup=3, runs=60, order=0)
    assert [len(times) for times in got["wall_ms"]] == [60, 60]
    assert len(got["reference_ms"]) == 2 * 3  # two subjects, three rounds of 25, 25 and 10
    assert len(got["cpu_ms"]) == 2
    # 3 of warm-up, then blocks, each after 5 untimed ones
    assert calls[:6] == ["a"] * 3 + ["b"] * 3
    assert calls.count("a") == calls.count("b") == 3 + 30 + 30 + 15
    rounds = calls[6:]
    assert {*rounds[:30]} != {*rounds[30:60]}  # the first round gives each a turn


# --- whether others disturb


@pytest.fixture
def clocks(monkeypatch):
    """Clocks to be moved by hand, of a machine with four cores."""
    now = SimpleNamespace(wall=100.0, own=5.0, children=1.0, busy=1000.0, cores=4)
    monkeypatch.setattr(machine.time, "perf_counter", lambda: now.wall)
    monkeypatch.setattr(machine.time, "process_time", lambda: now.own)
    times = lambda: SimpleNamespace(children_user=now.children, children_system=0.5)  # noqa: E731
    monkeypatch.setattr(machine.os, "times", times)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: now.cores)
    monkeypatch.setattr(machine, "busy_seconds", lambda: now.busy)
    return now


@pytest.mark.parametrize(
    ("own", "children", "others", "cores", "share", "disturbed"),
    [
        (30, 8, 0, 4, 0, False),
        (10, 0, 10, 4, 0.25, True),
        (10, 0, 9, 64, 9 / 640, True),  # one busy program on a machine of many cores
        (10, 0, 3.9, 4, 0.0975, False),
    ],
)
def test_who_disturbs(clocks, monkeypatch, own, children, others, cores, share, disturbed):
    clocks.cores = cores
    with machine.Watch() as meanwhile:
        clocks.wall, clocks.own, clocks.children = (
            clocks.wall + 10,
            clocks.own + own,
            clocks.children + children,
        )
        clocks.busy += own + children + others
    assert (meanwhile.others_share, meanwhile.disturbed) == (pytest.approx(share), disturbed)
    assert (meanwhile.elapsed_s, meanwhile.cpu_s) == (pytest.approx(10), pytest.approx(own))
    with machine.Watch() as meanwhile:
        clocks.wall, clocks.busy = clocks.wall + 0.2, clocks.busy + 0.8
    assert meanwhile.others_share is None  # too short for clocks of 10 ms
    monkeypatch.setattr(machine, "busy_seconds", lambda: None)
    with machine.Watch() as meanwhile:
        clocks.wall += 10
    assert (meanwhile.others_share, meanwhile.disturbed) == (None, False)


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
        subprocess.run([sys.executable, "-c", "print(sum(range(20_000_000)))"], check=True)
    burnt = sum(machine.os.times()[:4]) - sum(own[:4])
    others = meanwhile.others_share * meanwhile.elapsed_s * machine.os.cpu_count()
    assert burnt > 0.3
    assert others == pytest.approx(max(0, machine.busy_seconds() - busy - burnt), abs=0.25)
