import sys
import types

import pytest
from tiny_models import shipped_style

from fer_edge import interpreter
from fer_edge.errors import FerEdgeError, ModelError


def hide(monkeypatch, *packages):
    for package in packages:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)  # import raises ModuleNotFoundError


def stand_in(monkeypatch, module):
    """A package `module` whose Interpreter is a class of its own."""
    found = types.ModuleType(module)
    found.Interpreter = type("Interpreter", (), {})
    parts = module.split(".")
    if len(parts) == 2:
        parent = types.ModuleType(parts[0])
        parent.__path__ = []
        monkeypatch.setitem(sys.modules, parts[0], parent)
    monkeypatch.setitem(sys.modules, module, found)
    return found.Interpreter


def test_litert_comes_first(monkeypatch):
    stand_in(monkeypatch, "tflite_runtime.interpreter")
    name, found = interpreter.find()
    assert name == "ai_edge_litert"
    assert found.__module__ == "ai_edge_litert.interpreter"


def test_tflite_runtime_where_litert_is_absent(monkeypatch):
    hide(monkeypatch, "ai_edge_litert")
    expected = stand_in(monkeypatch, "tflite_runtime.interpreter")
    stand_in(monkeypatch, "tensorflow.lite")
    assert interpreter.find() == ("tflite_runtime", expected)


def test_tensorflow_where_both_are_absent(monkeypatch):
    hide(monkeypatch, "ai_edge_litert", "tflite_runtime", "tensorflow")
    expected = stand_in(monkeypatch, "tensorflow.lite")
    assert interpreter.find() == ("tensorflow.lite", expected)


def test_none_at_all_says_what_to_install(monkeypatch):
    hide(monkeypatch, "ai_edge_litert", "tflite_runtime", "tensorflow")
    with pytest.raises(FerEdgeError, match="no TFLite interpreter is installed: pip install ai-edge-litert"):
        interpreter.find()


def test_a_broken_runtime_is_named(monkeypatch, tmp_path):
    hide(monkeypatch, "ai_edge_litert", "tensorflow")
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text(
        "raise ImportError('numpy.core.multiarray failed to import')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FerEdgeError, match=r"tflite_runtime is installed but fails: numpy\.core"):
        interpreter.find()


def test_native_chatter_stays_out_of_stderr(capfd):
    interpreter.load(shipped_style(), 1, "tiny")
    assert capfd.readouterr().err == ""


def test_a_refused_model_gives_one_line():
    with pytest.raises(ModelError, match=r"^tiny: ai_edge_litert cannot use this model: .+$"):
        interpreter.load(b"not a model, but long enough to be one", 1, "tiny")
