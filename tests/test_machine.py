"""The machine's description, what Linux tells, and whether others were at work; no test asserts a speed."""

import json
import math
import os

import pytest

from fer_edge import __version__, machine


def test_description_is_json_and_names_what_matters(monkeypatch):
    told = machine.describe()
    assert json.loads(json.dumps(told)) == told
    assert (told["fer_edge"], told["cores"]) == (__version__, os.cpu_count())
    assert told["numpy"].startswith("numpy ")
    keys = ["cpu", "memory_mib", "system", "python", "opencv", "interpreter", "commit"]
    assert set(keys) <= set(told)
    monkeypatch.setattr(machine, "_read", lambda path: None)  # a system that tells nothing
    told = machine.describe()
    assert (told["memory_mib"], machine.busy_seconds()) == (None, None)
    assert math.isnan(machine._clocks()[1])


@pytest.mark.parametrize(
    ("elapsed_s", "others_s", "cores", "share", "disturbed"),
    [
        (10, 0, 4, 0, False),
        (10, 10, 4, 0.25, True),
        (10, 9, 64, 9 / 640, True),  # one busy program on a machine of many cores
        (10, 3.9, 4, 0.0975, False),
        (0.2, 0.8, 4, None, False),  # too short for clocks of 10 ms
        (10, math.nan, 4, None, False),  # not told
    ],
)
def test_who_disturbs(monkeypatch, elapsed_s, others_s, cores, share, disturbed):
    clocks = iter([(100.0, 50.0), (100.0 + elapsed_s, 50.0 + others_s)])
    monkeypatch.setattr(machine, "_clocks", clocks.__next__)
    monkeypatch.setattr(machine.os, "cpu_count", lambda: cores)
    with machine.Watch() as meanwhile:
        pass
    assert (meanwhile.others_share, meanwhile.disturbed) == (pytest.approx(share), disturbed)
    assert meanwhile.elapsed_s == pytest.approx(elapsed_s)
