"""The part of a training that runs in a process of another Keras backend. Usage: other_backend.py FOLDER

FOLDER holds `begun/` (a run that has ended its first epoch) and `theirs.keras`; this goes on with the run,
and leaves `ours.keras`, `ours.npy`, `theirs.npy` (probabilities of the data) and `history.json`.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from tiny_network import dataset

from fer_edge.training import fit, session
from fer_edge.training.recipes import Augmentation, Recipe

# No dropout: each backend draws its masks from a generator of its own.
RECIPE = Recipe(
    "small",
    network="tiny",
    epochs=2,
    batch_size=16,
    dropout=0.0,
    optimizer="sgd",
    learning_rate=0.05,
    weight_decay=1e-3,
    schedule="one_cycle",
    label_smoothing=0.1,
    monitor="val_accuracy",
    augmentation=Augmentation(rotation_deg=20, flip=True, erase_probability=0.5, erase_px=8),
)


def main(folder):
    data = dataset()
    network, state = fit.train(RECIPE, data, data, folder=folder / "begun", seed=0)
    ours = session.in_float32(network, RECIPE)
    ours.save(folder / "ours.keras")
    np.save(folder / "ours.npy", fit.predict(ours, data.images))
    theirs = keras.models.load_model(folder / "theirs.keras", compile=False)
    np.save(folder / "theirs.npy", fit.predict(theirs, data.images))
    (folder / "history.json").write_text(json.dumps(state.history))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
