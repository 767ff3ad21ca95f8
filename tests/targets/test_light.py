"""Inspecting and packaging a file need neither TensorFlow nor Keras."""

import subprocess
import sys

HEAVY = ("tensorflow", "keras", "tf_keras", "matplotlib", "sklearn", "pandas")


def test_inspect_without_tensorflow(tiny, tmp_path):
    for package in HEAVY:
        (tmp_path / f"{package}.py").write_text("raise ImportError('hidden')")
    program = "import sys; sys.path.insert(0, sys.argv.pop(1)); from fer_edge.cli import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, tmp_path, "inspect", tiny, "--layers"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "tiny_int8" in done.stdout
