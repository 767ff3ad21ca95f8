"""One folder to disturb commands in."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np

from fer_edge.data.drawn import drawn_faces

FER_EDGE = Path(sys.executable).with_name("fer-edge")
QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
ROWS = 280  # a quarter of them PublicTest: enough to prove a converted file with
RECIPE = 'network = "paper"\nepochs = 3\nbatch_size = 16\ndropout = 0.1\n'


class WrongError(Exception):
    """What must not happen."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise WrongError(text)


class Bench:
    """One folder to work in, with a small data set, a clip and a cache of its own."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.takes_s: dict[str, float] = {}
        self.env = {**QUIET, "FER_EDGE_CACHE": str(folder / "cache")}
        self.recipe = folder / "tiny.toml"
        self.recipe.write_text(RECIPE)
        self.table = folder / "fer2013.csv"
        self._write_table()
        self.clip = folder / "clip.avi"
        self._write_clip()

    def _write_table(self) -> None:
        images, labels = drawn_faces(ROWS, 0)
        names = ("Training", "Training", "PublicTest", "PrivateTest")
        rows = [
            f"{label},{' '.join(map(str, image.ravel()))},{names[n // 7 % 4]}"
            for n, (image, label) in enumerate(zip(images, labels, strict=True))
        ]
        self.table.write_text("\n".join(["emotion,pixels,Usage", *rows]) + "\n")

    def _write_clip(self) -> None:
        writer = cv2.VideoWriter(str(self.clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (320, 240))
        noise = np.random.default_rng(0).integers(0, 256, (240, 320, 3), np.uint8)
        for _ in range(400):
            writer.write(noise)
        writer.release()

    def start(self, *arguments: object, file_limit: int | None = None) -> subprocess.Popen[str]:
        limited = [] if file_limit is None else ["prlimit", f"--fsize={file_limit}"]
        return subprocess.Popen(
            [*limited, str(FER_EDGE), *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            errors="backslashreplace",
            env=self.env,
            cwd=self.folder,
        )

    def killed(self, *arguments: object) -> bool:
        """Starts the command and kills it at a random moment; False if it ended before.

        The first of each command runs to its end, which says how long it takes.
        """
        name, began = str(arguments[0]), time.monotonic()
        child = self.start(*arguments)
        try:
            if name in self.takes_s:
                child.wait(self.rng.uniform(0.02, self.takes_s[name] * 1.1))
        except subprocess.TimeoutExpired:
            child.kill()
        child.communicate()
        self.takes_s.setdefault(name, time.monotonic() - began)
        return child.returncode == -signal.SIGKILL

    def whole(self, *arguments: object, code: int = 0, file_limit: int | None = None) -> str:
        """Runs the command to its end; its standard output. Anything but `code` and plain lines is wrong."""
        child = self.start(*arguments, file_limit=file_limit)
        out, errors = child.communicate(timeout=600)
        command = " ".join(map(str, arguments))
        check("Traceback" not in out + errors, f"{command}: a traceback: {errors[-300:]}")
        check("unexpected" not in errors, f"{command}: not foreseen: {errors.strip()[-300:]}")
        check(
            child.returncode == code,
            f"{command}: exit {child.returncode}, not {code}: {errors.strip()[-300:]}",
        )
        if code:
            check(bool(errors.strip()), f"{command}: failed without a word")
        return out
