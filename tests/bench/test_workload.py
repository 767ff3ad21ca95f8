"""Multiply-accumulates of networks whose layers are known."""

import json

import pytest
from tiny_models import Spec, dense, picks

from fer_edge.bench import workload
from fer_edge.bench.workload import Work
from fer_edge.errors import ModelError
from fer_edge.model import shipped


def test_a_dense_layer_uses_each_weight_once():
    data = dense((1, 4, 4, 1), picks(16, 0, 5, 7), entry=Spec("float32"), output=Spec("float32"))
    assert workload.of(data) == [Work("FULLY_CONNECTED", 3 * 16, False, 3 * 16 * 4, (1, 3))]


def test_the_papers_network_by_hand():
    """Table 2 of the paper, 'same' padding: pixels x kernel x channels in x channels out, layer by layer."""
    layers = []
    channels, side = 1, 48
    for filters, kernel in ((16, 7), (32, 5), (64, 3), (128, 3)):
        for _ in range(2):
            layers.append(side * side * kernel * kernel * channels * filters)
            channels = filters
        side //= 2
    layers += [3 * 3 * 9 * 128 * 256, 3 * 3 * 9 * 256 * 7]
    path = shipped.find_model("tuned_float32")
    operators = workload.of(path.read_bytes())
    assert [work.macs for work in operators if work.macs] == layers
    assert workload.total_macs(operators) == json.loads(path.with_suffix(".json").read_text())["macs"]
    assert not any(work.integer for work in operators)


def test_int8_files_use_integers_nearly_everywhere():
    operators = workload.of(shipped.find_model("tuned_int8").read_bytes())
    integers = sum(work.macs for work in operators if work.integer)
    assert integers / workload.total_macs(operators) > 0.99
    weights = sum(work.weight_bytes for work in operators)
    assert 0.9 * 620_000 < weights < shipped.find_model("tuned_int8").stat().st_size


def test_what_is_no_model_is_refused():
    with pytest.raises(ModelError):
        workload.of(b"not a model")
