"""The weights from which `whole` is trained: edge's, and first convolutions that imitate edge's first.

    KERAS_BACKEND=torch python train/whole_start.py EDGE.keras... --data fer2013.csv --out whole_start.keras

EDGE.keras: trainings of edge, of whose weights the mean is taken. Channels that edge lacks begin at random
and say little: what comes out answers nearly as edge does.
"""

from __future__ import annotations

import argparse
from typing import Any

import keras
import numpy as np
from keras import layers
from numpy.typing import NDArray

from fer_edge.data import load
from fer_edge.training import networks
from fer_edge.training.fit import Start

STEPS, BATCH = 900, 64
STEM_CONVOLUTIONS = {"edge": 1, "whole": 2}  # to 24 px


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("edges", nargs="+", metavar="EDGE.keras")
    parser.add_argument("--data", required=True)
    parser.add_argument("--out", required=True)
    asked = parser.parse_args()
    edge, whole = networks.build("edge", 0.0), networks.build("whole", 0.0)
    Start.opened(asked.edges).give(edge)
    for old, new in zip(after_stem(edge), after_stem(whole), strict=True):
        new.set_weights([widened(*pair) for pair in zip(old.get_weights(), new.get_weights(), strict=True)])
    imitate(stem(edge), stem(whole), load(asked.data).part("Training").images)
    whole.save(asked.out)


def after_stem(model: Any) -> list[Any]:
    """Layers with weights after the first convolutions and their normalisations."""
    return [layer for layer in model.layers if layer.weights][2 * STEM_CONVOLUTIONS[model.name] :]


def widened(old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
    """The old weights within the new; new channels say a tenth to old ones, and nothing to the logits."""
    wide, olds = new.copy(), tuple(slice(side) for side in old.shape)
    if old.ndim > 1 and new.shape[-2] > old.shape[-2]:
        wide[..., old.shape[-2] :, : old.shape[-1]] *= 0.1 if old.ndim == 4 else 0.0
    wide[olds] = old
    return wide


def stem(model: Any) -> Any:
    """The model up to its first activation at 24 pixels."""
    activations = [layer for layer in model.layers if isinstance(layer, layers.ReLU)]
    return keras.Model(model.input, activations[STEM_CONVOLUTIONS[model.name] - 1].output)


def imitate(old: Any, new: Any, faces: NDArray[np.uint8]) -> None:
    """Trains `new` to give what `old` gives, half of the batches mirrored."""
    rng = np.random.default_rng(0)
    rate = keras.optimizers.schedules.CosineDecay(4e-3, STEPS)
    new.compile(keras.optimizers.Adam(rate), "mse")
    for step in range(STEPS):
        batch = faces[rng.integers(0, len(faces), BATCH), ..., None].astype(np.float32)
        batch = batch[:, :, ::-1].copy() if step % 2 else batch
        loss = new.train_on_batch(batch, old.predict_on_batch(batch))
        if (step + 1) % 100 == 0:
            print(f"{step + 1} of {STEPS}: mean squared difference {float(loss):.4f}", flush=True)


if __name__ == "__main__":
    main()
