"""The machine's description: JSON, and the parsing of what Linux tells."""

import json
import os

import pytest

from fer_edge import __version__, machine

CPUINFO = "processor\t: 0\nmodel name\t: ARMv7 Processor rev 3\n\nHardware\t: BCM2711"


@pytest.fixture
def files(monkeypatch):
    told = {}
    monkeypatch.setattr(machine, "_read", told.get)
    return told


def test_description_is_json_and_names_what_matters():
    told = machine.describe()
    assert json.loads(json.dumps(told)) == told
    assert told["fer_edge"] == __version__
    assert told["cores"] == os.cpu_count()
    assert told["numpy"].startswith("numpy ")
    keys = ["cpu", "memory_mib", "governor", "system", "python", "opencv", "interpreter", "commit"]
    assert set(keys) <= set(told)


def test_a_system_that_tells_nothing_gives_nulls(files):
    told = machine.describe()
    assert told["governor"] is None
    assert machine.busy_seconds() is None


def test_processor(files):
    files["/proc/cpuinfo"] = CPUINFO
    assert machine.cpu_name() == "ARMv7 Processor rev 3"


def test_busy_seconds_leave_idle_time_out(files):
    # user nice system idle iowait irq softirq steal guest guest_nice, in ticks
    files["/proc/stat"] = "cpu  100 20 30 99999 8888 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0"
    assert machine.busy_seconds() == pytest.approx(165 / os.sysconf("SC_CLK_TCK"))


def test_peak_memory_is_the_high_water_mark(files):
    files["/proc/self/status"] = "Name:\tpython\nVmPeak:\t  999999 kB\nVmHWM:\t   58368 kB\n"
    assert machine.peak_rss_mib() == 57
