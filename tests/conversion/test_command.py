"""The two commands from outside; each start of TensorFlow takes seconds, so few and full runs."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fer_edge.conversion.command import Request, run
from fer_edge.errors import UsageError
from fer_edge.spec import Format

FAST = "calibration_samples = 70\nparity_pictures = 300\n"


def _fer_edge(folder: Path, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    code = "import sys; from fer_edge.cli import main; sys.argv[0] = 'fer-edge'; main()"
    kept = {key: value for key, value in os.environ.items() if not key.startswith("FER_EDGE")}
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**kept, **environment},
        check=False,
    )


def _limits(agreement: float) -> str:
    return f"agreement = {agreement}\naccuracy_loss = 0.01\nmean_abs_diff = 0.02\nmax_abs_diff = 0.9\n"


def test_what_passes_is_written_and_what_fails_ends_in_exit_3(tmp_path: Path, tiny: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text(
        f"{FAST}[float32]\n{_limits(0.99)}[int8]\nagreement = 0.0\nmax_abs_diff = 0.0\nmean_abs_diff = 1.0\n"
    )
    asked = ["convert", tiny, "--data", "drawn", "--recipe", recipe, "--out", "models"]
    done = _fer_edge(tmp_path, *asked, "--float32", "--int8", "--json", "-")
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1].startswith("fer-edge: int8 ")
    assert "differs by up to 0." in done.stderr
    assert "0 allowed: not written" in done.stderr
    result = json.loads(done.stdout)
    assert result["source"] == str(tiny)
    float32, int8 = result["outputs"]
    assert (float32["format"], float32["input_dtype"], float32["passed"]) == ("float32", "uint8", True)
    assert (int8["format"], int8["passed"]) == ("int8", False)
    assert {"path", "bytes", "ops", "agreement", "max_abs_diff", "accuracy", "accuracy_fp32"} <= set(int8)
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert names == ["tiny_float32.json", "tiny_float32.tflite"]
    assert "Traceback" not in done.stderr
    assert "oneDNN" not in done.stderr

    again = _fer_edge(tmp_path, *asked, "--float32")
    assert again.returncode == 1
    assert "models/tiny_float32.tflite exists already" in again.stderr

    file = tmp_path / "models" / "tiny_float32.tflite"
    proven = _fer_edge(tmp_path, "verify", file, tiny, "--recipe", recipe, FER_EDGE_DATA="drawn")
    assert (proven.returncode, proven.stderr) == (0, "")
    assert "100.00" in proven.stdout
    judged = _fer_edge(
        tmp_path, "verify", file, tiny, "--data", "drawn", "--recipe", recipe, "--format", "int8"
    )
    assert judged.returncode in {0, 3}
    unknown = _fer_edge(tmp_path, "verify", file, tiny, "--data", "drawn", "--format", "int9")
    assert unknown.returncode == 2
    assert "'int9': choose its limits with --format, from float32, float16" in unknown.stderr


def test_without_data_it_says_how(tmp_path: Path) -> None:
    for command in (["convert"], ["verify", "a.tflite", "b.keras"]):
        done = _fer_edge(tmp_path, *command)
        assert done.returncode == 2
        assert "give --data PATH" in done.stderr
        assert "FER_EDGE_DATA" in done.stderr
        assert len(done.stderr.splitlines()) == 1


def test_the_example_in_the_help(tmp_path: Path) -> None:
    for command in ("convert", "verify"):
        done = _fer_edge(tmp_path, command, "--help", COLUMNS="200")
        assert done.returncode == 0
        assert f"Example: fer-edge {command} " in done.stdout


def test_int8_after_training_is_explained_and_both_need_integers(tmp_path: Path, tiny: Path) -> None:
    recipe = tmp_path / "short.toml"
    loose = (
        "agreement = 0.5\naccuracy_loss = 0.5\nmean_abs_diff = 0.5\nmax_abs_diff = 1.0\nrecall_loss = 1.0\n"
    )
    recipe.write_text(f"{FAST}qat_steps = 2\nqat_batch = 8\n[int8]\n{loose}[float32]\n{loose}")
    request = Request(
        str(tiny), "drawn", (Format.INT8,), str(recipe), None, tmp_path / "out", None, 0, False, False
    )
    result = run(replace(request, qat=True, explain=True), None)
    (row,) = result["outputs"]
    assert row["passed"]
    assert [layer["kept"] for layer in row["layers"]][:2] == ["int8", "int8"]
    assert (tmp_path / "out" / "tiny_int8_layers.png").is_file()
    card = json.loads((tmp_path / "out" / "tiny_int8.json").read_text())
    assert card["recipe"]["conversion"]["qat_steps"] == 2
    for wrong, said in (
        (replace(request, formats=(Format.FLOAT32,), qat=True), "--qat is for integer files"),
        (replace(request, formats=(Format.FLOAT32,), explain=True), "--explain is for integer files"),
        (replace(request, qat=True, clusters=16, name="other"), "--qat moves every weight"),
    ):
        with pytest.raises(UsageError, match=said):
            run(wrong, None)
