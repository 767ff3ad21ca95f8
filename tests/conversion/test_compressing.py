from __future__ import annotations

import dataclasses
import zlib
from pathlib import Path

import numpy as np
import pytest

from fer_edge.conversion import compressing, recipes, reference, session
from fer_edge.conversion.calibration import Calibration
from fer_edge.spec import Format


def test_the_smallest_weights_become_zero() -> None:
    values = np.array([[0.5, -0.1, 2.0], [-3.0, 0.2, -0.05]], np.float32)
    assert compressing.pruned(values, 0.5).tolist() == [[0.5, 0, 2.0], [-3.0, 0, 0]]
    assert compressing.pruned(values, 0.0).tolist() == values.tolist()


def test_each_value_goes_to_its_cluster_and_zeros_stay() -> None:
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(c, 0.01, 50) for c in (-1, 0.3, 2)]).astype(np.float32)
    values[::10] = 0
    out = compressing.clustered(values.reshape(10, 15), 3).ravel()
    assert (out[::10] == 0).all()
    assert sorted(np.unique(out[out != 0])) == pytest.approx([-1, 0.3, 2], abs=0.01)
    assert len(np.unique(compressing.clustered(rng.normal(size=1000).astype(np.float32), 16))) <= 16


@pytest.mark.parametrize(("what", "value"), [("sparsity", 0.6), ("clusters", 8)])
def test_the_file_compresses_better_and_the_model_stays_as_it_is(
    against: reference.Reference,
    recipe: recipes.Recipe,
    chosen: Calibration,
    tmp_path: Path,
    what: str,
    value: float,
) -> None:
    before = [weight.copy() for weight in against.model.get_weights()]
    plain = recipe.override(refine=False, equalise=0.0, fold_tail=False)
    small = dataclasses.replace(plain, **{what: value})
    sizes = []
    for used in (plain, small):
        output = session.make(against, Format.INT8, session.Plan("tiny", tmp_path, used, chosen))
        assert output.compressed_bytes == len(zlib.compress(output.data, 9))
        assert output.to_dict()["compressed_bytes"] == output.compressed_bytes
        sizes.append(output.compressed_bytes)
    assert output.card.recipe["conversion"][what] == value
    assert sizes[1] < 0.9 * sizes[0]
    assert all(np.array_equal(a, b) for a, b in zip(before, against.model.get_weights(), strict=True))
