"""Statistics of timings, on timings that are made up; nothing here asserts how fast anything is."""

import pytest

from fer_edge.bench import timing


def test_summary_by_hand():
    timings = timing.Timings(wall_ns=[4_000_000, 1_000_000, 2_000_000, 3_000_000], cpu_ns=[2_000_000] * 4)
    got = timing.summary([timings])
    # percentiles lie between neighbours: rank q * (n - 1), so p90 is 0.7 of the way from 3 to 4
    latency = got["latency_ms"]
    expected = {"min": 1.0, "p50": 2.5, "p90": 3.7, "p99": 3.97, "mean": 2.5}
    assert {key: latency[key] for key in expected} == pytest.approx(expected)
    assert latency["p50_low"] <= 2.5 <= latency["p50_high"]
    assert got["fps"] == pytest.approx(400)
    assert got["cpu_ms"] == pytest.approx(2)
    assert {type(value) for value in latency.values()} == {float}


def test_processes_are_summed_up_together():
    """Medians of 1, 2 and 6 ms; of all nine inferences it is 2 ms."""
    processes = [timing.Timings([ms * 1_000_000] * 3, [ms * 1_000_000] * 3) for ms in (1, 2, 6)]
    got = timing.summary(processes)
    assert got["process_p50_ms"] == [1, 2, 6]
    assert got["latency_ms"]["p50"] == 2
    assert (got["latency_ms"]["p50_low"], got["latency_ms"]["p50_high"]) == (1, 6)
    assert got["cpu_ms"] == pytest.approx(3)


@pytest.mark.parametrize(
    ("cpu_ns", "queued_ns", "others", "expected"),
    [
        (100, 0, 0.02, False),
        (100, 0, None, False),
        (100, 9, 0.09, False),
        (100, 11, 0.0, True),  # it stood in the queue for a core for more than a tenth of the time
        (100, 0, 0.11, True),  # another process had more than a tenth of the machine
        (10, 0, 0.0, False),  # it slept, and nobody kept it from a core
        (100, None, 0.0, False),  # no queue to read: some thread of its own always ran
        (89, None, 0.0, True),
        (370, 50, 0.0, False),  # it waited for its own threads, which filled all four cores
        (350, 50, 0.0, True),
    ],
)
def test_disturbed(cpu_ns, queued_ns, others, expected, monkeypatch):
    monkeypatch.setattr("fer_edge.machine.usable_cores", lambda: 4)
    one = timing.Timings([100] * 5, [cpu_ns] * 5, None if queued_ns is None else 5 * queued_ns)
    assert timing.disturbed([one, one], others) is expected


def test_rounds_take_turns_and_count():
    calls = []
    subjects = [lambda: calls.append("a"), lambda: calls.append("b")]
    timings = timing.interleaved(subjects, warmup=3, runs=25)
    assert [len(one.wall_ns) for one in timings] == [25, 25]
    # 3 of warm-up, then blocks of 10, 10 and 5, each after 2 untimed ones
    assert calls[:6] == ["a"] * 3 + ["b"] * 3
    assert calls.count("a") == calls.count("b") == 3 + 12 + 12 + 7
    rest = calls[6:]
    assert {*rest[:12]} != {*rest[12:24]}  # the first round gives each a turn
    assert {*rest[:12], *rest[12:24]} == {"a", "b"}


def test_collector_is_as_it_was():
    import gc

    assert gc.isenabled()
    with pytest.raises(RuntimeError):
        timing.interleaved([lambda: (_ for _ in ()).throw(RuntimeError)], warmup=0, runs=1)
    assert gc.isenabled()
