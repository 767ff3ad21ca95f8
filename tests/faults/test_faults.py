"""Two rounds of each light fault; `python tests/faults` does as many as one likes, of the heavy ones too."""

import random

import pytest

from faults.rounds import LIGHT, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return Bench(tmp_path_factory.mktemp("faults"), random.Random(7))


@pytest.mark.slow
@pytest.mark.parametrize("fault", LIGHT)
def test_nothing_is_lost_and_nothing_half_written_taken_for_whole(bench, fault):
    for _ in range(2):
        fault(bench)
