"""Tiny real .tflite files whose answers are known: the class is the brightest of the first seven pixels."""

import json

import numpy as np
import pytest
from tiny_models import Spec, dense, picks

from fer_edge.data.dataset import Dataset
from fer_edge.spec import LABELS


@pytest.fixture(scope="session")
def models(tmp_path_factory):
    """Folder with right_float32.tflite, right_int8.tflite (takes happy for sad and back), with cards."""
    folder = tmp_path_factory.mktemp("models")
    card = {"labels": list(LABELS), "output": {"content": "probabilities"}}
    ends = {"entry": Spec("uint8", 1.0), "middle": (Spec("int8", 1.0, -128),) * 2, "output": Spec("float32")}
    for name, order in (("right_float32", range(7)), ("right_int8", (0, 1, 2, 4, 3, 5, 6))):
        data = dense((1, 48, 48, 1), picks(2304, *order), softmax=True, **ends)
        (folder / f"{name}.tflite").write_bytes(data)
        (folder / f"{name}.json").write_text(json.dumps(card))
    return folder


@pytest.fixture
def elsewhere(models, tmp_path):
    """right_int8.tflite with its card in another folder, where nothing else is."""
    for suffix in (".tflite", ".json"):
        (tmp_path / f"right_int8{suffix}").write_bytes((models / f"right_int8{suffix}").read_bytes())
    return tmp_path / "right_int8.tflite"


@pytest.fixture
def faces():
    """Eight pictures that say their label in their first row: each class once, and happy twice."""
    labels = np.array([0, 1, 2, 3, 4, 5, 6, 3])
    images = np.zeros((8, 48, 48), np.uint8)
    images[range(8), 0, labels] = 255
    images[:, 20, 20] = range(8)  # no two alike
    return Dataset(images, labels, np.full(8, 2, np.uint8), np.arange(1, 9), path="faces.csv", sha256="ab")
