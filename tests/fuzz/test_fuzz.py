"""Some inputs of each kind and all that was found before; `make fuzz` tries thousands and keeps its finds."""

import hashlib
import importlib.util
import time

import pytest

from fuzz.harness import FINDS, OUTCOMES, generated, kinds, tried

FEW = {"tflite": 12, "keras": 10, "checkpoint": 20, "tree": 100}
NEEDS_KERAS = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs Keras")
SLOW = ("keras", "checkpoint", "tflite")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow, NEEDS_KERAS] if name in SLOW else []) for name in kinds()],
)
def test_damaged_input_is_refused_in_a_line_or_read_rightly(name, pytestconfig, capsys):
    asked, seed, began = pytestconfig.getoption("inputs"), pytestconfig.getoption("seed"), time.monotonic()
    new, found = range(asked or FEW.get(name, 200)), sorted((FINDS / name).glob("*"))
    inputs = list(map(str, (*found, *new)))
    counts, faults = tried(name, inputs, seed)
    if asked:
        cells = name, f"{asked:,}", *(f"{counts[outcome]:,}" for outcome in OUTCOMES)
        with capsys.disabled():
            print(f"\n| {' | '.join(cells)} | {time.monotonic() - began:.0f} |")
        for data in (generated(name, seed, int(one)) for one, *_ in faults if one.isdecimal()):
            (FINDS / name).mkdir(exist_ok=True)
            (FINDS / name / hashlib.sha256(data).hexdigest()[:12]).write_bytes(data)
    assert faults == []
    assert counts.total() == len(inputs)
    assert counts["refused"] > 0 or name == "motion_jpeg"
    assert counts["taken"] > 0 or len(new) < 100  # what is damaged was sound before


def test_each_find_is_of_a_kind():
    assert {path.name for path in FINDS.iterdir()} <= set(kinds())
