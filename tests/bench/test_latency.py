"""Made-up timings and clocks, with what follows from them worked out by hand; nothing asserts a speed."""

import itertools

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
        how = {"processes": wanted, "patience_s": patience_s}
        (row,), told = latency.measured(answers(references), 5 * wanted, **how)
    return told, row


@pytest.mark.parametrize(
    ("references", "how", "processes", "quiet", "p50", "ends"),
    [
        # 1.06 is off the best of 1.0, 1.05 is not; the fifth process stands in for it. Then of 10.0 10.2 10.4
        # 10.5, five of each.
        ([1.0, 1.06, 1.05, 1.02, 1.04, 9.0], {}, 5, 4, 10.3, [10.0, 10.0, 10.5]),
        # At 2.0 all four seem quiet until somebody stops; then three more are needed, as quiet as the fourth.
        ([2.0, 2.0, 2.0, 1.0, 1.0, 1.0, 1.0, 5.0], {}, 7, 4, 10.0, [10.0, 10.0, 10.0]),
        # Four are wanted and three for each of them are tried besides; the least disturbed are told.
        ([1.0, *[1.5] * 3, *[1.2] * 30], {}, 16, 1, 12.0, [10.0, 10.0, 12.0]),
        ([1.0, 1.0, 1.5, 1.5], {"patience_s": 0}, 4, 2, 10.0, [10.0, 10.0, 10.0]),  # half are enough
        ([1.0, 1.5, 1.5, 1.5], {"patience_s": 0}, 4, 1, 15.0, [10.0, 10.0, 15.0]),
        ([1.0] * 4, {"patience_s": 0, "others": True}, 4, 0, 10.0, [10.0, 10.0, 10.0]),
        # The best is of one block, and a process is judged by its median.
        ([[3.0, 1.0, 3.0], [3.0, 3.0, 3.0]], {"patience_s": 0, "wanted": 2}, 2, 0, 30.0, [30.0, 30.0, 30.0]),
    ],
)
def test_disturbed_processes_are_repeated_and_what_stays_so_says_it(
    references, how, processes, quiet, p50, ends
):
    told, row = measured(references, **how)
    own_ms = [max(one) if isinstance(one, list) else one for one in references[:processes]]
    assert told == {"best_ms": 1.0, "process_ms": own_ms, "processes": processes, "quiet": quiet}
    assert row["disturbed"] is (2 * quiet < how.get("wanted", 4))
    assert row["latency_ms"]["p50"] == pytest.approx(p50)
    assert [row["latency_ms"][key] for key in ("min", "p50_low", "p50_high")] == ends


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
