"""How the process of a command ends."""

import subprocess
import sys

import pytest

BUSY_INSIDE_OPENCV = """
import atexit, sys, threading, time
import numpy as np
from fer_edge.opencv import cv2

class TakenDown:
    def __del__(self):  # keeps Python's end waiting until the thread wants to go on
        time.sleep(0.5)

def work():
    while True:
        cv2.blur(picture, (9, 9))

sys.taken_down = TakenDown()
picture = np.zeros((500, 500), np.uint8)
threading.Thread(target=work, daemon=True).start()
atexit.register(lambda: print("tidied up"))
from fer_edge.cli import main
main()
"""


@pytest.mark.parametrize(
    ("arguments", "code"), [(["--version"], 0), (["run", "no-such-file"], 1), (["run", "--every", "0"], 2)]
)
def test_a_thread_that_is_inside_a_driver_does_not_abort_the_process(arguments, code):
    done = subprocess.run(
        [sys.executable, "-c", BUSY_INSIDE_OPENCV, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == code, done.stderr
    assert done.stdout.endswith("tidied up\n")
    assert "terminate" not in done.stderr
