import sys
import types

import pytest
from processes import ended
from tiny_models import shipped_style

from fer_edge.errors import FerEdgeError
from fer_edge.model import classifier


def hide(monkeypatch, *packages):
    for package in packages:
        for name in [name for name in sys.modules if name.split(".")[0] == package]:
            monkeypatch.delitem(sys.modules, name)
        monkeypatch.setitem(sys.modules, package, None)  # import raises ModuleNotFoundError


def stand_in(monkeypatch, package):
    """A package with an Interpreter of its own, where this package has it."""
    found = types.SimpleNamespace(Interpreter=type("Interpreter", (), {}), lite=None, __path__=[])
    found.lite = found
    monkeypatch.setitem(sys.modules, package, found)
    monkeypatch.setitem(sys.modules, f"{package}.interpreter", found)
    return found.Interpreter


ANALYSE = "import fer_edge, numpy; print(fer_edge.analyze(numpy.zeros((90, 90), numpy.uint8)))"
PACKAGES = ("ai_edge_litert", "tflite_runtime", "tensorflow")


@pytest.mark.parametrize(
    ("there", "named", "taken"),
    [
        (PACKAGES, "", "ai_edge_litert"),
        (PACKAGES[1:], "", "tflite_runtime"),
        (PACKAGES[2:], "", "tensorflow"),
        (PACKAGES, "litert", "ai_edge_litert"),
        (PACKAGES, "tflite_runtime", "tflite_runtime"),
        (PACKAGES, "tensorflow", "tensorflow"),
    ],
)
def test_the_first_that_is_there_or_the_one_that_is_named(monkeypatch, there, named, taken):
    hide(monkeypatch, *PACKAGES)
    classes = {package: stand_in(monkeypatch, package) for package in there}
    monkeypatch.setenv(classifier.VARIABLE, named)
    assert classifier.find_interpreter() == (taken, classes[taken])


@pytest.mark.parametrize(
    ("hidden", "named", "said"),
    [
        (PACKAGES, "", "^no TFLite interpreter is installed: pip install ai-edge-litert"),
        (PACKAGES[1:], "tflite_runtime", "names tflite_runtime, which is not installed: pip install"),
        (
            (),
            "tflite",
            "^FER_EDGE_INTERPRETER=tflite is not an interpreter: choose from litert, tflite_runtime",
        ),
    ],
)
def test_none_at_all_and_a_name_that_cannot_be_followed(monkeypatch, hidden, named, said):
    hide(monkeypatch, *hidden)
    monkeypatch.setenv(classifier.VARIABLE, named)
    with pytest.raises(FerEdgeError, match=said):
        classifier.find_interpreter()


def test_a_broken_runtime_is_named(monkeypatch, tmp_path):
    hide(monkeypatch, "ai_edge_litert", "tensorflow")
    (tmp_path / "tflite_runtime").mkdir()
    (tmp_path / "tflite_runtime" / "interpreter.py").write_text(
        "raise ImportError('numpy.core.multiarray failed to import')"
    )
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(FerEdgeError, match=r"tflite_runtime is installed but fails: numpy\.core"):
        classifier.find_interpreter()


def test_native_chatter_stays_out_of_stderr(capfd):
    classifier.load_interpreter(shipped_style(), 1, "tiny")
    assert capfd.readouterr().err == ""


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
@pytest.mark.parametrize("kib", [400_000, 60_000])
def test_too_little_address_space_is_one_line(kib):
    """Loading OpenCV ended in SIGSEGV, numpy in its own words."""
    run = f"ulimit -v {kib}; exec {sys.executable} -m fer_edge run --headless no.mp4"
    done = ended("sh", "-c", run)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert f"limited to {kib >> 10} MiB (ulimit -v)" in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="ulimit -v is Linux's")
def test_the_address_space_that_is_asked_for_is_enough():
    needed = "import fer_edge.machine as m; print(m.address_space_mib() << 10)"
    run = f"ulimit -v $({sys.executable} -c '{needed}'); exec {sys.executable} -c '{ANALYSE}'"
    done = ended("sh", "-c", run)
    assert (done.returncode, done.stdout.strip()) == (0, "()"), done.stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="elsewhere the package's start is needed")
def test_the_interpreter_alone_is_loaded_of_litert():
    code = (
        "from fer_edge.model.classifier import find_interpreter as found; ours = found()[1]\n"
        "print('libLiteRt.so' in open('/proc/self/maps').read())\n"
        "from ai_edge_litert import __version__, interpreter; print(interpreter.Interpreter is ours)"
    )
    assert ended(sys.executable, "-c", code).stdout.split() == ["False", "True"]
