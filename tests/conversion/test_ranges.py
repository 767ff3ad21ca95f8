from __future__ import annotations

import numpy as np
import pytest

from fer_edge.conversion import calibration, integer, ranges, recipes, reference
from fer_edge.conversion.ranges import best_range
from fer_edge.spec import Format


def _histogram(values: np.ndarray) -> tuple[np.ndarray, tuple[float, float]]:
    whole = float(values.min()), float(values.max())
    return np.histogram(values, 4096, whole)[0], whole


def _error(values: np.ndarray, low: float, high: float) -> float:
    step = (high - low) / 255
    stored = np.rint((np.clip(values, low, high) - low) / step)
    return float(((stored * step + low - values) ** 2).mean())


def test_values_spread_evenly_keep_their_whole_range() -> None:
    counts, whole = _histogram(np.linspace(-3, 5, 100_000))
    assert best_range(counts, whole) == pytest.approx(whole)


def test_a_few_far_values_are_clipped_where_that_costs_less() -> None:
    values = np.append(np.random.default_rng(0).normal(0, 1, 100_000), [-20.0, 20.0])
    counts, whole = _histogram(values)
    low, high = best_range(counts, whole)
    assert (low, high) == (-high, high)
    assert high < 20
    assert _error(values, low, high) < _error(values, *whole)
    factors = np.linspace(0.2, 1, 33)
    best = factors[np.argmin([_error(values, *(np.array(whole) * f)) for f in factors])]
    assert high / 20 == pytest.approx(best, abs=0.026)  # within one step of the factors


def test_pooling_takes_over_the_range_of_its_convolution(
    against: reference.Reference, chosen: calibration.Calibration, recipe: recipes.Recipe
) -> None:
    flatbuffer_utils = pytest.importorskip("tensorflow.lite.tools.flatbuffer_utils")
    function = integer.network(against.model, Format.INT8, chosen.faces, recipe)
    calibrated = integer._noted(function, (1, 48, 48, 1), chosen.faces)
    model, wide = (
        flatbuffer_utils.read_model_from_bytearray(
            bytearray(ranges.measured(calibrated, chosen.faces, narrow))
        )
        for narrow in (True, False)
    )
    before = wide.subgraphs[0]
    graph = model.subgraphs[0]
    pooling = next(
        op for op in graph.operators if graph.tensors[op.outputs[0]].shape.tolist() == [1, 2, 2, 16]
    )
    taken, given = (graph.tensors[n].quantization for n in (pooling.inputs[0], pooling.outputs[0]))
    assert (taken.min[0], taken.max[0]) == (given.min[0], given.max[0])
    assert given.max[0] < before.tensors[pooling.inputs[0]].quantization.max[0]
    (last,) = graph.outputs
    assert graph.tensors[last].quantization.max[0] == before.tensors[last].quantization.max[0]


def test_the_recipe_can_leave_ranges_as_they_are(
    against: reference.Reference, chosen: calibration.Calibration, recipe: recipes.Recipe
) -> None:
    made = {
        narrow: integer.to_integer(
            against.model, Format.INT8, chosen.faces, recipe.override(narrow_ranges=narrow)
        )
        for narrow in (True, False)
    }
    assert made[True] != made[False]
