"""Some inputs of each kind, and all that was found before; `python tests/fuzz` tries as many as one likes."""

import importlib.util

import pytest

from fuzz.harness import FINDS, kinds, tried

FEW = {"tflite": 12, "keras": 10, "checkpoint": 20, "tree": 100, "command_line": 60}
NEEDS_KERAS = pytest.mark.skipif(importlib.util.find_spec("keras") is None, reason="needs Keras")
SLOW = ("keras", "checkpoint", "command_line", "tflite")


def each(names):
    return [
        pytest.param(name, marks=[pytest.mark.slow, NEEDS_KERAS] if name in SLOW else []) for name in names
    ]


@pytest.mark.parametrize("name", each(kinds()))
def test_damaged_input_is_refused_in_a_line_or_read_rightly(name):
    inputs = FEW.get(name, 200)
    counts, faults = tried(name, [str(n) for n in range(inputs)], seed=20130614)
    assert faults == []
    assert counts.total() == inputs
    assert counts["refused"] > 0 or name in ("cache", "motion_jpeg")
    assert counts["taken"] > 0 or inputs < 100  # what is damaged was sound before


@pytest.mark.parametrize("name", each(sorted(path.name for path in FINDS.iterdir())))
def test_what_was_found_once_stays_mended(name):
    paths = sorted(map(str, (FINDS / name).iterdir()))
    counts, faults = tried(name, paths)
    assert faults == []
    assert counts.total() == len(paths)
