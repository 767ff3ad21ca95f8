"""What a command of training needs, loaded once and forked for each run: its start-up writes nothing."""

from __future__ import annotations

import os
import sys

from fer_edge.quiet import quiet_training

quiet_training()

import keras  # noqa: E402, F401
import matplotlib.figure  # noqa: E402, F401
import tensorflow  # noqa: E402, F401

import fer_edge.cli  # noqa: E402
import fer_edge.conversion.command  # noqa: E402
import fer_edge.training.session  # noqa: E402


def command(words: list[str], folder: str, streams: tuple[str, ...], env: dict[str, str]) -> None:
    """`fer-edge WORDS` in `folder`, its two streams in files."""
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = ["fer-edge", *words]
    fer_edge.cli.main()
