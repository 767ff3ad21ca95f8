"""Benchmarks of tiny models of known accuracy, of the loop, and of made-up clocks; none asserts a speed."""

import io
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from processes import fer_edge
from rich.console import Console
from tiny_models import shipped_style

from fer_edge import evaluation, machine
from fer_edge.bench import latency, loop
from fer_edge.bench.measure import UNKNOWN, parse_threads, run
from fer_edge.data.dataset import Dataset
from fer_edge.errors import ModelError, UsageError
from fer_edge.model.shipped import find_model
from fer_edge.spec import LABELS

QUICK = {"threads": (1, 2), "warmup": 1, "runs": 4, "patience_s": 0}
ONE = {"warmup": 0, "runs": 1, "patience_s": 0}


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder with right_float32.tflite, right_int8.tflite (takes happy for sad and back), with cards. The
    class is the brightest of the first seven pixels."""
    folder = tmp_path_factory.mktemp("models")
    swapped = ("angry", "disgust", "fear", "sad", "happy", "surprise", "neutral")
    for name, labels in (("right_float32", LABELS), ("right_int8", swapped)):
        (folder / f"{name}.tflite").write_bytes(shipped_style(7))
        card = {"labels": list(labels), "output": {"content": "probabilities"}}
        (folder / f"{name}.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def faces():
    """Eight pictures that say their label in their first row: each class once, and happy twice."""
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 3])
    images = np.zeros((8, 48, 48), np.uint8)
    images[range(8), 0, labels] = 255
    images[:, 20, 20] = range(8)  # no two alike
    return Dataset(images, labels, np.full(8, 2, np.uint8), np.arange(1, 9), path="faces.csv", sha256="ab")


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


def test_figures_that_cannot_be_known_are_null(models, selection, tmp_path, capsys):
    """Without data, without float32 beside it, and of other expressions."""
    elsewhere = tmp_path / "right_int8.tflite"
    for suffix in (".tflite", ".json"):
        shutil.copy(models / f"right_int8{suffix}", tmp_path)
    twice = [models / "right_float32.tflite", models / "right_int8.tflite", elsewhere, elsewhere]
    rows = run(twice, **ONE)["results"]
    wanted = [f"{models}/right_float32", f"{models}/right_int8", f"{tmp_path}/right_int8"]
    assert [row["model"] for row in rows] == wanted  # of two networks
    assert {row[key] for row in rows for key in UNKNOWN} == {None}
    for _ in range(2):
        (row,) = run([elsewhere], selection, **ONE)["results"]
        assert (row["accuracy"], row["agreement"]) == (5 / 8, None)
        shutil.copy(models / "right_float32.tflite", tmp_path)  # beside it, but without its card
    assert "right_float32.tflite" in capsys.readouterr().err
    card = json.loads(elsewhere.with_suffix(".json").read_text())
    card["labels"][1] = "contempt"
    elsewhere.with_suffix(".json").write_text(json.dumps(card))
    results = run([elsewhere, models / "right_float32.tflite"], selection, **ONE)["results"]
    assert [(row["accuracy"], row["agreement"]) for row in results] == [(None, None), (1, 1)]
    assert "contempt" in capsys.readouterr().err


def test_missing_models_are_errors_of_a_line(tmp_path):
    with pytest.raises(UsageError, match="no model"):
        run([], **QUICK)
    with pytest.raises(ModelError, match=r"^[^\n]*absent[^\n]*$"):
        run([tmp_path / "absent.tflite"], **QUICK)


def test_threads():
    assert [parse_threads(text) for text in ("1", "1,2", "2, 1,2")] == [(1,), (1, 2), (2, 1)]
    for text in ("", "0", "1,", "-1", "two", "1.5"):
        with pytest.raises(UsageError, match="--threads"):
            parse_threads(text)


def test_bench_writes_all_forms_and_gates(models, tmp_path):
    model = models / "right_float32.tflite"
    common = ("bench", model, "--runs", "3", "--warmup", "0", "--patience", "0")
    forms = [part for kind in ("json", "csv", "markdown") for part in (f"--{kind}", tmp_path / f"b.{kind}")]
    done = fer_edge(*common, *forms, code=0)
    assert ("right_float32" in done.stdout, done.stderr) == (True, "")
    assert (tmp_path / "b.csv").read_text().count("\n") == 2
    assert (tmp_path / "b.markdown").read_text().startswith("| model")
    assert "--force" in fer_edge(*common, *forms, code=1).stderr

    old = json.loads((tmp_path / "b.json").read_text())
    # A past that no file is as small as, and any machine, however busy, is quicker than.
    old["results"][0] |= {"bytes": 10, "peak_rss_mib": 1e6}
    old["results"][0]["latency_ms"]["p50"] = 1e6
    (tmp_path / "old.json").write_text(json.dumps(old))
    worse = fer_edge(*common, "--compare", tmp_path / "old.json", "--json", "-", code=3)
    assert "are worse: right_float32 bytes" in worse.stderr
    assert json.loads(worse.stdout)["schema"] == 1  # nothing else on standard output


def test_evaluate_prints_and_writes_what_is_right_and_refuses_in_a_line(models, faces, tmp_path, own_cache):
    """The eight faces are PublicTest and PrivateTest of a fer2013.csv, three of them Training as well."""
    rows = ["emotion,pixels,Usage"]
    for usage, count in (("Training", 3), ("PublicTest", 8), ("PrivateTest", 8)):
        for image, label in zip(faces.images[:count], faces.labels[:count], strict=True):
            rows.append(f"{label},{' '.join(map(str, image.reshape(-1)))},{usage}")
    (tmp_path / "fer.csv").write_text("\n".join(rows) + "\n")
    common = ("evaluate", models / "right_int8.tflite", "--data", tmp_path / "fer.csv")
    done = fer_edge(*common, "--json", "-", "--plot", tmp_path / "c.png", code=0)
    got = json.loads(done.stdout)
    assert (got["model"], got["data"]["split"], got["data"]["n"]) == ("right_int8", "PrivateTest", 8)
    assert got["accuracy"] == 5 / 8
    assert got["accuracy_without_duplicates"] == 2 / 5  # faces 0 to 2 are in Training, and were right
    assert got["per_class"]["sad"]["recall"] == 0
    assert got["confusion_matrix"][3] == [0, 0, 0, 0, 2, 0, 0]
    assert "5 of 8" in done.stderr
    assert (tmp_path / "c.png").read_bytes().startswith(b"\x89PNG")
    refused = {"--tta rotate": (2, "flip"), "--split PublicTest+Test": (2, "no split 'Test'")}
    refused |= {"--protocol kaggle": (2, "official"), "--card absent.json": (1, "absent.json")}
    for words, (code, named) in refused.items():
        done = fer_edge(*common, *words.split(), code=code)
        assert (named in done.stderr, len(done.stderr.splitlines())) == (True, 1)
    fer_edge(*common, "--json", tmp_path / "r.json", "--plot", "/dev/full", code=1)
    assert (tmp_path / "r.json").exists()  # what was measured is not lost with the plot
    for words, on in ("--split Test", "data"), ("--protocol random", "data"), ("--detector haar", "loop"):
        assert f"--{on}" in fer_edge("bench", "nano_int8", *words.split(), code=2).stderr


@pytest.mark.parametrize(
    ("size", "inside"),
    [((160, 90), np.s_[30:210]), ((100, 200), np.s_[:, 100:220])],
    ids=["doubled, 30 rows of black above and below", "120 wide, from 100 to 220"],
)
def test_frames_keep_their_proportions_between_black_bars(size, inside):
    got = loop.framed(np.full((size[1], size[0], 3), 200, np.uint8), (320, 240))
    assert got.shape == (240, 320, 3)
    assert (got[inside] == 200).all()
    got[inside] = 0
    assert not got.any()


def test_the_middle_run_is_told_and_disturbed_if_any_was(monkeypatch):
    runs = iter([{"fps": fps, "disturbed": fps == 30} for fps in (30, 10, 20)])
    monkeypatch.setattr(loop, "resized", lambda *_: None)
    monkeypatch.setattr(loop.child, "run", lambda *_, **how: next(runs))
    value = loop.run(Path("clip.mp4"), find_model("tuned_int8"), rounds=3, sizes=[(320, 240)])
    assert value["loop"]["rows"] == [{"width": 320, "height": 240, "fps": 20, "disturbed": True}]


def test_a_real_run(media):
    given = {"detector": "haar", "rounds": 1, "sizes": ((320, 240),)}
    value = loop.run(media / "neutral_to_smile.mp4", find_model("tuned_int8"), **given)
    (row,) = value["loop"]["rows"]
    assert (row["width"], row["height"], row["frames"]) == (320, 240, 72)
    assert {"read", "detect", "crop", "classify", "draw", "write", "other"} == row["stages_ms"].keys()
    assert sum(row["stages_ms"].values()) == pytest.approx(1000 / row["fps"])
    assert 30 < row["peak_rss_mib"] < 300
    del row["stages_ms"]["crop"], row["stages_ms"]["write"]  # as where no face was found
    Console(file=(out := io.StringIO()), width=80).print(loop.table(value).on_terminal(80))
    assert "…" not in out.getvalue()
    assert {"320x240", "detect", "classify", "fps"} <= set(out.getvalue().split())


def answers(references):
    """A `start` that gives, one after the other, processes with these references: one block each, ms. The
    model takes ten times as long: 10 ms where nothing disturbs."""
    turns = iter(references)

    def start(runs, order):
        reference = next(turns)
        blocks = reference if isinstance(reference, list) else [reference]
        return {"wall_ms": [[10.0 * blocks[0]] * runs], "cpu_ms": [1.0], "reference_ms": blocks}

    return start


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
def test_disturbed_processes_are_repeated(monkeypatch, references, how, processes, quiet, p50, ends):
    given = {"wanted": 4, "patience_s": 60.0, "others": False, **how}
    clocks = ((n, 10.0 * n * given["others"]) for n in itertools.count())
    monkeypatch.setattr(machine, "_clocks", clocks.__next__)
    settings = {"processes": given["wanted"], "patience_s": given["patience_s"]}
    (row,), told = latency.measured(answers(references), 5 * given["wanted"], **settings)
    own_ms = [max(one) if isinstance(one, list) else one for one in references[:processes]]
    assert told == {"best_ms": 1.0, "process_ms": own_ms, "processes": processes, "quiet": quiet}
    assert row["disturbed"] is (2 * quiet < given["wanted"])
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
