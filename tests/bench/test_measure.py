"""Whole benchmarks of tiny models, whose accuracy is known."""

import json

import pytest

from fer_edge import evaluation
from fer_edge.bench import latency
from fer_edge.bench.measure import parse_threads, run
from fer_edge.errors import ModelError, UsageError

QUICK = {"threads": (1, 2), "warmup": 1, "runs": 4, "patience_s": 0}
ONE = {"warmup": 0, "runs": 1, "patience_s": 0}


@pytest.fixture
def selection(faces):
    return evaluation.Selection(faces, "official", "PrivateTest", None)


def test_result_has_the_designs_shape_and_the_right_accuracies(models, selection):
    got = run([models / "right_float32.tflite", models / "right_int8.tflite"], selection, **QUICK)
    assert list(got) == ["schema", "machine", "config", "reference", "advice", "results"]
    config, rows = got["config"], got["results"]
    assert (got["schema"], config["warmup"], config["runs"], config["data"]["n"]) == (1, 1, 4, 8)
    assert set(got["reference"]) == {"1", "2"}
    assert json.loads(json.dumps(got)) == got
    named = [(f"right_{known}", known, threads) for known in ("float32", "int8") for threads in (1, 2)]
    assert [(row["model"], row["format"], row["threads"]) for row in rows] == named
    stated = {
        *("model", "format", "bytes", "threads", "load_ms", "first_ms", "latency_ms", "cpu_ms", "disturbed"),
        *("fps", "peak_rss_mib", "accuracy", "macro_f1", "agreement"),
    }
    for row in rows:
        assert stated <= row.keys()
        assert row["bytes"] == (models / f"{row['model']}.tflite").stat().st_size
        times = row["latency_ms"]
        assert 0 < times["min"] <= times["p50_low"] <= times["p50"] <= times["p50_high"]
    right, wrong = rows[0], rows[2]
    assert (right["accuracy"], right["macro_f1"], right["agreement"]) == (1, 1, 1)
    # of eight pictures, two happy and one sad are taken for each other
    assert (wrong["accuracy"], wrong["macro_f1"], wrong["agreement"]) == (5 / 8, pytest.approx(5 / 7), 5 / 8)
    # Wilson's interval of 5 in 8 (Brown, Cai, DasGupta 2001 give the formula); of 8 in 8 its end is 1
    assert wrong["accuracy_interval"] == pytest.approx([0.3057, 0.8632], abs=1e-4)
    assert right["accuracy_interval"] == pytest.approx([0.6756, 1.0], abs=1e-4)


def test_without_data_or_float32_beside_it_or_with_other_expressions_these_are_null(
    models, elsewhere, selection, capsys
):
    rows = run([models / "right_int8.tflite", elsewhere, elsewhere], **ONE)["results"]
    assert [row["model"] for row in rows] == [str(models / "right_int8.tflite"), str(elsewhere)]  # one name
    unknown = ("accuracy", "accuracy_interval", "macro_f1", "agreement")
    assert {row[key] for row in rows for key in unknown} == {None}
    (row,) = run([elsewhere], selection, **ONE)["results"]
    assert (row["accuracy"], row["agreement"]) == (5 / 8, None)
    card = json.loads(elsewhere.with_suffix(".json").read_text())
    card["labels"][1] = "contempt"
    elsewhere.with_suffix(".json").write_text(json.dumps(card))
    results = run([elsewhere, models / "right_float32.tflite"], selection, **ONE)["results"]
    assert [(row["accuracy"], row["agreement"]) for row in results] == [(None, None), (1, 1)]
    assert "contempt" in capsys.readouterr().err


def test_damaged_and_missing_models_are_errors_of_a_line(tmp_path):
    (tmp_path / "bad.tflite").write_bytes(b"not a model")
    with pytest.raises(ModelError, match=r"bad\.tflite"):
        run([tmp_path / "bad.tflite"], **QUICK)
    with pytest.raises(UsageError, match="no model"):
        run([], **QUICK)
    with pytest.raises(ModelError, match=r"^[^\n]*absent[^\n]*$"):
        latency.loaded(latency.Row(str(tmp_path / "absent.tflite"), 1))


def test_threads():
    assert [parse_threads(text) for text in ("1", "1,2", "2, 1,2")] == [(1,), (1, 2), (2, 1)]
    for text in ("", "0", "1,", "-1", "two", "1.5"):
        with pytest.raises(UsageError, match="--threads"):
            parse_threads(text)
