"""Floors and projections from limits that are made up, worked out by hand."""

import numpy as np
import pytest

from fer_edge.bench import limits, projection, workload
from fer_edge.bench.workload import Work
from fer_edge.model import interpreter

LIMITS = {"float32_gmacs": 50.0, "int8_gmacs": 200.0, "cache_gbs": 50.0, "memory_gbs": 10.0}
CONV = Work("CONV_2D", 10_000_000, True, 1000, (1, 8, 8, 8))


def test_floor_adds_what_integers_and_floats_need():
    head = Work("FULLY_CONNECTED", 5_000_000, False, 1000, (1, 7))
    # 10 M at 200 G/s are 0.05 ms, 5 M at 50 G/s are 0.1 ms
    assert limits.floor_ms([CONV, head], LIMITS) == pytest.approx(0.15)


def test_floor_is_the_weights_where_they_take_longer():
    wide = Work("FULLY_CONNECTED", 10_000_000, True, 10_000_000, (1, 7))
    assert limits.floor_ms([wide], LIMITS) == pytest.approx(0.2)  # 10 MB at 50 GB/s


def test_no_floor_without_the_limit():
    assert limits.floor_ms([CONV], LIMITS | {"int8_gmacs": None}) is None


def test_the_dense_file_of_the_limit_is_that_product(monkeypatch):
    monkeypatch.setattr(limits, "SIDE", 16)
    for kind in ("float32", "int8"):
        data = limits._dense_file(kind)
        (work,) = workload.of(data)
        assert (work.macs, work.integer) == (16**3, kind == "int8")
        model = interpreter.load(data, 1, "product")
        weights = np.random.default_rng(0).integers(-127, 128, (16, 16))
        entry, out = model.get_input_details()[0], model.get_output_details()[0]
        model.set_tensor(entry["index"], np.eye(16).astype(kind))
        model.invoke()
        expected = weights.T if kind == "float32" else np.rint(weights.T / 1000)  # the output's scale
        assert (model.get_tensor(out["index"]) == expected).all()


def test_projection_by_hand():
    pi4, pi5 = projection.of([CONV])
    assert (pi4["board"], pi5["board"]) == ("Raspberry Pi 4", "Raspberry Pi 5")
    assert pi4["at_peak_ms"] == pytest.approx(10e6 / (1.8e9 * 8) * 1e3)
    assert pi4["at_network_ms"] == pytest.approx(84.66 * 10e6 / 569e6)
    assert pi5["at_peak_ms"] == pytest.approx(10e6 / (2.4e9 * 32) * 1e3)
    floats = Work("CONV_2D", 10_000_000, False, 1000, (1, 8, 8, 8))
    assert projection.of([floats])[1]["at_network_ms"] is None  # no float32 figure of a Pi 5
    little = Work("CONV_2D", 10_000, False, 1000, (1, 8, 8, 8))
    assert projection.of([CONV, little])[1]["at_network_ms"] == pytest.approx(14.38 * 10 / 569, rel=0.01)
    assert all("MobileNet" in line and "Arm" in line for line in projection.sources())
