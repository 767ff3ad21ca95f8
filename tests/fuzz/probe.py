"""A kind that misbehaves as its input says, to try the harness itself with."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from fer_edge.errors import DataError
from fuzz.mutation import Random


def make(rng: Random) -> bytes:
    return rng.bytes(4)


def attempt(data: bytes, folder: Path) -> None:
    if data == b"die":
        os.kill(os.getpid(), signal.SIGSEGV)
    elif data == b"wait":
        time.sleep(60)
    elif data == b"raise":
        raise ValueError("not one of ours")
    elif data == b"two lines":
        error = DataError()
        error.args = ("one\ntwo",)
        raise error
    elif data == b"refuse":
        raise DataError("no")
