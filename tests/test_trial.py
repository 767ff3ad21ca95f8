import pytest
from ai_edge_litert import schema_py_generated as schema
from tiny_models import Builder, Spec, shipped_style

from fer_edge import modelfile, trial
from fer_edge.errors import ModelError


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
    monkeypatch.setattr(trial, "_CHILD", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    with pytest.raises(ModelError, match=r"m\.tflite: the interpreter dies of this model"):
        trial.run_apart(b"some bytes", "m.tflite")
