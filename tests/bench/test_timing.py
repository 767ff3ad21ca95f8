"""Statistics of timings, on timings that are made up; nothing here asserts how fast anything is."""

import numpy as np
import pytest

from fer_edge.bench import timing


def test_summary_by_hand():
    timings = timing.Timings(wall_ns=[4_000_000, 1_000_000, 2_000_000, 3_000_000], cpu_ns=[2_000_000] * 4)
    got = timing.summary(timings)
    # percentiles lie between neighbours: rank q * (n - 1), so p90 is 0.7 of the way from 3 to 4
    latency = got["latency_ms"]
    expected = {"min": 1.0, "p50": 2.5, "p90": 3.7, "p99": 3.97, "mean": 2.5}
    assert {key: latency[key] for key in expected} == pytest.approx(expected)
    assert latency["p50_low"] <= 2.5 <= latency["p50_high"]
    assert got["fps"] == pytest.approx(400)
    assert got["cpu_ms"] == pytest.approx(2)
    assert {type(value) for value in latency.values()} == {float}


def test_interval_of_the_median_covers_it_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = 0
    for _ in range(60):
        low, high = timing.median_interval(rng.exponential(size=120))
        hits += low <= np.log(2) <= high
    assert 50 <= hits <= 60  # 57 expected; fewer than 50 in 60 has a chance of 1 in 1000


def test_interval_knows_that_neighbours_depend_on_each_other():
    slow_and_fast = np.repeat(np.tile([1.0, 2.0], 10), 10) + np.random.default_rng(0).normal(0, 0.01, 200)
    low, high = timing.median_interval(slow_and_fast)  # 20 blocks of 10, half of them slow
    single = timing.median_interval(slow_and_fast, block=1)
    assert low < 1.1
    assert high > 1.9
    assert single[1] - single[0] <= high - low


@pytest.mark.parametrize("values", [[3.0], [3.0] * 7, [3.0] * 1003])
def test_interval_of_equal_values_is_that_value(values):
    assert timing.median_interval(np.array(values)) == (3.0, 3.0)


@pytest.mark.parametrize(
    ("thread_ns", "others", "expected"),
    [
        (100, 0.02, False),
        (100, None, False),
        (95, 0.09, False),
        (89, 0.0, True),  # the thread ran for less than nine tenths of the time
        (89, None, True),
        (100, 0.11, True),  # another process had more than a tenth of the machine
    ],
)
def test_disturbed(thread_ns, others, expected):
    timings = timing.Timings(wall_ns=[100] * 5, thread_ns=[thread_ns] * 5)
    assert timing.disturbed(timings, others) is expected


def test_rounds_take_turns_and_count():
    calls = []
    subjects = [lambda: calls.append("a"), lambda: calls.append("b")]
    timings, _ = timing.interleaved(subjects, warmup=3, runs=25)
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
