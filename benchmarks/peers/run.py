#!/usr/bin/env python3
"""Other programs and runtimes beside ours, on one machine in one run: makes its own environment, runs in it.

Usage: python benchmarks/peers/run.py --json FILE [--markdown FILE] [--data fer2013.csv] [--clip VIDEO]
                                      [--file NAME=PATH:LOW:HIGH ...]

--file adds a model of yours, .tflite or .keras/.hdf5, that takes one gray face in LOW..HIGH and gives the
seven expressions in FER-2013's order: oarriaga's as `--file oarriaga_mini=fer2013_mini_XCEPTION.hdf5:-1:1`,
vicksam's as `--file vicksam=model.tflite:0:1`.
"""

import os
import subprocess
import sys
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = Path(os.environ.get("FER_EDGE_PEERS_ENV", HERE / ".venv"))
WITHOUT_DEPENDENCIES = ("fer==25.10.3", "deepface==0.0.103", "retina-face")


def python() -> Path:
    """The environment's Python, made where it is missing or was not finished."""
    inside = ENVIRONMENT / "bin" / "python"
    done = ENVIRONMENT / ".complete"
    wanted = (HERE / "requirements.txt").read_text() + " ".join(WITHOUT_DEPENDENCIES)
    if not done.exists() or done.read_text() != wanted:
        print(f"making {ENVIRONMENT} (some minutes, 3 GB)", flush=True)
        if not inside.exists():
            venv.create(ENVIRONMENT, with_pip=True)
        pip = [inside, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*pip, "-r", HERE / "requirements.txt"], check=True)
        subprocess.run([*pip, "--no-deps", *WITHOUT_DEPENDENCIES], check=True)
        done.write_text(wanted)
    return inside


if __name__ == "__main__":
    if {"-h", "--help"} & set(sys.argv):
        print(__doc__)
        sys.exit(0)
    inside = python()
    os.environ.update(PYTHONPATH=str(HERE.parents[1]), TF_CPP_MIN_LOG_LEVEL="3", PYTHONWARNINGS="ignore")
    os.environ.update(TF_NUM_INTRAOP_THREADS="1", TF_NUM_INTEROP_THREADS="1", OMP_NUM_THREADS="1")
    os.execv(inside, [str(inside), str(HERE / "inside.py"), *sys.argv[1:]])
