"""Inspecting and packaging a file need neither TensorFlow nor Keras."""

import subprocess
import sys

import pytest

HEAVY = ("tensorflow", "keras", "tf_keras", "matplotlib", "sklearn", "pandas")


@pytest.mark.parametrize("arguments", [("inspect", "--layers"), ("compare", "--runs", "0")])
def test_without_tensorflow(arguments, tiny, tmp_path):
    for package in HEAVY:
        (tmp_path / f"{package}.py").write_text("raise ImportError('hidden')")
    command, *options = arguments
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from fer_edge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, command, tiny, *options],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny_int8" in done.stdout
