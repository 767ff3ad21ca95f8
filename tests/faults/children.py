"""A command of fer-edge under way: started as anybody does, or forked where its start would cost most."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import time
from abc import ABC, abstractmethod
from functools import cache
from pathlib import Path
from typing import Any

TESTS = Path(__file__).resolve().parents[1]
Streams = tuple[Path, ...]


class Child(ABC):
    """streams: files of what it prints. code: as of subprocess, once it has ended."""

    def __init__(self, streams: Streams) -> None:
        self.streams = streams

    def out(self) -> str:
        return self.streams[0].read_text(errors="backslashreplace").strip()

    def errors(self) -> str:
        return self.streams[1].read_text(errors="backslashreplace").strip()

    @property
    @abstractmethod
    def code(self) -> int | None: ...

    @abstractmethod
    def alive(self) -> bool: ...

    @abstractmethod
    def kill(self) -> None: ...

    @abstractmethod
    def wait(self, seconds: float) -> None: ...

    def pause(self, seconds: float) -> None:
        """Waits so long at most; it goes on."""
        until = time.monotonic() + seconds
        while self.alive() and time.monotonic() < until:
            time.sleep(0.01)


class Started(Child):
    """Its streams are pipes while it runs: what limits its files must not limit them."""

    def __init__(self, words: list[str], folder: Path, streams: Streams, env: dict[str, str]) -> None:
        super().__init__(streams)
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(words, stdout=pipe, stderr=pipe, env=env, cwd=folder)

    @property
    def code(self) -> int | None:
        return self._process.returncode

    def alive(self) -> bool:
        return self._process.poll() is None

    def kill(self) -> None:
        self._process.kill()

    def wait(self, seconds: float) -> None:
        for path, text in zip(self.streams, self._process.communicate(timeout=seconds), strict=True):
            path.write_bytes(text)


@cache
def _forking() -> multiprocessing.context.ForkServerContext:
    os.environ["PYTHONPATH"] = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")])
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["faults.preloaded"])
    first = context.Process(target=int)  # waits until all is loaded, which no moment is to fall on
    first.start()
    first.join()
    return context


def _command(*arguments: Any) -> None:
    from faults.preloaded import command

    command(*arguments)


class Forked(Child):
    """stop: as in preloaded.stop_at."""

    def __init__(
        self, words: list[str], folder: Path, streams: Streams, env: dict[str, str], stop: tuple[Any, ...]
    ) -> None:
        super().__init__(streams)
        for stream in streams:
            stream.write_text("")
        arguments = (words, str(folder), tuple(map(str, streams)), env, stop)
        self._process = _forking().Process(target=_command, args=arguments)
        self._process.start()

    @property
    def code(self) -> int | None:
        return self._process.exitcode

    def alive(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        self._process.kill()

    def wait(self, seconds: float) -> None:
        self._process.join(seconds)
        if self._process.exitcode is None:
            self._process.kill()
            raise TimeoutError(f"over {seconds:g} s")
