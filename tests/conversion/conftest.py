import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

import keras
import tiny_trained
from keras import layers

from fer_edge.conversion import formats, source
from fer_edge.data import load


@pytest.fixture(scope="session")
def faces():
    return load("drawn")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory):
    """A .keras file, right on most drawn faces."""
    return Path(shutil.copy(tiny_trained.FILE, tmp_path_factory.mktemp("tiny") / "tiny.keras"))


@pytest.fixture(scope="session")
def against(tiny, faces):
    return source.measure(tiny, faces, 300, seed=0)


@pytest.fixture(scope="session")
def calibration(faces):
    return source.calibration(faces, 70, seed=0)[0]


@pytest.fixture(scope="session")
def material(against, calibration):
    return formats.Material(against.model, calibration)


@pytest.fixture(scope="session")
def residual():
    """Two blocks with an addition and a mean at the end, channels of very different sizes."""
    keras.utils.set_random_seed(1)
    x = inputs = keras.Input((48, 48, 1), name="face")
    x = layers.Rescaling(1 / 127.5, offset=-1.0)(x)
    x = layers.Conv2D(6, 5, strides=4, padding="same", use_bias=False)(x)
    norm = layers.BatchNormalization()
    x = layers.ReLU()(norm(x))
    y = layers.ReLU()(layers.Conv2D(6, 3, padding="same", bias_initializer="random_normal")(x))
    y = layers.Conv2D(6, 3, padding="same")(y)
    x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(layers.MaxPooling2D(2)(x))
    model = keras.Model(inputs, layers.Softmax()(layers.Dense(8)(x)), name="residual")
    rng = np.random.default_rng(0)
    norm.set_weights([rng.uniform(0.5, 2, 6) for _ in range(4)])
    return model
