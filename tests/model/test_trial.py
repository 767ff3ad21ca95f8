import os
import zipfile

import pytest
from ai_edge_litert import schema_py_generated as schema
from fuzz.harness import FINDS
from tiny_models import Builder, Spec, shipped_style

from fer_edge.errors import ModelError
from fer_edge.model import modelfile, trial


def test_a_sound_model_passes():
    trial.run_apart(shipped_style(), "m.tflite")


def test_a_model_that_the_runtime_refuses_gives_its_reason():
    """Shapes that do not go together pass the reader; only the interpreter knows."""
    build = Builder()
    face = build.tensor("face", (1, 4), Spec("float32"))
    shape = build.tensor("shape", (1,), Spec("float32"))
    out = build.tensor("out", (1, 4), Spec("float32"))
    build.operator("SOFTMAX", [face, shape], [out], schema.SoftmaxOptionsT())
    data = build.file([face, shape], [out])
    modelfile.check_bytes(data, "m.tflite")
    with pytest.raises(ModelError, match=r"^m\.tflite: ai_edge_litert cannot use this model: .+$"):
        trial.run_apart(data, "m.tflite")


def test_a_model_that_kills_its_process_is_an_error_like_others(monkeypatch):
    monkeypatch.setattr(trial, "_run_once", os.abort)
    with pytest.raises(ModelError, match=r"m\.tflite: the interpreter dies of this model.*signal 6"):
        trial.run_apart(b"some bytes", "m.tflite")


def test_weights_whose_addresses_lead_in_a_circle_are_damaged(monkeypatch):
    monkeypatch.setattr(trial, "_CPU_S", 2)
    with zipfile.ZipFile(FINDS / "keras/7e25bc164f28") as archive:
        weights = archive.read("model.weights.h5")
    with pytest.raises(ModelError, match=r"^m\.keras: its weights cannot be read to their end"):
        trial.read_weights_apart(weights, "m.keras")
    with pytest.raises(ModelError, match=r"^m\.keras: its weights cannot be read: .*signature"):
        trial.read_weights_apart(b"not HDF5", "m.keras")
