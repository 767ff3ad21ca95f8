"""Whole benchmarks of tiny models, whose accuracy is known."""

import json
from pathlib import Path

import pytest

from fer_edge import evaluation
from fer_edge.bench import latency
from fer_edge.bench.measure import Config, parse_threads, run
from fer_edge.errors import ModelError, UsageError

QUICK = Config(threads=(1, 2), warmup=1, runs=4, patience_s=0)
ONE = Config(warmup=0, runs=1, patience_s=0)


def test_result_has_the_designs_shape_and_the_right_accuracies(models, faces):
    selection = evaluation.Selection(faces, "official", "PrivateTest", None)
    got = run([models / "right_float32.tflite", models / "right_int8.tflite"], QUICK, selection)
    assert list(got) == ["schema", "machine", "config", "reference", "advice", "results"]
    assert got["schema"] == 1
    assert got["config"]["warmup"] == 1
    assert got["config"]["runs"] == 4
    assert got["config"]["data"]["n"] == 8
    assert json.loads(json.dumps(got)) == got
    assert [(row["model"], row["format"], row["threads"]) for row in got["results"]] == [
        ("right_float32", "float32", 1),
        ("right_float32", "float32", 2),
        ("right_int8", "int8", 1),
        ("right_int8", "int8", 2),
    ]
    for row in got["results"]:
        assert {
            *("model", "format", "bytes", "threads", "load_ms", "first_ms", "latency_ms", "cpu_ms"),
            *("disturbed", "fps", "peak_rss_mib", "accuracy", "macro_f1", "agreement"),
        } <= row.keys()
        assert row["bytes"] == (models / f"{row['model']}.tflite").stat().st_size
        latency = row["latency_ms"]
        assert 0 < latency["min"] <= latency["p50"] <= latency["p90"] <= latency["p99"]
        assert latency["p50_low"] <= latency["p50"] <= latency["p50_high"]
    right, wrong = got["results"][0], got["results"][2]
    assert (right["accuracy"], right["macro_f1"], right["agreement"]) == (1, 1, 1)
    # of eight pictures, two happy and one sad are taken for each other
    assert wrong["accuracy"] == 5 / 8
    assert wrong["macro_f1"] == pytest.approx(5 / 7)
    assert wrong["agreement"] == 5 / 8
    # Wilson's interval of 5 in 8 (Brown, Cai, DasGupta 2001 give the formula); of 8 in 8 its end is 1
    assert wrong["accuracy_interval"] == pytest.approx([0.3057, 0.8632], abs=1e-4)
    assert wrong["agreement_interval"] == wrong["accuracy_interval"]
    assert right["accuracy_interval"] == pytest.approx([0.6756, 1.0], abs=1e-4)
    assert right["macro_f1_interval"][1] == 1
    # a class of one picture, or of two that fared alike, cannot be drawn otherwise
    assert wrong["macro_f1_interval"] == pytest.approx([5 / 7, 5 / 7])


def test_without_data_and_without_float32_beside_it_these_are_null(models, faces, tmp_path):
    alone = tmp_path / "right_int8.tflite"
    alone.write_bytes((models / "right_int8.tflite").read_bytes())
    alone.with_suffix(".json").write_text((models / "right_int8.json").read_text())
    (row,) = run([alone, alone], ONE)["results"]
    assert (row["accuracy"], row["macro_f1"], row["agreement"]) == (None, None, None)
    assert (row["accuracy_interval"], row["macro_f1_interval"]) == (None, None)
    selection = evaluation.Selection(faces, "official", "PrivateTest", None)
    (row,) = run([alone], ONE, selection)["results"]
    assert (row["accuracy"], row["agreement"]) == (5 / 8, None)


def test_files_of_one_name_are_told_apart(models, tmp_path):
    other = tmp_path / "right_int8.tflite"
    other.write_bytes((models / "right_int8.tflite").read_bytes())
    other.with_suffix(".json").write_text((models / "right_int8.json").read_text())
    paths = [models / "right_int8.tflite", other]
    assert [row["model"] for row in run(paths, ONE)["results"]] == [str(p) for p in paths]


def test_damaged_and_missing_models_are_errors(tmp_path):
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.tflite"):
        run([bad], QUICK)
    with pytest.raises(UsageError, match="no model"):
        run([], QUICK)


def test_childs_failure_comes_back_in_a_line(tmp_path):
    with pytest.raises(ModelError) as e:
        latency.loaded(latency.Row(tmp_path / "absent.tflite", 1, None))
    assert "absent" in str(e.value)
    assert "\n" not in str(e.value)


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="this system has no VmHWM")
def test_peak_memory_is_the_childs_own(models):
    """A parent of 300 MiB more must not show in the child's figure, as it would in ru_maxrss."""
    row = latency.Row(models / "right_float32.tflite", 1, None)
    small = latency.loaded(row)["peak_rss_mib"]
    ballast = bytearray(300 << 20)
    ballast[::4096] = b"x" * len(ballast[::4096])
    large = latency.loaded(row)["peak_rss_mib"]
    assert abs(large - small) < 20
    assert 10 < small < 300


@pytest.mark.parametrize(("text", "expected"), [("1", (1,)), ("1,2", (1, 2)), ("2, 1,2", (2, 1))])
def test_threads(text, expected):
    assert parse_threads(text) == expected


@pytest.mark.parametrize("text", ["", "0", "1,", "-1", "two", "1.5"])
def test_threads_that_are_none(text):
    with pytest.raises(UsageError, match="--threads"):
        parse_threads(text)


def test_a_model_of_other_expressions_gets_no_accuracy_and_a_warning(models, faces, tmp_path, capsys):
    other = tmp_path / "other_int8.tflite"
    other.write_bytes((models / "right_int8.tflite").read_bytes())
    card = json.loads((models / "right_int8.json").read_text())
    card["labels"][1] = "contempt"
    other.with_suffix(".json").write_text(json.dumps(card))
    selection = evaluation.Selection(faces, "official", "PrivateTest", None)
    results = run([other, models / "right_int8.tflite"], ONE, selection)["results"]
    assert [row["accuracy"] for row in results] == [None, 5 / 8]
    assert results[0]["agreement"] is None
    assert "contempt" in capsys.readouterr().err
