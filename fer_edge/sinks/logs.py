"""Results as text: JSON lines and CSV, flushed line by line, so that a kill leaves whole lines."""

from __future__ import annotations

import contextlib
import csv
import io
import sys
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.errors import OutputError, printable
from fer_edge.vision.frames import FrameResult

STDOUT = Path("-")
PROGRESS_EVERY_S = 0.5


def json_line(result: FrameResult, labels: tuple[str, ...]) -> str:
    """One line of `--jsonl`, without the line feed; plain types, six decimals."""
    value = {
        "source": result.frame.source,
        "frame": result.index,
        "time_s": round(result.frame.time_s, 6),
        "faces": [face.as_dict(labels) for face in result.faces],
    }
    if not result.analysed:
        value["analysed"] = False
    return files.to_json(value)


class LineFile:
    """A text file written line by line, each handed to the operating system at once.

    A line that does not fit on a full disk is taken back, so that whole lines are left.
    """

    wants_picture = False

    def __init__(self, path: Path, force: bool = True) -> None:
        self._path = path
        self._size = 0
        if path != STDOUT:
            self._file = files.open_log(path, force)
        elif sys.stdout is None:
            raise OutputError("cannot write to standard output: it is closed")
        else:
            self._file = sys.stdout.buffer

    def line(self, text: str) -> None:
        """The text and a line feed. Raises OutputError."""
        data = (text + "\n").encode()
        try:
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            self._file.flush()
        except OSError as error:
            with contextlib.suppress(OSError):
                self._file.truncate(self._size)
            reason = f"{error.strerror} (the lines so far are kept)"
            raise OutputError(f"cannot write {self._path}: {reason}") from error
        self._size += len(data)

    def close(self) -> None:
        """May be called twice."""
        if self._path != STDOUT:
            self._file.close()


class JsonlLog(LineFile):
    """One JSON object a frame, as DESIGN's `run --jsonl` has it."""

    def __init__(self, path: Path, labels: tuple[str, ...], force: bool = True) -> None:
        super().__init__(path, force)
        self._labels = labels

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Raises OutputError."""
        self.line(json_line(result, self._labels))


class CsvLog(LineFile):
    """One row a face, and one with empty fields for a frame without faces."""

    def __init__(self, path: Path, labels: tuple[str, ...], force: bool = True) -> None:
        super().__init__(path, force)
        head = ["source", "frame", "time_s", "track", "x", "y", "width", "height", "label", "confidence"]
        self._fields = len(head) + len(labels)
        self.line(_row([*head, *map(printable, labels)]))

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Raises OutputError."""
        start: list[object] = [printable(result.frame.source), result.index, round(result.frame.time_s, 6)]
        if not result.faces:
            self.line(_row(start + [""] * (self._fields - len(start))))
        for face in result.faces:
            named = [printable(face.label or ""), round(float(face.confidence), 6)]
            own = [round(float(p), 6) for p in face.probabilities]
            self.line(_row([*start, face.track, *face.box_xywh, *named, *own]))


def _row(values: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


class PrintedLines:
    """Prints what each picture shows: `FILE: happy 0.98`, or `FILE: no face`."""

    wants_picture = False

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """One line."""
        faces = ", ".join(f"{face.label or 'uncertain'} {face.confidence:.2f}" for face in result.faces)
        console.say(f"{result.frame.source}: {faces or 'no face'}")

    def close(self) -> None:
        """Nothing is held."""


class Progress:
    """One line on a terminal, written again and again: frames, frames a second, time left of `length_s`."""

    wants_picture = False

    def __init__(self, length_s: float | None) -> None:
        self._length_s = length_s
        self._begun_s = self._next_s = time.monotonic()
        self._frames = 0

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Twice a second."""
        self._frames += 1
        now_s = time.monotonic()
        if now_s < self._next_s + PROGRESS_EVERY_S:
            return
        self._next_s = now_s
        took_s = now_s - self._begun_s
        text = f"{self._frames} frames, {self._frames / took_s:.0f} a second"
        if self._length_s and 0 < result.frame.time_s < self._length_s:
            share = result.frame.time_s / self._length_s
            text += f", {share:.0%}, {took_s / share - took_s:.0f} s left"
        print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)

    def close(self) -> None:
        """The line is empty again."""
        if self._next_s > self._begun_s:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)
