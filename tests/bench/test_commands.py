"""`fer-edge bench` and `fer-edge evaluate` as a user runs them."""

import json

from processes import fer_edge


def test_bench_writes_all_forms_and_gates(models, tmp_path):
    model = models / "right_float32.tflite"
    common = ("bench", model, "--runs", "3", "--warmup", "0", "--patience", "0")
    forms = [part for kind in ("json", "csv", "markdown") for part in (f"--{kind}", tmp_path / f"b.{kind}")]
    done = fer_edge(*common, *forms, code=0)
    assert done.stderr == ""
    assert "right_float32" in done.stdout
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


def test_evaluate_prints_and_writes_what_is_right_and_refuses_in_a_line(models, faces, tmp_path):
    """The eight faces are PublicTest and PrivateTest of a fer2013.csv, three of them Training as well."""
    rows = ["emotion,pixels,Usage"]
    for usage, count in (("Training", 3), ("PublicTest", 8), ("PrivateTest", 8)):
        for image, label in zip(faces.images[:count], faces.labels[:count], strict=True):
            rows.append(f"{label},{' '.join(map(str, image.reshape(-1)))},{usage}")
    (tmp_path / "fer.csv").write_text("\n".join(rows) + "\n")
    cache = {"XDG_CACHE_HOME": str(tmp_path)}
    common = ("evaluate", models / "right_int8.tflite", "--data", tmp_path / "fer.csv")
    done = fer_edge(*common, "--json", "-", "--plot", tmp_path / "c.png", code=0, variables=cache)
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
        done = fer_edge(*common, *words.split(), code=code, variables=cache)
        assert (named in done.stderr, len(done.stderr.splitlines())) == (True, 1)
