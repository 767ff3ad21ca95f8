"""What the operating system will not do comes as a line, whichever command it meets."""

import subprocess
import sys
from pathlib import Path

import pytest

FER_EDGE = Path(sys.executable).with_name("fer-edge")


def test_a_full_disk_behind_standard_output_is_a_line():
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [FER_EDGE, "inspect", "tuned_int8"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == 1
    assert done.stderr == "fer-edge: cannot read or write: No space left on device\n"


@pytest.mark.parametrize("words", [("data", "x" * 300), ("data", "drawn:42", "--json", "x" * 300)])
def test_a_name_that_is_too_long_is_a_line(words, tmp_path):
    done = subprocess.run([FER_EDGE, *words], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == f"fer-edge: cannot use {'x' * 300}: File name too long\n"
