"""The two commands from outside; each start of TensorFlow takes seconds, so few and full runs."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from processes import fer_edge
from tiny_models import shipped_style

from fer_edge.conversion import command, formats
from fer_edge.errors import UsageError
from fer_edge.spec import LABELS

FAST = "calibration_samples = 70\nparity_pictures = 300\n"


def test_what_passes_is_written_and_what_fails_ends_in_exit_3(tmp_path, tiny):
    recipe = tmp_path / "mine.toml"
    recipe.write_text(f"{FAST}[int8]\nagreement = 0.0\nmax_abs_diff = 0.0\nmean_abs_diff = 1.0\n")
    asked = ["convert", tiny, "--data", "drawn", "--recipe", recipe, "--out", "models"]
    done = fer_edge(*asked, "--float32", "--int8", "--json", "-", cwd=tmp_path)
    assert done.returncode == 3
    assert done.stderr.splitlines()[-1] == "fer-edge: int8 failed and not written"
    row = next(line for line in done.stderr.splitlines() if "largest difference" in line)
    assert row.split()[:3] == ["int8", "largest", "difference"]
    assert row.endswith(", required at most 0")
    result = json.loads(done.stdout)
    assert result["source"] == str(tiny)
    float32, int8 = result["outputs"]
    assert (float32["format"], float32["input_dtype"], float32["passed"]) == ("float32", "uint8", True)
    assert (int8["format"], int8["passed"]) == ("int8", False)
    assert {"path", "bytes", "ops", "agreement", "max_abs_diff", "accuracy", "accuracy_fp32"} <= set(int8)
    names = sorted(path.name for path in (tmp_path / "models").iterdir())
    assert names == ["tiny_float32.json", "tiny_float32.tflite"]
    assert ("Traceback" in done.stderr, "oneDNN" in done.stderr) == (False, False)

    again = fer_edge(*asked, "--float32", cwd=tmp_path, code=1)
    assert "models/tiny_float32.tflite exists already" in again.stderr

    file = tmp_path / "models" / "tiny_float32.tflite"
    data = {"FER_EDGE_DATA": "drawn"}
    proven = fer_edge("verify", file, tiny, "--recipe", recipe, cwd=tmp_path, variables=data, code=0)
    assert (proven.stderr, "100.00" in proven.stdout) == ("", True)


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (["convert"], 2, "give --data PATH"),
        (["verify", "nano_int8", "nano"], 2, "FER_EDGE_DATA"),
        (["convert", "absent.keras", "--data", "drawn"], 1, "there is no file absent.keras"),
        (["convert", "tuned", "--data", "absent.csv"], 1, "absent.csv"),
        (["convert", "tuned", "--data", "drawn", "--name", "../out"], 2, "--name ../out is a path"),
        (["convert", "tuned", "--data", "drawn", "--float32", "--qat"], 2, "--qat is for integer files"),
        (["convert", "tuned", "--data", "drawn", "--recipe", "absent"], 2, "no convert recipe 'absent'"),
    ],
)
def test_what_cannot_be_is_said_at_once_and_leaves_nothing(tmp_path, asked, code, said):
    asked = [*asked, "--out", "new"] if asked[0] == "convert" else asked
    done = fer_edge(*asked, cwd=tmp_path, variables={"PYTHONPROFILEIMPORTTIME": "1"})
    lines = [line for line in done.stderr.splitlines() if not line.startswith("import time:")]
    assert (done.returncode, len(lines)) == (code, 1)
    assert said in lines[0]
    assert "| tensorflow\n" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_card_without_a_format_is_said(tmp_path):
    (tmp_path / "m.tflite").write_bytes(shipped_style(7))
    (tmp_path / "m.json").write_text(json.dumps({"labels": LABELS, "output": {"content": "probabilities"}}))
    with pytest.raises(UsageError, match=r"m\.tflite names no format: add"):
        command.verify(command.Request("nano", "drawn"), str(tmp_path / "m.tflite"), None, None)


def test_qat_of_a_pruned_network_is_in_its_card(tmp_path, tiny):
    recipe = tmp_path / "short.toml"
    loose = "agreement = 0.3\naccuracy_loss = 0.9\nmean_abs_diff = 0.9\nmax_abs_diff = 1\nrecall_loss = 1\n"
    short = "steps = 2\nqat_steps = 2\nbatch = 8\nrate = 1e-9\nqat_rate = 1e-9\n"
    recipe.write_text(f"{FAST}{short}[int8]\n{loose}[compressed]\n{loose}")
    how = formats.read(recipe, qat=True, sparsity=0.2)
    request = command.Request(str(tiny), "drawn", how, formats=("int8",), out=tmp_path / "out")
    (row,) = command.convert(request, None)["outputs"]
    assert row["passed"]
    said = json.loads((tmp_path / "out" / "tiny_int8.json").read_text())["recipe"]["conversion"]
    assert (said["sparsity"], said["steps"], said["qat_steps"]) == (0.2, 2, 2)
    assert said["thresholds"]["agreement"] == 0.3


@pytest.mark.parametrize(("right", "warned"), [(60, True), (80, False)])
def test_a_network_at_chance_is_warned_of(right, warned, capsys):
    labels = np.repeat(np.arange(4), 50)  # always naming one is right on 25 %, by chance on up to 31 %
    named = np.where(np.arange(200) < right, labels, (labels + 1) % 4)
    pictures = SimpleNamespace(dataset=SimpleNamespace(labels=labels))
    command._warn_of_chance(SimpleNamespace(probabilities=np.eye(4)[named], pictures=pictures))
    assert ("and always answering the most frequent expression 25.0%" in capsys.readouterr().err) is warned
