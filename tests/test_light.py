"""The device side loads nothing heavy, asks no network, and keeps frames only where that is asked for."""

import shutil
import sys
import zipfile

import pytest
from drawn_clip import drawn_clip
from processes import FER_EDGE, ended, python

HEAVY = ("tensorflow", "keras", "tf_keras", "torch", "jax", "matplotlib", "sklearn", "pandas")
NEEDLESS = (
    *HEAVY, "rich", "uvicorn", "starlette", "ssl", "hashlib", "email", "http", "asyncio", "tempfile",
    "numpy.ma", "numpy.random", "importlib.metadata",
    "fer_edge.data", "fer_edge.bench", "fer_edge.sinks.web",
    "fer_edge.evaluation.report",
)  # fmt: skip
"""What a run over a video has no use for: each costs memory on a device."""
HOOK = """
import os, sys

def refuse(event, arguments):
    if event.startswith("socket."):
        with open(os.environ["FER_EDGE_TRIED"], "a") as file:
            print(event, arguments, file=file)

sys.addaudithook(refuse)
"""
COMMANDS = {
    "video": ("run", "clip.avi", "--headless", "--save", "o.avi", "--max-frames", "3"),
    "bench": ("bench", "tuned_int8", "--runs", "1", "--warmup", "1", "--patience", "0"),
    "data": ("data", "drawn:42"),
    "doctor": ("doctor",),
    "inspect": ("inspect", "nano_int8"),
    "help": ("--help",),
    "help of run": ("run", "--help"),
}


def test_a_run_over_a_video_loads_what_it_needs_and_no_more(tmp_path):
    clip, log = drawn_clip(tmp_path / "clip.avi"), tmp_path / "faces.jsonl"
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('needless', sorted(set(sys.modules) & set({NEEDLESS!r}))))\n"
        f"sys.argv = ['fer-edge', 'run', {str(clip)!r}, '--headless', '--jsonl', {str(log)!r}]\n"
        "from fer_edge.cli import main\n"
        "main()"
    )
    assert python(code, code=0).stdout.splitlines()[-1] == "needless []"
    assert len(log.read_text().splitlines()) == 12


@pytest.fixture
def run(tmp_path):
    """Runs a command where what is heavy fails when it is imported: its output, and the sockets it tried."""
    drawn_clip(tmp_path / "clip.avi")
    hook, tried = tmp_path / "hook", tmp_path / "tried"
    hook.mkdir()
    tried.touch()
    for name in HEAVY:
        (hook / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    (hook / "sitecustomize.py").write_text(HOOK)

    def run(*command, code=0):
        variables = {"PYTHONPATH": str(hook), "FER_EDGE_TRIED": str(tried)}
        done = ended(*command, cwd=tmp_path, variables=variables, code=code)
        said = done.stdout + done.stderr
        assert "was imported" not in said
        return said, tried.read_text()

    return run


@pytest.mark.parametrize("name", COMMANDS)
def test_device_commands_do_without_tensorflow_and_open_no_socket(run, name):
    assert run(FER_EDGE, *COMMANDS[name])[1] == ""


def test_the_hook_sees_a_socket_that_is_opened(run):
    assert "socket.__new__" in run(sys.executable, "-c", "import socket; socket.socket().close()")[1]


def test_a_network_with_a_forbidden_layer_is_refused_before_tensorflow_loads(run, tmp_path):
    with zipfile.ZipFile(tmp_path / "m.keras", "w") as archive:
        archive.writestr("config.json", '{"module": "keras.layers", "class_name": "Lambda"}')
        archive.writestr("metadata.json", "{}")
        archive.writestr("model.weights.h5", "")
    for words in (("convert", "m.keras"), ("verify", "nano_int8", "m.keras"), ("evaluate", "m.keras")):
        said, _ = run(FER_EDGE, *words, "--data", "drawn:420", code=1)
        assert "m.keras needs keras.layers.Lambda, which this program does not load" in said


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace, to see what native code does")
def test_no_native_code_opens_a_socket_of_the_internet(run, tmp_path):
    strace = ("strace", "-f", "-qq", "-e", "trace=socket,connect", "-o", "trace")
    run(*strace, FER_EDGE, *COMMANDS["video"])
    assert "AF_INET" not in (tmp_path / "trace").read_text()


def test_frames_are_kept_only_where_they_are_asked_for(run, tmp_path):
    before = {path.name for path in tmp_path.iterdir()}
    run(FER_EDGE, "run", "clip.avi", "--headless")
    assert {path.name for path in tmp_path.iterdir()} == before
