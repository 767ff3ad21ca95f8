"""What counts as a change, and as a regression."""

import copy
import json

import pytest
from bench_rows import result, row

from fer_edge.bench import report
from fer_edge.errors import DataError, GateError

TOLERANCE = 0.10


def benchmark(p50=1.0, half=0.02, accuracy=0.66, **changes):
    made = row("tuned_int8", p50, accuracy, agreement=1.0, **{"bytes": 1000, "peak_rss_mib": 50.0, **changes})
    made["latency_ms"] |= {"p50_low": p50 - half, "p50_high": p50 + half}
    made["macro_f1"] = accuracy
    return result(made) | {"reference": {"1": {"best_ms": 1.0}}}


def verdicts(old, new):
    return {change.figure: change.verdict for change in report.changes(old, new, TOLERANCE)}


def test_nothing_changed():
    assert list(verdicts(benchmark(), benchmark()).values()) == ["same"] * 6
    report.show_changes(benchmark(), benchmark(), TOLERANCE)


@pytest.mark.parametrize(
    ("change", "figure", "verdict"),
    [
        ({"p50": 1.03}, "p50_ms", "same"),  # 1.01..1.05 overlaps 0.98..1.02
        ({"p50": 1.09}, "p50_ms", "worse"),  # beyond the noise, within the tolerance
        ({"p50": 1.11}, "p50_ms", "regression"),
        ({"p50": 1.50, "half": 0.6}, "p50_ms", "same"),  # half as slow again, not known well enough to say so
        ({"p50": 0.90}, "p50_ms", "better"),
        ({"bytes": 1099}, "bytes", "worse"),
        ({"bytes": 1101}, "bytes", "regression"),
        ({"bytes": 900}, "bytes", "better"),
        ({"peak_rss_mib": 50.9}, "peak_rss_mib", "same"),
        ({"peak_rss_mib": 56.0}, "peak_rss_mib", "regression"),
        ({"accuracy": 0.656}, "accuracy", "worse"),
        ({"accuracy": 0.654}, "accuracy", "regression"),
        ({"accuracy": 0.67}, "macro_f1", "better"),
    ],
)
def test_verdicts(change, figure, verdict):
    assert verdicts(benchmark(), benchmark(**change))[figure] == verdict


def test_gate_names_the_largest_regression_and_exits_3():
    words = r"2 regressions, .*tuned_int8 on 1 thread, p50_ms 1 -> 1.5 \(\+50.0 %\)"
    with pytest.raises(GateError, match=words) as e:
        report.show_changes(benchmark(), benchmark(p50=1.5, bytes=1200), TOLERANCE)
    assert e.value.exit_code == 3


@pytest.mark.parametrize(
    ("part", "change", "absent"),
    [
        ("machine", {"cpu": "B"}, {"p50_ms", "peak_rss_mib"}),
        ("results", {"disturbed": True}, {"p50_ms"}),
        ("reference", {"1": {"best_ms": 1.06}, "2": {"best_ms": 9.0}}, {"p50_ms"}),
        ("reference", {"1": {"best_ms": 1.05}}, set()),
        ("data", {"split": "PublicTest"}, {"accuracy", "macro_f1", "agreement"}),
        ("data", {"sha256": "cd"}, {"accuracy", "macro_f1", "agreement"}),
        ("data", {"n": 300}, {"accuracy", "macro_f1", "agreement"}),
    ],
    ids=["another machine", "busy", "another speed", "nearly the same speed", "split", "pictures", "number"],
)
def test_what_cannot_be_compared_is_not(part, change, absent):
    every = set(verdicts(benchmark(), benchmark()))
    for side in range(2):
        pair = [benchmark(), benchmark(p50=9, accuracy=0.1)]
        places = {"results": pair[side]["results"][0], "data": pair[side]["config"]["data"]}
        places.get(part, pair[side].get(part)).update(change)
        assert set(verdicts(*pair)) == every - absent
    pair[0]["config"]["data"] = None
    assert "accuracy" not in verdicts(*pair)


def test_only_rows_that_both_have():
    new = benchmark()
    new["results"].append(copy.deepcopy(new["results"][0]) | {"threads": 2})
    assert {change.threads for change in report.changes(benchmark(), new, TOLERANCE)} == {1}


@pytest.mark.parametrize(
    "text",
    [
        *("", "[1, 2]", "{}", '{"schema": 2, "results": []}', '{"schema": 1, "results": [{"model": "m"}]}'),
        '{"schema": 1, "results": [], "reference": {"1": {"best_ms": "x"}}}',
        '{"schema": 1, "results": [], "reference": 3}',
    ],
)
def test_what_is_no_benchmark_is_refused_in_a_line(tmp_path, text):
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(DataError) as e:
        report.read(path)
    assert str(path) in str(e.value)
    assert "\n" not in str(e.value)
    with pytest.raises(DataError, match="No such file"):
        report.read(tmp_path / "absent.json")


def test_read_gives_what_was_written(tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps(benchmark()))
    assert report.read(path) == benchmark()
