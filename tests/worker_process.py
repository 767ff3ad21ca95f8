"""One process of a small training on JAX, alone or among several. Usage: worker_process.py FOLDER

FOLDER/run is the run of all; FOLDER/INDEX/ gets this process's weights.npz and told.json.
"""

import json
import sys
from pathlib import Path

import numpy as np
from tiny_network import dataset

from fer_edge.training import device, fit, session
from fer_edge.training.recipes import Recipe

# No augmentation: each process draws its own.
RECIPE = Recipe(
    "small",
    network="tiny",
    epochs=2,
    batch_size=16,
    dropout=0.3,
    optimizer="sgd",
    learning_rate=0.1,
    weight_decay=1e-3,
)


def main(folder):
    device.prepare("float32")
    me, data = device.workers(), dataset()
    network, state = fit.train(RECIPE, data, data, folder=folder / "run", seed=0)
    own = folder / str(me.index)
    own.mkdir()
    np.savez(own / "weights.npz", *network.get_weights())
    told = {"history": state.history, "count": me.count, "devices": me.devices}
    if me.first:
        built = session.in_float32(network, RECIPE)
        told["passed"] = session.check_reference(network, built, data, RECIPE)["passed"]
    (own / "told.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
