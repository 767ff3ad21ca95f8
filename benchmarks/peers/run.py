#!/usr/bin/env python3
"""Other programs and runtimes beside ours, on one machine in one run: makes its own environment, runs in it.

Usage: python benchmarks/peers/run.py [--json FILE] [--markdown FILE] [--data fer2013.csv] [--clip VIDEO] ...
       (all options: --help, in that environment)

FER_EDGE_PEERS_ENV is another place for the environment (3 GB) than benchmarks/peers/.venv.
"""

import os
import subprocess
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
ENVIRONMENT = Path(os.environ.get("FER_EDGE_PEERS_ENV", HERE / ".venv"))
WITHOUT_DEPENDENCIES = ("fer==25.10.3", "deepface==0.0.103", "retina-face")
VARIABLES = {
    "PYTHONPATH": f"{HERE.parents[1]}{os.pathsep}{HERE}",
    "PYTHONWARNINGS": "ignore",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    **dict.fromkeys(("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS"), "1"),
}


def python() -> Path:
    """The environment's Python, made where it is missing or was not finished."""
    inside, done = ENVIRONMENT / "bin" / "python", ENVIRONMENT / ".complete"
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
    import sys

    interpreter = str(python())
    os.environ.update(VARIABLES)
    os.execv(interpreter, [interpreter, str(HERE / "measure.py"), *sys.argv[1:]])
