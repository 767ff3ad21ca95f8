"""A small network of the paper's kind, right on most drawn faces: tiny_trained.keras, beside this file.

It is kept since a training comes out otherwise on each machine, and so would what the tests measure.
`python tests/tiny_trained.py` trains the file's own network anew, within seconds: gray levels to -1..1, two
convolutions of 5x5 with strides of 2 and one of 3x3, to 8, 16 and 48 channels, then, linear as at the paper's
end, one of 3x3 to the seven classes, the greatest of each, softmax.
"""

from pathlib import Path

import keras
import numpy as np

from fer_edge.data import drawn_faces

FILE = Path(__file__).with_suffix(".keras")
EPOCHS, BATCH = 24, 50


def train() -> None:
    keras.utils.set_random_seed(0)
    network = keras.models.clone_model(keras.models.load_model(FILE))  # with weights of its own
    images, labels = drawn_faces(1400, seed=1)
    rate = keras.optimizers.schedules.CosineDecay(5e-3, EPOCHS * len(images) // BATCH)
    network.compile(keras.optimizers.Adam(rate), keras.losses.CategoricalCrossentropy(label_smoothing=0.1))
    wanted = np.eye(7, dtype=np.float32)[labels]
    network.fit(images[..., None].astype(np.float32), wanted, batch_size=BATCH, epochs=EPOCHS, verbose=2)
    keras.Model(network.inputs, network.outputs, name=network.name).save(FILE)  # without the optimiser


if __name__ == "__main__":
    train()
