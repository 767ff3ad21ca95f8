"""One folder to disturb commands in."""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np

from faults import moments
from faults.children import Child, Forked, Started
from fer_edge.data.drawn import drawn_faces

FER_EDGE = Path(sys.executable).with_name("fer-edge")
QUIET = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
ROWS = 280  # a quarter of them PublicTest: enough to prove a converted file with
FORKED = ("train", "convert")
DEATHS = (-signal.SIGKILL, -signal.SIGXFSZ)
RECIPE = 'network = "tiny"\nepochs = 2\nbatch_size = 16\ndropout = 0.1\n'


class WrongError(Exception):
    """What must not happen."""


def check(holds: bool, text: str) -> None:
    if not holds:
        raise WrongError(text)


class Bench:
    """One folder to work in, with a small data set, a clip and a cache of its own."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.usual: dict[str, moments.Usual] = {}
        self.started = 0
        (folder / "streams").mkdir()
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
        writer = cv2.VideoWriter(str(self.clip), cv2.VideoWriter.fourcc(*"MJPG"), 25.0, (160, 120))
        noise = np.random.default_rng(0).integers(0, 256, (120, 160, 3), np.uint8)
        for _ in range(150):
            writer.write(noise)
        writer.release()

    @cached_property
    def network(self) -> Path:
        """A `.keras` file of the tiny network, trained."""
        self.whole("train", "--recipe", self.recipe, "--data", self.table, "--out", self.folder / "trained")
        return self.folder / "trained/model.keras"

    def start(
        self,
        *arguments: object,
        file_limit: int | None = None,
        stop: tuple[object, ...] = ("", None, None),
    ) -> Child:
        """A command under way; those of training are forked from a process that has TensorFlow."""
        self.started += 1
        words = [str(word) for word in arguments]
        streams = tuple(self.folder / "streams" / f"{self.started % 9}.{end}" for end in ("out", "errors"))
        if words[0] in FORKED:
            return Forked(words, self.folder, streams, self.env, stop)
        limited = [] if file_limit is None else ["prlimit", f"--fsize={file_limit}"]
        return Started([*limited, str(FER_EDGE), *words], self.folder, streams, self.env)

    def killed(self, *arguments: object, writes: Path) -> moments.Met:
        """Starts the command and kills it at a random moment; what it was at then, or ENDED.

        writes: the folder of its files. The first of each command runs to its end and shows what is usual.
        """
        name, began, before = str(arguments[0]), time.monotonic(), moments.state(writes)
        usual = self.usual.get(name)
        moment = usual.moment(self.rng, name in FORKED) if usual else moments.NEVER
        with moments.Changes.of(writes) as changes:
            child = self.start(*arguments, stop=(str(writes), moment.step, moment.size))
            if moment.come(child.alive, changes):
                child.kill()
            child.wait(60)
            changes.rest()
        if child.code in DEATHS:
            amid = usual is not None and 0 < changes.count < usual.changes
            return moments.Met(moments.phase(before, writes), amid)
        self.plain(arguments, child)
        check(child.code == 0, f"{arguments}: exit {child.code}: {child.errors()[-300:]}")
        largest = max((size for size, _ in moments.state(writes).values()), default=1)
        self.usual[name] = moments.Usual(time.monotonic() - began, changes.count, largest)
        return moments.Met(moments.ENDED)

    def whole(self, *arguments: object, code: int = 0, file_limit: int | None = None) -> str:
        """Runs the command to its end; its standard output. Anything but `code` and plain lines is wrong."""
        child = self.start(*arguments, file_limit=file_limit)
        child.wait(600)
        self.plain(arguments, child)
        check(child.code == code, f"{arguments}: exit {child.code}, not {code}: {child.errors()[-300:]}")
        return child.out()

    def plain(self, arguments: tuple[object, ...], child: Child) -> None:
        """Nothing but lines that were foreseen; at least one where it failed."""
        errors = child.errors()
        check("Traceback" not in child.out() + errors, f"{arguments}: a traceback: {errors[-300:]}")
        check("unexpected" not in errors, f"{arguments}: not foreseen: {errors[-300:]}")
        check(child.code == 0 or bool(errors), f"{arguments}: failed without a word")
