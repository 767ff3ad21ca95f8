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
        row = {"model": name, "format": known, "threads": threads, "bytes": 1000, "latency_ms": latency}
        row |= {"accuracy": accuracy, "macro_f1": accuracy, "agreement": None, "disturbed": False}
        rows.append(
            row | {"fps": 2000.0, "load_ms": 1.0, "first_ms": 1.0, "cpu_ms": 0.5, "peak_rss_mib": 50.0}
        )
    config = {"warmup": 1, "runs": 2, "data": None}
    return {"schema": 1, "machine": {"cpu": "A"}, "config": config, "results": rows}


def test_readme_gets_what_is_between_its_markers_and_nothing_else():
    text = "head\n<!-- bench -->\nold\n<!-- /bench -->\nmiddle <!-- loop --> without an end\n"
    got = script("update_readme").updated(text, {"bench": "new\n", "loop": "lost", "peers": "lost"})
    assert got == "head\n<!-- bench -->\nnew\n<!-- /bench -->\nmiddle <!-- loop --> without an end\n"


def test_readmes_table_has_one_thread_in_two_formats(shipped, tmp_path):
    (tmp_path / "shipped.json").write_text(json.dumps(shipped))
    parts = script("update_readme").read_parts(tmp_path)
    assert list(parts) == ["bench"]
    rows = [line.split(" | ")[0] for line in parts["bench"].splitlines() if line.startswith("| ")]
    assert rows == ["| model", "| ---", "| a_float32", "| a_int8", "| b_int8"]


def test_picture_shows_our_float32_and_int8_and_prefers_this_machines_peers(shipped, tmp_path):
    plot = script("plot")
    ours = plot.ours(shipped)
    assert [(point.label, point.ms, point.accuracy) for point in ours] == [
        ("a float32", 0.5, 70),
        ("a int8", 0.5, pytest.approx(69)),
    ]
    peer = {"name": "x", "bytes": 2_000_000, "accuracy": 0.6, "p50_ms": 2.0, "measured_as": "here"}
    other = {"name": "y", "bytes": 1_000_000, "accuracy": 0.5, "p50_ms": 3.0, "chosen_on_test": True}
    here = {"rows": [{"name": "here", "latency_ms": {"p50": 1.5}, "accuracy": 0.61}]}
    x, y = plot.peers({"measured": [peer, other]}, here)
    assert (x.mb, x.ms, x.accuracy, x.hollow) == (2, 1.5, 61, False)
    assert (y.ms, y.accuracy, y.hollow) == (3, 50, True)
    plot.draw([*ours, x, y], "caption", tmp_path / "p.png")
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def test_every_peers_figure_names_its_source():
    import tomllib

    for peer in tomllib.loads((BENCHMARKS / "peer_figures.toml").read_text())["measured"]:
        assert peer["source"].startswith("https://")
        assert 0.4 < peer["accuracy"] < 0.8
        assert peer["bytes"] > 10_000
