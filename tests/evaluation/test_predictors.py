"""Opening model files of each kind."""

import dataclasses
import json

import numpy as np
import pytest

from fer_edge.errors import ModelError
from fer_edge.evaluation import keras_card, open_model
from fer_edge.spec import LABELS, ModelCard, TensorSpec

CARD = ModelCard(
    name="small",
    format="keras",
    labels=tuple(reversed(LABELS)),
    input=TensorSpec("float32", (1, 8, 6, 1)),
    output=TensorSpec("float32", (1, 7), content="probabilities"),
)


def test_keras_card_is_the_files_own_before_the_folders(tmp_path):
    path = tmp_path / "small.keras"
    assert keras_card(path) is None
    (tmp_path / "card.json").write_text(dataclasses.replace(CARD, name="folder").to_json())
    assert keras_card(path).name == "folder"
    (tmp_path / "small.json").write_text(CARD.to_json())
    assert keras_card(path) == CARD


def test_keras_model_gives_its_own_probabilities_in_its_cards_order(tmp_path):
    keras = pytest.importorskip("keras")
    face = keras.Input((8, 6, 1))
    brightest = keras.layers.Softmax()(keras.layers.Flatten()(face)[:, :7])
    keras.Model(face, brightest).save(tmp_path / "small.keras")
    (tmp_path / "small.json").write_text(CARD.to_json())
    model = open_model(str(tmp_path / "small.keras"))
    assert (model.name, model.labels, model.input_size) == ("small", tuple(reversed(LABELS)), (8, 6))
    faces = np.zeros((2, 8, 6), np.uint8)
    faces[0, 0, 2] = faces[1, 0, 5] = 9
    p = model.predict(faces)
    assert p.dtype == np.float32
    assert p.argmax(axis=1).tolist() == [2, 5]
    assert p[0, 2] == pytest.approx(np.exp(9) / (np.exp(9) + 6), rel=1e-5)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut", json.dumps([1]).encode()])
def test_what_is_no_keras_model_is_refused_in_a_line(tmp_path, content):
    pytest.importorskip("keras")
    (tmp_path / "bad.keras").write_bytes(content)
    with pytest.raises(ModelError, match=r"bad\.keras") as e:
        open_model(str(tmp_path / "bad.keras"))
    assert "\n" not in str(e.value)


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ModelError, match="nowhere"):
        open_model("nowhere.keras")
    (tmp_path / "m.keras").write_bytes(b"x")
    with pytest.raises(ModelError, match=r"no card .*c\.json"):
        open_model(str(tmp_path / "m.keras"), card=tmp_path / "c.json")
