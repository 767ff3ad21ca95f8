"""What a command of training needs, loaded once and forked for each run: its start-up writes nothing."""

from __future__ import annotations

import os
import resource
import signal
import sys
from typing import Any

from fer_edge.quiet import quiet_training

quiet_training()

import keras  # noqa: E402, F401
import matplotlib.figure  # noqa: E402, F401
import tensorflow  # noqa: E402, F401
import tiny_network  # noqa: E402, F401

import fer_edge.cli  # noqa: E402
import fer_edge.conversion.command  # noqa: E402
import fer_edge.training.session  # noqa: E402


def stop_at(place: str, step: int | None, size: int | None) -> None:
    """Ends this process before its step of that number: a file of `place` opened, renamed or removed.

    size: not there, but at the first file after it that would grow past so many bytes, by the kernel.
    Nothing of Python or of the program runs after that.
    """
    left = step or 0

    def counted(event: str, arguments: tuple[object, ...]) -> None:
        nonlocal left
        if event not in ("open", "os.rename", "os.remove") or not str(arguments[0]).startswith(place):
            return
        if event == "open" and not int(str(arguments[2])) & (os.O_WRONLY | os.O_RDWR):
            return
        left -= 1
        if left:
            return
        if size is None:
            os.kill(os.getpid(), signal.SIGKILL)
        else:
            signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # Python would go on, with an error
            resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    if step is not None:
        sys.addaudithook(counted)


def command(
    words: list[str], folder: str, streams: tuple[str, ...], env: dict[str, str], stop: tuple[Any, ...]
) -> None:
    """`fer-edge WORDS` in `folder`, its two streams in files; stop: as in stop_at."""
    for number, path in enumerate(streams, 1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.environ.update(env)
    os.chdir(folder)
    sys.argv = ["fer-edge", *words]
    stop_at(*stop)
    fer_edge.cli.main()
