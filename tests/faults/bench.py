"""One folder to disturb commands in: they are started, killed at some moment, and looked at."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from drawn_clip import drawn_clip, write_table

COMMAND = (sys.executable, Path(__file__).with_name("stopped.py"))
ROWS = 280  # a quarter of them PublicTest: enough to prove a converted file with
PHASES = ("nothing yet", "half-written", "files finished")
ENDED = "ended before"
MET = "met"  # a fault that a command cannot miss


class WrongError(Exception):
    """What must not happen."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise WrongError(text)


def empty(folder: Path, *inside: str) -> Path:
    """The folder anew, with these in it."""
    shutil.rmtree(folder, ignore_errors=True)
    for name in ("", *inside):
        (folder / name).mkdir(parents=True)
    return folder


def state(folder: Path) -> dict[Path, tuple[int, int]]:
    """Size and time of every file but locks."""
    paths = [path for path in folder.rglob("*") if path.is_file() and path.name != ".lock"]
    return {path: (path.stat().st_size, path.stat().st_mtime_ns) for path in paths}


class Bench:
    """seconds: what an undisturbed run of each command took here."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.seconds: dict[str, float] = {}
        self.env = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
        self.env |= {"FER_EDGE_CACHE": str(folder / "cache"), "PYTHONPATH": str(Path(__file__).parents[1])}
        self.recipe = folder / "tiny.toml"
        self.recipe.write_text('network = "tiny"\nepochs = 2\nbatch_size = 16\ndropout = 0.1\n')
        self.table = write_table(folder / "fer2013.csv", ROWS)
        self.clip = drawn_clip(folder / "clip.avi", frames_each=150)

    def start(
        self, *arguments: object, before: tuple[object, ...] = (*COMMAND, "-", 0, -1)
    ) -> subprocess.Popen[str]:
        words, pipe = list(map(str, (*before, *arguments))), subprocess.PIPE
        return subprocess.Popen(words, stdout=pipe, stderr=pipe, text=True, env=self.env, cwd=self.folder)

    def killed(self, *arguments: object, writes: Path, in_a_write: bool = True) -> str:
        """Starts the command and kills it: half of the time after a random time, else it stops by itself at
        one of its writings into the folder `writes`, or `in_a_write`. What it was at then, or ENDED.

        The first of each command runs to its end and shows how long it takes.
        """
        name, began, before = str(arguments[0]), time.monotonic(), state(writes)
        usual = self.seconds.get(name)
        step, size = 0, -1
        if usual and self.rng.random() < 0.5:
            step = self.rng.randint(1, 12)
            size = self.rng.choice((-1, self.rng.randint(0, 20_000))) if in_a_write else -1
        child = self.start(*arguments, before=(*COMMAND, writes, step, size))
        try:
            child.wait(600 if step or not usual else self.rng.uniform(0, usual))
        except subprocess.TimeoutExpired:
            child.kill()
        out, errors = child.communicate(timeout=60)
        if child.returncode not in (-signal.SIGKILL, -signal.SIGXFSZ):
            self.plain(arguments, child.returncode, out, errors)
            check(child.returncode == 0, f"{arguments}: exit {child.returncode}: {errors[-300:]}")
            self.seconds.setdefault(name, time.monotonic() - began)
            return ENDED
        new = [path for path, stat in state(writes).items() if before.get(path) != stat]
        if any(part.startswith(".") for path in new for part in path.relative_to(writes).parts):
            return PHASES[1]
        return PHASES[2] if new else PHASES[0]

    def whole(self, *arguments: object, code: int = 0, file_limit: int | None = None) -> str:
        """Runs the command to its end; its standard output. Anything but `code` and plain lines is wrong."""
        limited = () if file_limit is None else ("prlimit", f"--fsize={file_limit}")
        child = self.start(*arguments, before=(*limited, *COMMAND, "-", 0, -1))
        out, errors = child.communicate(timeout=600)
        self.plain(arguments, child.returncode, out, errors)
        check(child.returncode == code, f"{arguments}: exit {child.returncode}, not {code}: {errors[-300:]}")
        return out

    def plain(self, arguments: tuple[object, ...], code: int, out: str, errors: str) -> None:
        """Nothing but lines that were foreseen; at least one where it failed."""
        check("Traceback" not in out + errors, f"{arguments}: a traceback: {errors[-300:]}")
        check("unexpected" not in errors, f"{arguments}: not foreseen: {errors[-300:]}")
        check(code == 0 or bool(errors), f"{arguments}: failed without a word")
