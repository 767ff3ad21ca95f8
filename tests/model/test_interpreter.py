import importlib.util
import subprocess
import sys
import types

import pytest
from tiny_models import shipped_style

from fer_edge.errors import FerEdgeError, ModelError
from fer_edge.model import interpreter


def hide(monkeypatch, *packages):
    for package in packages:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)  # import raises ModuleNotFoundError


def stand_in(monkeypatch, package):
    """A package whose Interpreter, where this package has it, is a class of its own."""
    found = types.SimpleNamespace(Interpreter=type("Interpreter", (), {}))
    parent = types.ModuleType(package)
    parent.__path__ = []
    monkeypatch.setitem(sys.modules, package, parent)
    if package == "tensorflow":
        parent.lite = found
    else:
        monkeypatch.setitem(sys.modules, f"{package}.interpreter", found)
    return found.Interpreter


def test_litert_comes_first(monkeypatch):
    stand_in(monkeypatch, "tflite_runtime")
    name, found = interpreter.find()
    assert name == "ai_edge_litert"
    assert found.__module__ == "ai_edge_litert.interpreter"


def test_tflite_runtime_where_litert_is_absent(monkeypatch):
    hide(monkeypatch, "ai_edge_litert")
    expected = stand_in(monkeypatch, "tflite_runtime")
    stand_in(monkeypatch, "tensorflow")
    assert interpreter.find() == ("tflite_runtime", expected)


def test_tensorflow_where_both_are_absent(monkeypatch):
    hide(monkeypatch, "ai_edge_litert", "tflite_runtime", "tensorflow")
    expected = stand_in(monkeypatch, "tensorflow")
    assert interpreter.find() == ("tensorflow", expected)


@pytest.mark.slow
def test_tensorflow_itself_runs_a_model():
    """In a process of its own: TensorFlow cannot be imported anew once its modules are gone."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs the extra 'train'")
    code = (
        "import sys; sys.modules['ai_edge_litert'] = sys.modules['tflite_runtime'] = None\n"
        "from fer_edge.model import interpreter\n"
        "model = interpreter.load(sys.stdin.buffer.read(), 1, 'tiny')\n"
        "print(interpreter.find()[0], model.get_input_details()[0]['shape'].tolist())"
    )
    child = subprocess.run(
        [sys.executable, "-c", code], input=shipped_style(), capture_output=True, check=False
    )
    assert child.stdout.decode().strip() == "tensorflow [1, 48, 48, 1]", child.stderr.decode()


def test_the_one_that_is_named_goes_first(monkeypatch):
    expected = stand_in(monkeypatch, "tflite_runtime")
    monkeypatch.setenv(interpreter.VARIABLE, "tflite_runtime")
    assert interpreter.find() == ("tflite_runtime", expected)
    monkeypatch.setenv(interpreter.VARIABLE, "litert")
    assert interpreter.find()[0] == "ai_edge_litert"


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("tflite_runtime", "^FER_EDGE_INTERPRETER names tflite_runtime, which is not installed: pip install"),
        ("tflite", "^FER_EDGE_INTERPRETER=tflite is no interpreter: litert, tflite_runtime, tensorflow"),
    ],
)
def test_a_name_that_cannot_be_followed_is_an_error_and_no_other_is_taken(monkeypatch, named, said):
    hide(monkeypatch, "tflite_runtime")
    monkeypatch.setenv(interpreter.VARIABLE, named)
    with pytest.raises(FerEdgeError, match=said):
        interpreter.find()


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
