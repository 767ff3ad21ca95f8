"""A small network of the paper's kind, right on most drawn faces: tiny_trained.keras, beside this file.

It is kept since a training comes out otherwise on each machine, and so would what the tests measure.
`python tests/tiny_trained.py` trains it again, within seconds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.conversion import source

FILE = Path(__file__).with_suffix(".keras")


def untrained() -> Any:
    """Linear layers in a row at its end, as the paper's CNN."""
    keras = source.import_keras()
    from keras import layers

    keras.utils.set_random_seed(0)
    x = inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    for filters in (8, 16):
        x = layers.Conv2D(filters, 5, strides=2, padding="same")(x)
        x = layers.BatchNormalization(momentum=0.8)(x)
        x = layers.ReLU()(x)
    x = layers.MaxPooling2D(6)(x)
    x = layers.Conv2D(48, 3, padding="same")(x)
    x = layers.BatchNormalization(momentum=0.8)(x)
    x = layers.Conv2D(7, 3, padding="same")(x)
    x = layers.GlobalMaxPooling2D()(x)
    return keras.Model(inputs, layers.Softmax()(x), name="tiny")


def train() -> None:
    """Writes the file."""
    from fer_edge.data import drawn_faces

    keras, model = source.import_keras(), untrained()
    images, labels = drawn_faces(1400, seed=1)
    epochs, batch = 24, 50
    rate = keras.optimizers.schedules.CosineDecay(5e-3, epochs * len(images) // batch)
    model.compile(keras.optimizers.Adam(rate), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    wanted = np.eye(7, dtype=np.float32)[labels]
    model.fit(images[..., None].astype(np.float32), wanted, batch_size=batch, epochs=epochs, verbose=2)
    plain = untrained()  # without the optimiser
    plain.set_weights(model.get_weights())
    plain.save(FILE)


if __name__ == "__main__":
    train()
