"""Some inputs of each kind, and all that was found before; `python tests/fuzz` tries as many as one likes."""

import importlib.util

import pytest

from fuzz.harness import FINDS, kinds, tried

FEW = {"tflite": 12, "keras": 10, "checkpoint": 20, "tree": 100, "command_line": 60}
NEEDS_KERAS = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs Keras")
SLOW = ("keras", "checkpoint", "command_line", "tflite")


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow, NEEDS_KERAS] if name in SLOW else []) for name in kinds()],
)
def test_damaged_input_is_refused_in_a_line_or_read_rightly(name):
    new, found = range(FEW.get(name, 200)), sorted((FINDS / name).glob("*"))
    inputs = list(map(str, (*found, *new)))
    counts, faults = tried(name, inputs, seed=20130614)
    assert faults == []
    assert counts.total() == len(inputs)
    assert counts["refused"] > 0 or name in ("cache", "motion_jpeg")
    assert counts["taken"] > 0 or len(new) < 100  # what is damaged was sound before


def test_each_find_is_of_a_kind():
    assert {path.name for path in FINDS.iterdir()} <= set(kinds())
