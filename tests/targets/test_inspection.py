import dataclasses
import json
import re

import pytest
from tiny_models import one_operator, shipped_card, shipped_style
from typer.testing import CliRunner

from fer_edge.cli import application
from fer_edge.commands import inspect
from fer_edge.model import file, graph, shipped
from fer_edge.spec import USE


def test_a_file_of_ours(tiny):
    found = inspect.facts(tiny)
    (face,) = found["inputs"]
    assert face == {"name": "face", "dtype": "uint8", "shape": [1, 8, 8, 1], "scale": 1.0, "zero_point": 0}
    assert (found["outputs"][0]["dtype"], found["lacks"]) == ("float32", None)
    assert found["card"]["labels"] == ("happy", "sad", "so-so")
    assert list(found["ops"]) == ["DEQUANTIZE", "FULLY_CONNECTED", "QUANTIZE", "SOFTMAX"]
    assert found["ops"]["FULLY_CONNECTED"] == {"count": 1, "macs": 3 * 64, "weight_bytes": 3 * 64}
    assert (found["macs"], found["peak_bytes"]) == (3 * 64, 2 * 64)  # QUANTIZE: uint8 in, int8 out


def inspected(folder, data):
    path = folder / "tiny_int8.tflite"
    path.write_bytes(data)
    return inspect.facts(path)


X, Y, Z = ((name, (1, 4)) for name in "xyz")


@pytest.mark.parametrize(
    ("data", "operator", "lacks"),
    [
        (shipped_style(), "SOFTMAX", "no labels: .*--card"),
        (one_operator("CUSTOM", X, Y, custom="FlexErf"), "FlexErf", "FlexErf"),
        (one_operator("ADD", X, Z, Y), "ADD", "2 inputs"),
        (one_operator("RELU", ("x", (1, 4, 1025)), Y), "RELU", "larger than 1024"),
    ],
)
def test_a_foreign_file_is_told_what_it_lacks(tmp_path, data, operator, lacks):
    found = inspected(tmp_path, data)
    assert found["ops"][operator]["count"] == 1
    assert (found["card"], found["ships"]) == (None, False)
    assert re.search(lacks, found["lacks"])
    (tmp_path / "tiny_int8.json").touch()  # a card beside it
    assert ("no labels" in lacks) == (inspected(tmp_path, data)["lacks"] is None)


def test_command_escapes_what_a_stranger_wrote(tiny, tmp_path):
    card = file.card_in(tiny.read_bytes(), "")
    card = dataclasses.replace(card, name="\x1b]0;owned\x07", labels=("\x1b[31m", "b", "c"))
    path = tmp_path / "m.tflite"
    path.write_bytes(file.embed_card(tiny.read_bytes(), card))
    done = CliRunner().invoke(application(), ["inspect", str(path), "--json", "-"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)["macs"] == 192
    assert "FULLY_CONNECTED" in done.stderr
    assert "\x1b" not in done.output


def test_the_papers_network_has_the_macs_that_its_card_says():
    """Table 2 of the paper, 'same' padding: pixels x kernel x channels in x channels out."""
    path = shipped.find_model("tuned_float32")
    main = graph.read(path.read_bytes())[0]
    kernels = (7, 7, 5, 5, 3, 3, 3, 3, 3, 3)
    sides = (48, 48, 24, 24, 12, 12, 6, 6, 3, 3)
    channels = (1, 16, 16, 32, 32, 64, 64, 128, 128, 256, 7)
    shapes = zip(kernels, sides, channels[:-1], channels[1:], strict=True)
    wanted = [kernel**2 * side**2 * taken * given for kernel, side, taken, given in shapes]
    assert [layer.macs for layer in main.operators if layer.macs] == wanted
    assert json.loads(path.with_suffix(".json").read_text())["macs"] == main.macs == sum(wanted)
    assert main.peak_bytes == 2 * 48 * 48 * 16 * 4


def test_what_a_card_says_is_told_whatever_it_is(tmp_path):
    measured = {"accuracy": 0.5, "agreement": 10**400, "split": 3, "recall": {"angry": 0.25, "happy": "much"}}
    card = shipped_card("angry", "happy", "sad", measured=measured, use=USE)
    lines = inspect.lines(inspected(tmp_path, file.embed_card(shipped_style(), card)))
    assert {f"use      {USE}", "recall   angry 0.2500, happy much"} <= set(lines)
    assert any(line.startswith("measured accuracy 0.5000, agreement 1000") for line in lines)
