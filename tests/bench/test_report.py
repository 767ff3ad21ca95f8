"""Tables, picture and advice of a benchmark, what it says beside an older one, and what scripts publish."""

import csv
import io
import json

import crosscheck
import pytest
import update_readme

from fer_edge.bench import report
from fer_edge.errors import DataError, GateError, OutputError
from fer_edge.spec import split_name


def row(model="paper_dynamic_range", p50=0.41, accuracy=0.69312, disturbed=False, **changes):
    latency = {"min": 0.4, "p50": p50, "p50_low": 0.405, "p50_high": 0.42, "p90": 0.5, "p99": 12.3}
    it = {"model": model, "format": split_name(model)[1], "bytes": 2_570_000, "threads": 1, "load_ms": 3.2}
    it |= {"first_ms": 0.6, "latency_ms": {**latency, "mean": 0.43}, "cpu_ms": 0.42, "disturbed": disturbed}
    it |= {"fps": 1000 / p50, "peak_rss_mib": 57.4, "macro_f1": 0.67, "agreement": None}
    return it | {"accuracy": accuracy, "accuracy_interval": accuracy and [0.678, 0.708], **changes}


def result(*rows):
    rows = list(rows) or [row()]
    machine = {"cpu": "A processor", "system": "Linux", "interpreter": "ai-edge-litert 2.3.0"}
    machine |= {"architecture": "x", "board": None, "usable_cores": 2}
    data = {"n": 3589, "split": "PrivateTest", "protocol": "official", "sha256": "ab"}
    config = {"warmup": 5, "runs": 10, "processes": 10, "data": data}
    told = {"schema": 1, "machine": machine, "config": config, "reference": {"1": {"best_ms": 1.0}}}
    return told | {"advice": report.advice(rows), "results": rows}


def test_no_column_is_empty_and_speed_up_is_against_the_networks_float32_on_as_many_threads():
    headers = report.table(result(row(accuracy=None, macro_f1=None, peak_rss_mib=None))).headers
    assert {"acc %", "F1 %", "MiB", "agree %", "speed-up", "thr"}.isdisjoint(headers)
    assert "load ms" in headers
    rows = [row("a_float32", 1.0), row("a_int8", 0.4), row("a_int8", 0.2, threads=2), row("b_int8", 0.1)]
    found = report.table(result(*rows))
    column = list(found.headers).index("speed-up")
    assert [cells[column] for cells in found.rows] == ["1.0", "2.5", None, None]


def test_csv_has_every_figure_and_markdown_the_notes():
    (line,) = csv.DictReader(io.StringIO(report.csv(result())))
    assert line["model"] == "paper_dynamic_range"
    assert (float(line["latency_p99_ms"]), float(line["latency_p50_low_ms"])) == (12.3, 0.405)
    assert (line["agreement"], line["disturbed"], line["accuracy_low"]) == ("", "False", "0.678")
    text = report.table(result(row(disturbed=True))).markdown()
    header, _, line = (text.strip("| ").split(" | ") for text in text.splitlines()[:3])
    wanted = {"model": "paper_dynamic_range", "size": "2.57 MB", "p50 ms": r"0.410\*", "min": "0.400"}
    wanted |= {"acc %": "69.31", "MiB": "57"}
    assert wanted.items() <= dict(zip(header, line, strict=True)).items()
    assert "A processor, Linux, ai-edge-litert 2.3.0" in text
    on = "3589 pictures (PrivateTest, protocol official)"
    assert f"{on}: the 95 % interval of 69.3 % is 67.8 to 70." in text
    assert ("busy" in text, "busy" in report.table(result()).markdown()) == (True, False)


def test_advice_is_the_fastest_within_half_a_point_of_the_best(capsys):
    rows = [
        row("a_float32", 1.0, 0.700),
        row("a_int8", 0.3, 0.695),  # just near enough
        row("a_dynamic_range", 0.2, 0.694),
        row("b_int8", 0.1, None, card_accuracy=0.6),
        row("c_int8", 0.1, None, card_accuracy=None),
        row("d_float32", 0.5, 0.6),
        row("d_int8", 0.4, 0.6, disturbed=True),
    ]
    a, b, d = report.advice(rows)
    told = {"network": "a", "model": "a_int8", "threads": 1, "p50_ms": 0.3, "disturbed": False}
    assert a == {**told, "accuracy": 0.695, "best_accuracy": 0.7}
    assert (b["model"], d["model"], d["disturbed"]) == ("b_int8", "d_int8", True)
    report.advice_table(result(*rows)).show()
    *_, last, cards, note = capsys.readouterr().out.splitlines()
    assert last.split() == ["d", "d_int8", "1", "0.400*", "60.00", "60.00"]
    assert ("not measured here" in cards, "busy" in note) == (True, True)
    report.advice_table(result(row("x", accuracy=None))).show()
    assert "give --data" in capsys.readouterr().out


def test_picture_has_quiet_times_alone_and_all_sizes(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    seen, save = [], Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda self, *a, **k: seen.append(self) or save(self, *a, **k))
    busy = row("a_int8", accuracy=None, card_accuracy=0.5, disturbed=True)
    unknown = row("b", accuracy=None)
    report.draw(result(row("a_float32", accuracy=0.6), busy, unknown), tmp_path / "p.png")
    assert [len(axes.collections) for axes in seen[0].axes] == [1, 2]
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(OutputError, match="no accuracy to plot"):
        report.draw(result(unknown), tmp_path / "q.png")


def benchmark(p50=1.0, accuracy=0.66, **changes):
    figures = {"bytes": 1000, "peak_rss_mib": 50.0, "macro_f1": accuracy, "agreement": 1.0, **changes}
    return result(row("tuned_int8", p50, accuracy, **figures))


def verdicts(old, new):
    return {change.figure: change.verdict for change in report.changes(old, new, 0.1)}


@pytest.mark.parametrize(
    ("change", "figure", "verdict"),
    [
        ({"p50": 1.09}, "p50_ms", "same"),
        ({"p50": 1.11}, "p50_ms", "regression"),
        ({"p50": 0.89}, "p50_ms", "better"),
        ({"bytes": 1101}, "bytes", "regression"),
        ({"peak_rss_mib": 56.0}, "peak_rss_mib", "regression"),
        ({"accuracy": 0.656}, "accuracy", "same"),
        ({"accuracy": 0.654}, "accuracy", "regression"),
        ({"accuracy": 0.67}, "macro_f1", "better"),
    ],
)
def test_verdicts(change, figure, verdict):
    found = verdicts(benchmark(), benchmark(**change))
    assert (len(found), found[figure]) == (6, verdict)


def test_gate_passes_what_is_the_same_and_names_regressions_and_exits_3(capsys):
    report.show_changes(benchmark(), benchmark(), 0.1)
    report.show_changes(benchmark(), benchmark() | {"config": {"data": None}}, 0.1)
    assert "accuracies are not compared" in capsys.readouterr().err
    said = "2 of 6 figures are worse: tuned_int8 p50_ms, tuned_int8 bytes"
    with pytest.raises(GateError, match=said) as e:
        report.show_changes(benchmark(), benchmark(p50=1.5, bytes=1200), 0.1)
    assert e.value.exit_code == 3


@pytest.mark.parametrize(
    ("part", "change", "absent"),
    [
        ("machine", {"cpu": "B"}, {"p50_ms", "peak_rss_mib"}),
        ("results", {"disturbed": True}, {"p50_ms"}),
        ("data", {"split": "PublicTest"}, {"accuracy", "macro_f1", "agreement"}),
        ("data", {"sha256": "cd"}, {"accuracy", "macro_f1", "agreement"}),
        ("data", {"n": 300}, {"accuracy", "macro_f1", "agreement"}),
    ],
    ids=["another machine", "busy", "split", "pictures", "number"],
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
    pair[0]["results"][0]["threads"] = 2  # no row is in both
    assert not verdicts(*pair)


BAD = {"schema": 2}, {"results": [{"model": "m"}]}


@pytest.mark.parametrize("text", ["", "[1, 2]", "{}", *(json.dumps(result() | bad) for bad in BAD)])
def test_what_is_no_benchmark_is_refused_in_a_line(tmp_path, text):
    path = tmp_path / "old.json"
    with pytest.raises(DataError, match="No such file"):
        report.read(path)
    path.write_text(text)
    with pytest.raises(DataError, match=rf"^{path}[^\n]*$"):
        report.read(path)
    path.write_text(json.dumps(benchmark()))
    assert report.read(path) == benchmark()


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
    best = json.loads(update_readme.shipped_files.BEST.read_text())
    assert update_readme.best(update_readme.RESULTS) == best


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
