"""The scripts in benchmarks/: what they put into the README, what the picture shows, what is checked."""

import json

import crosscheck
import pytest
import update_readme
from bench_rows import result, row

from fer_edge.bench import report


def test_readme_and_run_get_quiet_rows_of_one_thread_in_three_formats(tmp_path, monkeypatch):
    rows = [row("a_float32", accuracy=0.7), row("a_int8", 0.3, 0.696), row("a_int8", 0.2, 0.696, threads=2)]
    rows += [row("a_float16", accuracy=0.7), row("b_int8", accuracy=None), row("c_int8", disturbed=True)]
    (tmp_path / "shipped.json").write_text(json.dumps(result(*rows)))
    judged = {"model": "b_int8", "accuracy": 0.8, "macro_f1": 0.5, "agreement": 0.99}
    ferplus = {"results": [judged], "config": {"data": {"n": 3000}}}
    (tmp_path / "ferplus.json").write_text(json.dumps(ferplus))
    text = update_readme.bench(tmp_path)
    models = [line.split(" | ")[0].strip("| ") for line in text.splitlines() if line.startswith("| ")]
    assert models[2:] == ["a_float32", "a_int8", "b_int8"]
    assert "80.00" in text
    assert "FER+'s eight expressions, on the 3000 pictures" in text
    monkeypatch.setattr(update_readme.shipped_files, "BEST", tmp_path / "best.json")
    (tmp_path / "best.json").write_text(json.dumps({"armv7l": {"a": "a_int8"}, "x": {"c": "c_int8"}}))
    here = {"c": "c_int8", "a": "a_int8", "b": "b_int8"}
    assert update_readme.best(tmp_path) == {"armv7l": {"a": "a_int8"}, "x": here}
    (tmp_path / "shipped.json").write_text(json.dumps(result(row("a_int8", disturbed=True))))
    with pytest.raises(LookupError, match="busy"):
        update_readme.bench(tmp_path)


def test_readme_and_what_run_takes_agree_with_the_results_and_their_advice():
    shipped = json.loads((update_readme.RESULTS / "shipped.json").read_text())
    assert report.advice(shipped["results"]) == shipped["advice"]
    assert update_readme.bench(update_readme.RESULTS) in update_readme.README.read_text()
    assert update_readme.best(update_readme.RESULTS) == json.loads(
        update_readme.shipped_files.BEST.read_text()
    )


def test_picture_shows_our_quiet_rows_and_prefers_this_machines_peers(tmp_path):
    import plot  # and matplotlib

    rows = [row("a_float32", 0.5, 0.7), row("a_int8", 0.5, 0.6), row("a_int8", 0.4, 0.6, threads=2)]
    value = result(*rows, row("a_float16", accuracy=0.7), row("b_int8", disturbed=True))
    ours = plot.ours(value)
    assert [(p.label, p.ms, p.accuracy) for p in ours] == [("a_float32", 0.5, 70), ("a_int8", 0.5, 60)]
    peer = {"name": "x", "bytes": 2_000_000, "accuracy": 0.6, "p50_ms": 2.0, "measured_as": "here"}
    other = {"name": "y", "bytes": 1_000_000, "accuracy": 0.65, "p50_ms": 3.0, "chosen_on_test": True}
    here = {"rows": [{"name": "here", "latency_ms": {"p50": 1.5}, "accuracy": 0.61, "disturbed": False}]}
    x, y = plot.peers({"measured": [peer, other]}, here)
    assert (x.mb, x.ms, x.accuracy, x.hollow) == (2, 1.5, 61, False)
    assert (y.ms, y.accuracy, y.hollow) == (3, 65, True)
    points = [(1.0, 60.0), (0.5, 50.0), (2.0, 59.0), (1.0, 55.0), (3.0, 70.0), (0.5, 50.0)]
    assert plot.pareto_front(points) == [(0.5, 50.0), (1.0, 60.0), (3.0, 70.0)]
    plot.draw([*ours, x, y], "caption", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_crosscheck_allows_5_percent_of_the_plain_loop_and_10_of_the_second_tool():
    row = {"bench_ms": 1.049, "plain_ms": 1.0, "litert_ms": 1.0}
    others = ({}, {"plain_ms": 1.1, "litert_ms": 0.96}, {"litert_ms": None})
    assert all(crosscheck.agrees({**row, **other}) for other in others)
    assert not any(crosscheck.agrees({**row, **other}) for other in ({"bench_ms": 1.051}, {"litert_ms": 0.9}))


def test_results_say_of_which_commit_they_are(tmp_path):
    for name, time, commit in (("shipped", 10, "abc"), ("peers", 9, "ab"), ("loop", 11, "abc")):
        value = {"machine": {"time": f"2026-01-02T{time:02}:00:00+00:00", "commit": commit}}
        (tmp_path / f"{name}.json").write_text(json.dumps(value))
    first, second = "shipped, loop from 2026-01-02T10:00 on, commit abc", "peers from 2026-01-02T09:00 on"
    assert update_readme.origin(tmp_path) == f"{first}; {second}, commit ab"
