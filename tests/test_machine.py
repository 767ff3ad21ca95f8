"""The machine's description: JSON, and the parsing of what Linux tells."""

import json
import os

import pytest

from fer_edge import __version__, machine


def test_description_is_json_and_names_what_matters(monkeypatch):
    told = machine.describe()
    assert json.loads(json.dumps(told)) == told
    assert (told["fer_edge"], told["cores"]) == (__version__, os.cpu_count())
    assert told["numpy"].startswith("numpy ")
    keys = ["cpu", "memory_mib", "governor", "system", "python", "opencv", "interpreter", "commit"]
    assert set(keys) <= set(told)
    monkeypatch.setattr(machine, "_read", lambda path: None)  # a system that tells nothing
    told = machine.describe()
    assert (told["governor"], told["memory_mib"], machine.busy_seconds()) == (None, None, None)


def test_what_linux_tells(monkeypatch):
    told = {
        "/proc/cpuinfo": "processor\t: 0\nmodel name\t: ARMv7 Processor rev 3\n\nHardware\t: BCM2711",
        # user nice system idle iowait irq softirq steal guest guest_nice, in ticks
        "/proc/stat": "cpu  100 20 30 99999 8888 4 5 6 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0",
        "/proc/self/status": "Name:\tpython\nVmPeak:\t  999999 kB\nVmHWM:\t   58368 kB\n",
    }
    monkeypatch.setattr(machine, "_read", told.get)
    assert machine.cpu_name() == "ARMv7 Processor rev 3"
    assert machine.busy_seconds() == pytest.approx(165 / os.sysconf("SC_CLK_TCK"))  # without idle time
    assert machine.peak_rss_mib() == 57  # the high-water mark
