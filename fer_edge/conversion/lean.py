"""A flatbuffer without what only its converter knew: it computes the same from fewer bytes.

TensorFlow names a tensor after every operation that went into it, gives each tensor without values a
buffer of its own and an empty quantisation, and notes how it was called. In a network of 57,000 weights
that is a twentieth of a float16 file. The names also count the layers that the process had made before.
"""

from __future__ import annotations

from typing import Any

from fer_edge.conversion.network import Network

_CONVERTERS_OWN = b"CONVERSION_METADATA"
"""Versions and options; the card has them."""
_READ = ("x", "w", "b")
"""An operator's inputs: what it works on, weights, bias."""


def lean(flatbuffer: bytes) -> bytes:
    """The same network. Its input and output keep their names; all else is named after the operator that
    gives it, `7_conv_2d`, or reads it, `7_w` and `7_b`, counted in the order in which they run."""
    net = Network(flatbuffer)
    names = _names(net)
    for n, tensor in enumerate(net.graph.tensors):
        tensor.name = names.get(n, tensor.name)
        if tensor.quantization is not None and tensor.quantization.scale is None:
            tensor.quantization = None
    net.model.metadata = [note for note in net.model.metadata or [] if note.name != _CONVERTERS_OWN]
    _share_the_empty_buffer(net)
    return net.to_bytes()


def _names(net: Network) -> dict[int, str]:
    names: dict[int, str] = {}
    for n, op in enumerate(net.operators):
        for k, tensor in enumerate(op.inputs):
            if tensor >= 0 and net.tensors[tensor].constant:
                names.setdefault(tensor, f"{n}_{_READ[k] if k < len(_READ) else k}")
        for k, tensor in enumerate(op.outputs):
            names[tensor] = f"{n}_{op.name.lower()}{k or ''}"
    for tensor in (*net.shown.inputs, *net.shown.outputs):
        names.pop(tensor, None)
    return names


def _share_the_empty_buffer(net: Network) -> None:
    """Tensors without values point to buffer 0, which schema.fbs keeps empty; buffers that none needs go."""
    old = net.model.buffers
    holders: list[Any] = [*net.graph.tensors, *net.model.metadata]
    kept: dict[int, int] = {0: 0}
    for holder in holders:
        data = old[holder.buffer].data
        is_empty = data is None or not len(data)
        holder.buffer = 0 if is_empty else kept.setdefault(holder.buffer, len(kept))
    net.model.buffers = [old[n] for n in kept]
