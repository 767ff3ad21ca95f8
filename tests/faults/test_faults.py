"""Two rounds of each light fault; `make faults` does a hundred, of the heavy ones too."""

import random

import pytest

from faults.rounds import LIGHT, ROUNDS, Bench


@pytest.fixture(scope="module")
def bench(tmp_path_factory, pytestconfig):
    return Bench(tmp_path_factory.mktemp("faults"), random.Random(pytestconfig.getoption("seed")))


@pytest.mark.slow
@pytest.mark.parametrize("fault", ROUNDS)
def test_nothing_is_lost_and_nothing_half_written_taken_for_whole(bench, fault, pytestconfig, capsys):
    rounds = pytestconfig.getoption("rounds")
    if fault not in LIGHT and not rounds:
        pytest.skip("takes minutes: make faults")
    disturbed = sum(fault(bench) for _ in range(rounds or 2))
    if rounds:
        with capsys.disabled():
            print(f"\n| {fault.__name__.replace('_', ' ')} | {rounds} | {disturbed} |")
