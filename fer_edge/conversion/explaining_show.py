"""How `convert --explain` shows each layer's error: a table, and a plot beside the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fer_edge import console, files, tables
from fer_edge.conversion.explaining import Layer


def show(layers: Sequence[Layer], title: str) -> None:
    """Prints the table and the layer that costs most."""
    table = tables.new_table(title)
    table.add_column("layer")
    table.add_column("output")
    table.add_column("kept")
    for heading in ("low", "high", "step", "clipped %", "SNR dB", "alone 1e-5", "weights 1e-5"):
        table.add_column(heading, justify="right")
    for n, layer in enumerate(layers):
        table.add_row(
            f"{n} {layer.operator}",
            "x".join(map(str, layer.shape)),
            layer.kept,
            *(_figure(value) for value in (layer.low, layer.high, layer.step)),
            tables.percent(layer.clipped, 3),
            "exact" if layer.snr_db is None else f"{layer.snr_db:.1f}",
            *(_figure(value, 1e5) for value in (layer.alone_activation, layer.alone_weights)),
        )
    tables.show(table)
    most = max(range(len(layers)), key=lambda n: layers[n].alone_activation or 0)
    in_float = ", ".join(str(n) for n, layer in enumerate(layers) if layer.kept == "float")
    console.say(
        f"alone: mean difference of a probability with this tensor alone in int8; most at layer {most}. "
        f"In float: {in_float or 'none'}"
    )


def _figure(value: float | None, times: float = 1.0) -> str:
    return "-" if value is None else f"{value * times:.4g}"


def plot(layers: Sequence[Layer], title: str, path: Path) -> None:
    """Writes a PNG: what each layer costs alone, and the signal to noise up to it."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (above, below) = pyplot.subplots(2, 1, figsize=(9, 6), sharex=True, layout="constrained")
    places = np.arange(len(layers))
    above.bar(places - 0.2, [layer.alone_activation or 0 for layer in layers], 0.4, label="activations")
    above.bar(places + 0.2, [layer.alone_weights or 0 for layer in layers], 0.4, label="weights")
    above.set(ylabel="mean difference\nof a probability, alone", title=title)
    above.legend()
    below.plot(places, [np.nan if layer.snr_db is None else layer.snr_db for layer in layers], "o-")
    below.set(ylabel="signal to noise, dB,\nall before included")
    names = [f"{n} {layer.operator}\n{'x'.join(map(str, layer.shape))}" for n, layer in enumerate(layers)]
    below.set_xticks(places, names, rotation=60, fontsize=7)
    for layer, place in zip(layers, places, strict=True):
        if layer.kept == "float":
            for axes in (above, below):
                axes.axvspan(place - 0.5, place + 0.5, color="0.9", zorder=0)
    below.set_xlabel("layer; grey: kept in float")
    with files.written_aside(path) as aside:
        figure.savefig(aside, dpi=120)
    pyplot.close(figure)
