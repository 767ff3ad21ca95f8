"""A small network of the paper's kind, trained for some seconds on drawn faces."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("tensorflow")

from fer_edge.conversion import calibration, recipes, reference, source
from fer_edge.data import drawn_faces, load
from fer_edge.data.dataset import Dataset

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def recipe() -> recipes.Recipe:
    """The recipe that ships, with less to calibrate and verify on."""
    shipped = recipes.read(ROOT / "convert" / "recipes" / "default.toml")
    return shipped.override(calibration_samples=70, parity_pictures=300)


@pytest.fixture(scope="session")
def faces() -> Dataset:
    return load("drawn", progress=False)


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A .keras file, right on most drawn faces: linear layers in a row at its end, as the paper's CNN."""
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
    model = keras.Model(inputs, layers.Softmax()(x), name="tiny")
    images, labels = drawn_faces(1400, seed=1)
    model.compile(keras.optimizers.Adam(5e-3), keras.losses.SparseCategoricalCrossentropy())
    model.fit(images[..., None].astype(np.float32), labels, batch_size=50, epochs=8, verbose=0)
    path = tmp_path_factory.mktemp("tiny") / "tiny.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def against(tiny: Path, faces: Dataset, recipe: recipes.Recipe) -> reference.Reference:
    return reference.measure(tiny, faces.part("Training", "PublicTest"), recipe, seed=0)


@pytest.fixture(scope="session")
def chosen(faces: Dataset) -> calibration.Calibration:
    return calibration.choose(faces, 70, seed=0)
