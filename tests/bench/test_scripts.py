"""The scripts in benchmarks/: what they put into the README, and what the picture shows."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def script(name):
    spec = importlib.util.spec_from_file_location(name, BENCHMARKS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def shipped():
    rows = []
    for name, known, threads, accuracy in (
        ("a_float32", "float32", 1, 0.7),
        ("a_int8", "int8", 1, 0.69),
        ("a_int8", "int8", 2, 0.69),
        ("a_float16", "float16", 1, 0.7),
        ("b_int8", "int8", 1, None),
    ):
        latency = dict.fromkeys(("min", "p50", "p50_low", "p50_high", "p90", "p99", "mean"), 0.5)
        row = {
            "model": name,
            "format": known,
            "macs": None,
            "threads": threads,
            "bytes": 1000,
            "latency_ms": latency,
        }
        row |= {"accuracy": accuracy, "macro_f1": accuracy, "agreement": None, "disturbed": False}
        rows.append(
            row | {"fps": 2000.0, "load_ms": 1.0, "first_ms": 1.0, "cpu_ms": 0.5, "peak_rss_mib": 50.0}
        )
    config = {"warmup": 1, "runs": 2, "processes": 2, "data": None}
    return {"schema": 1, "machine": {"cpu": "A"}, "config": config, "results": rows, "advice": []}


def test_readme_gets_what_is_between_its_markers_and_nothing_else():
    text = "head\n<!-- bench -->\nold\n<!-- /bench -->\nmiddle <!-- loop --> without an end\n"
    got = script("update_readme").updated(text, {"bench": "new\n", "loop": "lost", "peers": "lost"})
    assert got == "head\n<!-- bench -->\nnew\n<!-- /bench -->\nmiddle <!-- loop --> without an end\n"


def test_readmes_table_has_one_thread_in_three_formats(shipped, tmp_path):
    (tmp_path / "shipped.json").write_text(json.dumps(shipped))
    parts = script("update_readme").read_parts(tmp_path)
    assert list(parts) == ["bench", "advice"]
    rows = [line.split(" | ")[0] for line in parts["bench"].splitlines() if line.startswith("| ")]
    assert rows == ["| model", "| ---", "| a_float32", "| a_int8", "| b_int8"]


def test_picture_shows_our_quiet_rows_and_prefers_this_machines_peers(shipped, tmp_path):
    plot = script("plot")
    ours = plot.ours(shipped)
    assert [(point.label, point.ms, point.accuracy) for point in ours] == [
        ("a_float32", 0.5, 70),
        ("a_int8", 0.5, pytest.approx(69)),
    ]
    peer = {"name": "x", "bytes": 2_000_000, "accuracy": 0.6, "p50_ms": 2.0, "measured_as": "here"}
    other = {"name": "y", "bytes": 1_000_000, "accuracy": 0.5, "p50_ms": 3.0, "chosen_on_test": True}
    here = {"rows": [{"name": "here", "latency_ms": {"p50": 1.5}, "accuracy": 0.61, "disturbed": False}]}
    x, y = plot.peers({"measured": [peer, other]}, here)
    assert (x.mb, x.ms, x.accuracy, x.hollow) == (2, 1.5, 61, False)
    assert (y.ms, y.accuracy, y.hollow) == (3, 50, True)
    shipped["results"][0]["disturbed"] = True
    assert [point.label for point in plot.ours(shipped)] == ["a_int8"]
    plot.draw([*ours, x, y], "caption", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_every_peers_figure_names_its_source():
    import tomllib

    for peer in tomllib.loads((BENCHMARKS / "peer_figures.toml").read_text())["measured"]:
        assert peer["source"].startswith("https://")
        assert 0.4 < peer["accuracy"] < 0.8
        assert peer["bytes"] > 10_000


def test_readme_leaves_out_what_was_disturbed_and_takes_ferplus_own_accuracy(shipped, tmp_path):
    update = script("update_readme")
    shipped["results"][1]["disturbed"] = True
    (tmp_path / "shipped.json").write_text(json.dumps(shipped))
    judged = {"model": "b_int8", "accuracy": 0.8, "macro_f1": 0.5, "agreement": 0.99}
    ferplus = {"results": [judged], "config": {"data": {"n": 3000}}}
    (tmp_path / "ferplus.json").write_text(json.dumps(ferplus))
    text = update.bench(tmp_path)
    assert "a_int8" not in text
    (line,) = [line for line in text.splitlines() if line.startswith("| b_int8")]
    assert "80.00" in line
    assert "FER+'s eight expressions, on the 3000 pictures" in text
    for row in shipped["results"]:
        row["disturbed"] = True
    (tmp_path / "shipped.json").write_text(json.dumps(shipped))
    with pytest.raises(LookupError, match="busy"):
        update.bench(tmp_path)


def test_models_for_run_are_those_measured_on_a_quiet_machine(shipped, tmp_path, monkeypatch):
    update = script("update_readme")
    monkeypatch.setattr(update.shipped_files, "BEST", tmp_path / "best.json")
    (tmp_path / "best.json").write_text(json.dumps({"armv7l": {"a": "a_int8"}, "x": {"c": "c_int8"}}))
    shipped["machine"]["architecture"] = "x"
    for row in shipped["results"]:
        if row["model"] == "a_int8":
            row["latency_ms"] = {**row["latency_ms"], "p50": 0.1}
            row["accuracy"] = 0.696
    shipped["advice"] = []
    (tmp_path / "shipped.json").write_text(json.dumps(shipped))
    (tmp_path / "ferplus.json").write_text('{"results": [], "config": {"data": {"n": 1}}}')
    assert update.best(tmp_path) == {"armv7l": {"a": "a_int8"}, "x": {"c": "c_int8", "a": "a_int8"}}


def test_crosscheck_allows_5_percent_of_the_plain_loop_and_10_of_the_second_tool():
    agrees = script("crosscheck").agrees
    row = {"bench_ms": 1.05, "plain_ms": 1.0, "litert_ms": 1.0}
    assert agrees(row)
    assert not agrees({**row, "bench_ms": 1.06})
    assert agrees({**row, "plain_ms": 1.1, "litert_ms": 0.96})
    assert not agrees({**row, "litert_ms": 0.9})
    assert agrees({**row, "litert_ms": None})


def test_floor_and_operators_by_hand(models):
    limits = script("limits")
    data = (models / "right_float32.tflite").read_bytes()
    found, times = limits.operators_ms(data, "a model", runs=2)
    assert [layer.name for layer in found] == ["CAST", "RESHAPE", "FULLY_CONNECTED", "SOFTMAX"]
    assert len(times) == 4
    # 7 x 2304 multiply-accumulates in float32, a byte of weights for a quarter of each
    peak = {"float32": 1e-3, "int8": 1.0, "cache_gbs": 1e9}
    assert limits.floor_ms(found, peak) == pytest.approx(7 * 2304 / 1e6 * 1e3)
    weights = sum(layer.weight_bytes for layer in found)
    assert limits.floor_ms(found, {"float32": 1e9, "int8": 1e9, "cache_gbs": 1e-3}) == pytest.approx(
        weights / 1e3
    )
    limits.SIDE = 16
    (product,) = limits.layers(limits.graph.read(limits._product("int8"))[0])
    assert product.macs == 16**3


@pytest.mark.parametrize(
    ("frames", "worst_s"),
    [
        ([(0.0, 0, 0), (0.1, 0, 0)], None),
        ([(0.0, 0, 0), (0.1, 1, 0), (0.2, 1, 0), (0.4, 1, 1)], 0.3),
        ([(0.0, 0, 0), (0.1, 1, 0), (0.2, 0, 0), (0.3, 1, 0), (0.4, 1, 1)], 0.1),
        ([(0.0, 0, 0), (0.1, 1, 0), (0.6, 1, 1), (0.7, 0, 1), (0.8, 0, 0)], 0.5),
    ],
    ids=["no change", "third frame", "from the last run of the label", "the worst of two"],
)
def test_lag_runs_from_the_first_frame_that_says_the_label(frames, worst_s):
    from types import SimpleNamespace

    import numpy as np

    lag = script("detectors").LabelLag()
    for time_s, own, shown in frames:
        one_hot = np.eye(3)
        face = SimpleNamespace(
            track=1, label="abc"[shown], probabilities=one_hot[own], smoothed=one_hot[shown]
        )
        lag.add(SimpleNamespace(faces=(face,), frame=SimpleNamespace(time_s=time_s)))
    assert lag.worst_s == (None if worst_s is None else pytest.approx(worst_s))


def test_detectors_side_by_side(media, tmp_path):
    detectors = script("detectors")
    assert detectors.histogram([0, 2, 1, 1]) == {"0": 1, "1": 2, "2": 1}
    assert detectors.by_faces({"0": 1, "2": 4}) == "1, 0, 4"
    row = detectors.run(str(media / "neutral_to_smile.mp4"), "haar", "", 1, None)
    assert row["faces_in_frame"] == {"1": 72}
    assert row["tracks"] == 1
    assert 0 < row["label_lag_s"] <= 0.5
    speed, steady = detectors.tables([row])
    assert speed.rows[0][:3] == ("neutral_to_smile.mp4", "haar", "own")
    assert steady.rows[0][2:5] == ("0, 72", "0, 12", 1)
