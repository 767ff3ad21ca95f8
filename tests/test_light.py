"""The device side runs where TensorFlow and Keras cannot be imported."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_clip import drawn_clip

FER_EDGE = Path(sys.executable).with_name("fer-edge")
HEAVY = ("tensorflow", "keras", "tf_keras", "torch", "jax", "matplotlib", "sklearn", "pandas")


def test_the_command_line_imports_nothing_heavy():
    code = f"import sys, fer_edge.cli; print(sorted(set(sys.modules) & set({HEAVY!r})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


NEEDLESS = (
    *HEAVY, "rich", "uvicorn", "starlette", "ssl", "hashlib", "email", "http", "asyncio", "tempfile",
    "numpy.ma", "numpy.random", "importlib.metadata",
    "fer_edge.data", "fer_edge.bench", "fer_edge.sinks.web",
    "fer_edge.evaluation.report",
)  # fmt: skip
"""What a run over a video has no use for: each costs memory on a device."""


def test_a_run_over_a_video_loads_what_it_needs_and_no_more(tmp_path):
    clip, log = drawn_clip(tmp_path / "clip.avi"), tmp_path / "faces.jsonl"
    code = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('needless', sorted(set(sys.modules) & set({NEEDLESS!r}))))\n"
        f"sys.argv = ['fer-edge', 'run', {str(clip)!r}, '--headless', '--jsonl', {str(log)!r}]\n"
        "from fer_edge.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "needless []"
    assert len(log.read_text().splitlines()) == 12


@pytest.fixture
def without_tensorflow(tmp_path):
    for name in ("tensorflow", "keras", "tf_keras"):
        (tmp_path / f"{name}.py").write_text(f"raise RuntimeError('{name} was imported')\n")
    return dict(os.environ, PYTHONPATH=str(tmp_path))


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("run", "--help"),
        ("bench", "--runs", "3", "--warmup", "1"),
        ("doctor",),
        ("inspect", "nano_int8"),
    ],
    ids=" ".join,
)
def test_device_commands_do_without_tensorflow(arguments, without_tensorflow):
    done = subprocess.run(
        [FER_EDGE, *arguments], check=False, capture_output=True, text=True, env=without_tensorflow
    )
    assert done.returncode == 0, done.stderr
    assert "was imported" not in done.stdout + done.stderr


def test_a_picture_is_read_without_tensorflow(media, without_tensorflow):
    done = subprocess.run(
        [FER_EDGE, "run", media / "obama_480p.jpg", "--headless"],
        capture_output=True,
        text=True,
        env=without_tensorflow,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "happy" in done.stdout
