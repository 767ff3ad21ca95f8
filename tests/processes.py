"""The command, and a program, in processes of their own as a user starts them."""

import os
import subprocess
import sys
from pathlib import Path

FER_EDGE = Path(sys.executable).with_name("fer-edge")


def fer_edge(*words, **how):
    """`fer-edge WORDS`; how: as of `ended`."""
    return ended(FER_EDGE, *words, **how)


def python(program, *words, **how):
    """`python -c PROGRAM WORDS`; how: as of `ended`."""
    return ended(sys.executable, "-c", program, *words, **how)


def ended(*command, code=None, variables=None, **how):
    """The process at its end. code: the exit code that is asked for. variables: of the environment, besides
    what is there; how: as of subprocess.run."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    how = {**pipes, "env": {**os.environ, **(variables or {})}, **how}
    done = subprocess.run(list(map(str, command)), text=True, check=False, **how)
    said = f"{done.stdout}{done.stderr}"[-1000:]
    assert code in (None, done.returncode), f"exit {done.returncode}: {said}"
    return done
