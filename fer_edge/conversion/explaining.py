"""Where an integer file loses what it loses: layer by layer, as a table and a plot.

Two measures. `alone`: how far the probabilities move when this tensor alone is rounded, all else being in
float: what a layer costs, whatever the others do. `snr_db`: the integer network's own values against the
float network's, with all that came before: what has come together up to here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.integer import Made
from fer_edge.conversion.ranges import KEEP_RANGE
from fer_edge.conversion.twin import Twin

PICTURES = 200
_BATCH = 50


@dataclass(frozen=True)
class Layer:
    """One layer's result. shape: height, width, channels, or channels alone. kept: `int8` or `float`.

    low, high: the range that its steps cover; values beyond are clipped. clipped: share of values, 0..1.
    alone_activation, alone_weights: mean difference of a probability; None where nothing is rounded.
    snr_db: 10 log10 of the values' mean square over that of their errors; None without errors.
    """

    operator: str
    shape: tuple[int, ...]
    kept: str
    low: float | None
    high: float | None
    step: float | None
    clipped: float | None
    snr_db: float | None
    alone_activation: float | None
    alone_weights: float | None


def explain(made: Made, faces: NDArray[np.uint8]) -> list[Layer]:
    """A row for each operator that computes something, in the order in which they run.

    faces: uint8 (N, height, width); the first `PICTURES` are used. Raises ModelError as `twin.Twin` does.
    """
    twin, faces = Twin(made.flatbuffer, made.calibrated), faces[:PICTURES]
    shown = [(k, n) for k, n in twin.pairs if twin.net.operators[n].name not in KEEP_RANGE]
    errors = _errors(twin, shown, faces)
    wanted = _on(twin.teacher, faces)
    return [_layer(twin, n, found, faces, wanted) for (_, n), found in zip(shown, errors, strict=True)]


def _layer(
    twin: Twin,
    n: int,
    found: tuple[float | None, float],
    faces: NDArray[np.uint8],
    wanted: NDArray[np.float32],
) -> Layer:
    op = twin.net.operators[n]
    (output,) = op.outputs
    scales, zero_points = twin.net.steps(output)
    low = high = step = None
    if len(scales):
        step = float(scales[0])
        low, high = (float((end - zero_points[0]) * step) for end in (-128, 127))

    def alone(tensor: int) -> float:
        twin.only = {tensor}
        return float(np.abs(_on(twin, faces) - wanted).mean())

    return Layer(
        operator=op.name,
        shape=twin.net.tensors[output].shape[1:],
        kept="float" if step is None else "int8",
        low=low,
        high=high,
        step=step,
        clipped=None if step is None else found[1],
        snr_db=found[0],
        alone_activation=None if step is None else alone(output),
        alone_weights=alone(op.inputs[1]) if n in twin.moves else None,
    )


def _errors(
    twin: Twin, shown: list[tuple[int, int]], faces: NDArray[np.uint8]
) -> list[tuple[float | None, float]]:
    """Signal to noise in dB, and the share of values outside the range, of each operator's output."""
    stored = [twin.net.operators[n].outputs[0] for _, n in shown]
    real = [twin.real.operators[k].outputs[0] for k, _ in shown]
    ends = [_ends(twin, n) for n in stored]
    sums = [np.zeros(4) for _ in shown]
    runs = zip(twin.net.run(faces, stored), twin.real.run(faces, real), strict=True)
    for got, meant in runs:
        for k, (a, b, (low, high)) in enumerate(zip(got, meant, ends, strict=True)):
            sums[k] += (b**2).sum(), ((a - b) ** 2).sum(), ((b < low) | (b > high)).sum(), b.size
    return [
        (float(10 * np.log10(signal / noise)) if noise and signal else None, float(outside / size))
        for signal, noise, outside, size in sums
    ]


def _ends(twin: Twin, tensor: int) -> tuple[float, float]:
    scales, zero_points = twin.net.steps(tensor)
    if not len(scales):
        return -np.inf, np.inf
    # Half a step beyond an end still rounds to it.
    return (-128.5 - zero_points[0]) * scales[0], (127.5 - zero_points[0]) * scales[0]


def _on(function: Any, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
    parts = [faces[k : k + _BATCH, ..., None].astype(np.float32) for k in range(0, len(faces), _BATCH)]
    return np.concatenate([np.asarray(function(part)) for part in parts])


def to_dicts(layers: Sequence[Layer]) -> list[dict[str, Any]]:
    """Rows for `convert --json`."""
    return [{**asdict(layer), "shape": list(layer.shape)} for layer in layers]
