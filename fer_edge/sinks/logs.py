"""Results as text: logs flushed line by line, so that a kill leaves whole lines; and terminal output."""

import contextlib
import io
import os
import sys
import time
from pathlib import Path

from fer_edge import console, files
from fer_edge.errors import OutputError, printable
from fer_edge.sinks import Sink
from fer_edge.vision.frames import FrameResult

BAR = 20  # characters
PROGRESS_EVERY_S = 0.5


class LineFile(Sink):
    """A text file whose lines are passed to the operating system immediately; `-` is standard output.

    If the disk is full, an incomplete line is removed again, except from standard output.
    """

    def __init__(self, path: Path, labels: tuple[str, ...], force: bool = True) -> None:
        self._path, self._labels = path, labels
        self._size = 0
        if str(path) == "-" and sys.stdout is None:
            raise OutputError("cannot write to standard output: it is closed")
        self._is_new = str(path) != "-" and not os.path.lexists(path)
        self._file = sys.stdout.buffer if str(path) == "-" else files.open_log(path, force)
        self._is_file = str(path) != "-" and path.is_file()  # standard output may have others' lines: `>>`

    def line(self, text: str) -> None:
        """The text and a line feed. Raises OutputError."""
        data = (text + "\n").encode()
        try:
            if not self._size and self._is_file:
                self._file.truncate(0)  # an older log, kept until now
            left = memoryview(data)
            while left:
                left = left[self._file.write(left) :]
            self._file.flush()
        except OSError as error:
            if self._is_file:
                self._file.truncate(self._size)
            reason = f"{error.strerror} (the lines so far are kept)"
            raise OutputError(f"cannot write {self._path}: {reason}") from error
        self._size += len(data)

    def close(self) -> None:
        if str(self._path) != "-":
            self._file.close()
        if self._is_new and not self._size:  # nothing came: as if it had not been begun
            self._path.unlink(missing_ok=True)


class JsonlLog(LineFile):
    """One JSON object per frame, as in DESIGN's `run --jsonl`: plain types, six decimals."""

    def write(self, result: FrameResult) -> None:
        faces = []
        for face in result.faces:
            shares = face.probabilities.astype(float).round(6).tolist()
            faces.append(face.as_dict() | {"probabilities": dict(zip(self._labels, shares, strict=True))})
        time_s = round(result.frame.time_s, 6)
        value = {"source": result.frame.source, "frame": result.index, "time_s": time_s, "faces": faces}
        if not result.analysed:
            value["analysed"] = False
        self.line(files.to_json(value))


class CsvLog(LineFile):
    """One row per face, and one with empty fields for an analysed frame without faces."""

    def __init__(self, path: Path, labels: tuple[str, ...], force: bool = True) -> None:
        super().__init__(path, labels, force)
        head = ["source", "frame", "time_s", "track", "x", "y", "width", "height", "label", "confidence"]
        self._head: list[object] = [*head, *map(printable, labels)]

    def write(self, result: FrameResult) -> None:
        if not self._size:
            self._row(self._head)
        start: list[object] = [printable(result.frame.source), result.index, round(result.frame.time_s, 6)]
        if result.analysed and not result.faces:
            self._row(start + [""] * (len(self._head) - len(start)))
        for face in result.faces:
            label, own = printable(face.label or ""), face.probabilities.astype(float).round(6)
            self._row([*start, face.track, *face.box_xywh, label, round(face.confidence, 6), *own])

    def _row(self, values: list[object]) -> None:
        import csv  # a run without this log needs none

        text = io.StringIO()
        csv.writer(text, lineterminator="").writerow(values)
        self.line(text.getvalue())


class PrintedLines(Sink):
    """Prints what each picture shows: `FILE: happy 0.98`, or `FILE: no face`."""

    def write(self, result: FrameResult) -> None:
        faces = ", ".join(f"{face.label or 'uncertain'} {face.confidence:.2f}" for face in result.faces)
        console.say(f"{result.frame.source}: {faces or 'no face'}")


class Progress(Sink):
    """A line on a terminal that is overwritten: frames, frames per second, and if the length of a file is
    known, `length_s`, a bar and the time left."""

    def __init__(self, length_s: float | None) -> None:
        self._length_s = length_s
        self._begun_s = self._shown_s = time.monotonic()
        self._frames = 0

    def write(self, result: FrameResult) -> None:
        self._frames += 1
        now_s = time.monotonic()
        if now_s < self._shown_s + PROGRESS_EVERY_S:
            return
        self._shown_s, took_s = now_s, now_s - self._begun_s
        text = f"{self._frames} frames, {self._frames / took_s:.0f} a second"
        if self._length_s and 0 < result.frame.time_s < self._length_s:
            share = result.frame.time_s / self._length_s
            bar = ("#" * round(BAR * share)).ljust(BAR, "-")
            text = f"[{bar}] {share:.0%}, {text}, {console.clock(took_s / share - took_s)} left"
        self._print(text)

    def close(self) -> None:
        if self._shown_s > self._begun_s:
            self._print("")

    def _print(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
