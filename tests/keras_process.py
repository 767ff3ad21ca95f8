"""What runs in a process of another Keras backend, or as one of several. Usage: keras_process.py WHAT FOLDER

`resumed`: FOLDER holds `begun/` (a run that has ended its first epoch) and `theirs.keras`; goes on with the
run, and leaves `ours.keras`, `ours.npy`, `theirs.npy` (probabilities of the data) and `history.json`.
`shared`: a training in FOLDER/run with all other processes; FOLDER/INDEX/ gets weights.npz and told.json.
`layers`: PyTorch's layers of ours against Keras' own.
"""

import json
import sys
from pathlib import Path

import keras
import numpy as np
from tiny_network import dataset

from fer_edge.model import keras_files
from fer_edge.training import device, fit, networks, session
from fer_edge.training.recipes import Augmentation, Recipe

# No dropout: each backend draws its masks from a generator of its own.
RESUMED = Recipe(
    "small", network="tiny", epochs=2, batch_size=16, dropout=0.0, optimizer="sgd", learning_rate=0.05,
    weight_decay=1e-3, schedule="one_cycle", label_smoothing=0.1, monitor="val_accuracy",
    augmentation=Augmentation(rotation_deg=20, flip=True, erase_probability=0.5, erase_px=8),
)  # fmt: skip
# No augmentation: each process draws its own.
SHARED = Recipe(
    "small", network="tiny", epochs=2, batch_size=16, dropout=0.3, optimizer="sgd", learning_rate=0.1,
    weight_decay=1e-3,
)  # fmt: skip


def resumed(folder):
    data = dataset()
    network, _, state = fit.train(RESUMED, data, data, folder=folder / "begun", seed=0)
    ours = keras_files.in_float32(network)
    ours.save(folder / "ours.keras")
    np.save(folder / "ours.npy", fit.predict(ours, data.images))
    theirs = keras.models.load_model(folder / "theirs.keras", compile=False)
    np.save(folder / "theirs.npy", fit.predict(theirs, data.images))
    (folder / "history.json").write_text(json.dumps(state.history))


def shared(folder):
    device.prepare("float32")
    me, data = device.workers(), dataset()
    network, _, state = fit.train(SHARED, data, data, folder=folder / "run", seed=0)
    own = folder / str(me.index)
    own.mkdir()
    np.savez(own / "weights.npz", *network.get_weights())
    told = {"history": state.history, "count": me.count, "devices": me.devices}
    if me.index == 0:
        with device.undistributed():
            built = keras_files.in_float32(network)
        told["passed"] = session.check_reference(network, built, data, SHARED)["passed"]
    (own / "told.json").write_text(json.dumps(told))


def after_a_step(network, faces):
    """Outputs, gradients of the mean of their cubes, and the state after it."""
    import torch

    given = torch.tensor(faces, requires_grad=True)
    out = network(given, training=True)
    (out**3).mean().backward()
    gradients = [given.grad, *(v.value.grad for v in network.trainable_variables)]
    state = [v.value for v in network.non_trainable_variables]
    return [v.detach().numpy() for v in (out, *gradients, *state)]


def layers(_):
    keras.utils.set_random_seed(0)  # of some first weights, float32's rounding is more than what is allowed
    of = keras.layers
    x = inputs = keras.Input((26, 26, 3))
    x = of.Conv2D(4, 5, padding="same", dilation_rate=2, activation="relu")(x)
    x = of.Conv2D(4, 5, strides=2, padding="same", activation="relu")(x)  # pads one pixel more after
    x = of.Conv2D(4, 5, strides=2, padding="same", use_bias=False)(x)  # of 13 pixels: as many
    x = of.BatchNormalization(scale=False)(x)
    plain = keras.Model(inputs, of.Conv2D(4, 2, padding="valid")(of.MaxPooling2D(2)(x)))
    fast, count = networks.fastest(plain), 6 * 7 * 7
    assert sum(type(a) is not type(b) for a, b in zip(fast.layers, plain.layers, strict=True)) == 6
    faces = np.random.default_rng(0).normal(size=(6, 26, 26, 3)).astype("float32")
    one, two = after_a_step(fast, faces), after_a_step(plain, faces)
    two[-1] = 0.99 + (two[-1] - 0.99) * count / (count - 1)  # PyTorch's estimate of the variance has no bias
    for a, b in zip(one, two, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6, strict=True)
    print("same", flush=True)


if __name__ == "__main__":
    {"resumed": resumed, "shared": shared, "layers": layers}[sys.argv[1]](Path(sys.argv[-1]))
