"""Results as data: JSON lines and CSV, flushed line by line, so that a kill leaves whole lines."""

from __future__ import annotations

import contextlib
import csv
import io
import json
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.errors import OutputError
from fer_edge.vision.frames import FrameResult

STDOUT = Path("-")


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
    return json.dumps(value, ensure_ascii=False)


class LineFile:
    """A text file written line by line, each handed to the operating system at once.

    A line that does not fit on a full disk is taken back, so that whole lines are left.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._size = 0
        try:
            files.make_folders(path.parent)
            self._file = sys.stdout.buffer if path == STDOUT else path.open("wb", buffering=0)
        except OSError as error:
            raise OutputError(f"cannot write {path}: {error.strerror}") from error

    def write(self, line: str) -> None:
        """The line and a line feed. Raises OutputError."""
        data = (line + "\n").encode()
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


class JsonlLog:
    """One JSON object a frame, as DESIGN's `run --jsonl` has it."""

    wants_picture = False

    def __init__(self, path: Path, labels: tuple[str, ...]) -> None:
        self._file = LineFile(path)
        self._labels = labels

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Raises OutputError."""
        self._file.write(json_line(result, self._labels))

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


class CsvLog:
    """One row a face, and one with empty fields for a frame without faces."""

    wants_picture = False

    def __init__(self, path: Path, labels: tuple[str, ...]) -> None:
        self._file = LineFile(path)
        head = ["source", "frame", "time_s", "track", "x", "y", "width", "height", "label", "confidence"]
        self._fields = len(head) + len(labels)
        self._file.write(_row([*head, *labels]))

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Raises OutputError."""
        start = [result.frame.source, result.index, round(result.frame.time_s, 6)]
        if not result.faces:
            self._file.write(_row(start + [""] * (self._fields - len(start))))
        for face in result.faces:
            own = [round(float(p), 6) for p in face.probabilities]
            label = face.label or ""
            self._file.write(
                _row([*start, face.track, *face.box_xywh, label, round(float(face.confidence), 6), *own])
            )

    def close(self) -> None:
        """Closes the file."""
        self._file.close()


def _row(values: list[object]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="").writerow(values)
    return text.getvalue()


def picture_line(result: FrameResult) -> str:
    """`FILE: happy 0.98`, the faces after one another, or `FILE: no face`."""
    faces = ", ".join(f"{face.label or 'uncertain'} {face.confidence:.2f}" for face in result.faces)
    return f"{result.frame.source}: {faces or 'no face'}"


class PrintedLines:
    """Prints what each picture shows."""

    wants_picture = False

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """One line."""
        console.say(picture_line(result))

    def close(self) -> None:
        """Nothing is held."""
