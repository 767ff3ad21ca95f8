"""Some inputs of each kind, and all that was found before; `python tests/fuzz` tries as many as one likes."""

import importlib.util
from random import Random

import pytest

from fuzz.damage import damaged, reshaped
from fuzz.harness import FINDS, generated, kinds, tried

FEW = {"tflite": 12, "keras": 10, "checkpoint": 20, "tree": 100, "command_line": 60, "probe": 1}
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
    assert counts["refused"] > 0 or name in ("cache", "motion_jpeg", "probe")


@pytest.mark.parametrize("name", each(sorted(path.name for path in FINDS.iterdir())))
def test_what_was_found_once_stays_mended(name):
    paths = sorted(map(str, (FINDS / name).iterdir()))
    counts, faults = tried(name, paths)
    assert faults == []
    assert counts.total() == len(paths)


@pytest.mark.slow
def test_the_harness_sees_each_fault_and_goes_on(tmp_path):
    names = []
    for n, data in enumerate([b"fine", b"die", b"refuse", b"wait", b"raise", b"fine"]):
        names.append(str(tmp_path / str(n)))
        (tmp_path / str(n)).write_bytes(data)
    counts, faults = tried("probe", names)
    assert dict(counts) == {"taken": 2, "crash": 1, "refused": 1, "hang": 1, "fault": 1}
    assert [(name, outcome) for name, outcome, _ in faults] == [
        (names[1], "crash"), (names[3], "hang"), (names[4], "fault"),
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["table", "card", "tflite"])
def test_the_same_seed_gives_the_same_inputs(name):
    first, again, other = (generated(name, seed, 7) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_most_inputs_are_changed_and_the_original_is_not():
    original, value = bytes(range(256)) * 4, {"a": [1, {"b": 2}], "c": "d"}
    assert sum(damaged(original, Random(n)) != original for n in range(100)) >= 95
    assert sum(reshaped(value, Random(n)) != value for n in range(100)) >= 90
    assert value == {"a": [1, {"b": 2}], "c": "d"}
