"""A `run --jsonl` log read back: each face's expressions over time."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console
from fer_edge.errors import DataError, printable

UNCERTAIN = "uncertain"
LATEST_S = 1e9  # thirty years: no recording has a later time


@dataclass
class Face:
    """One track of one source. times_s: when it was seen. shown: the label then, None while uncertain.

    probabilities: float32 (n, labels), each frame's own.
    """

    source: str
    track: int
    times_s: NDArray[np.float64]
    shown: tuple[str | None, ...]
    probabilities: NDArray[np.float32]

    @property
    def seconds(self) -> float:
        """From its first frame to its last."""
        return float(self.times_s[-1] - self.times_s[0])

    @property
    def shares(self) -> dict[str, float]:
        """The part of its frames that each label was shown in, the largest first."""
        counts = Counter(label or UNCERTAIN for label in self.shown)
        return {label: n / len(self.shown) for label, n in counts.most_common()}

    @property
    def changes(self) -> int:
        """How often the label shown changed."""
        return sum(a != b for a, b in zip(self.shown, self.shown[1:], strict=False))


@dataclass
class Recording:
    """A whole log. faces: the ones seen most first. seconds: of all sources together."""

    path: Path
    labels: tuple[str, ...]
    sources: tuple[str, ...]
    frames: int
    frames_with_face: int
    seconds: float
    faces: tuple[Face, ...]

    @property
    def shares(self) -> dict[str, float]:
        """The part of all faces in all frames that each label was shown in, the largest first."""
        counts = Counter(label or UNCERTAIN for face in self.faces for label in face.shown)
        total = sum(counts.values())
        return {label: n / total for label, n in counts.most_common()}


def read(path: Path) -> Recording:
    """Raises DataError, with the line, for what is no log; a last line cut short is passed over."""
    seen: dict[tuple[str, int], list[tuple[float, str | None, list[float]]]] = {}
    ends: dict[str, list[float]] = {}
    labels: tuple[str, ...] = ()
    frames = with_face = 0
    for number, row in _rows(path):
        try:
            source, time_s, faces = printable(row["source"]), float(row["time_s"]), row["faces"]
            if not -LATEST_S < time_s < LATEST_S:
                raise ValueError("no time of a run")
            frames += 1
            with_face += bool(faces)
            ends.setdefault(source, [time_s, time_s])[1] = time_s
            for face in faces:
                own = tuple(map(printable, face["probabilities"]))
                shares = [float(share) for share in face["probabilities"].values()]
                if not (own and all(map(math.isfinite, shares))):
                    raise ValueError("no face of a run")
                labels = labels or own
                if own != labels:
                    what = f"line {number} of {path} has other labels than the lines before"
                    raise DataError(f"{what}: two models' logs?")
                label = None if face["label"] is None else printable(face["label"])
                seen.setdefault((source, int(face["track"])), []).append((time_s, label, shares))
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise _not_a_log(path, number) from error
    if not frames:
        raise DataError(f"{path} has no line: is it what run --jsonl wrote?")
    whole = []
    for (source, track), rows in sorted(seen.items(), key=lambda item: -len(item[1])):
        times_s, shown, probabilities = zip(*rows, strict=True)
        whole.append(Face(source, track, np.array(times_s), shown, np.array(probabilities, np.float32)))
    seconds = sum(last - first for first, last in ends.values())
    return Recording(path, labels, tuple(ends), frames, with_face, seconds, tuple(whole))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    try:
        with path.open("rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    row = json.loads(line)
                except (ValueError, RecursionError) as error:
                    if not line.endswith(b"\n"):
                        console.warn(f"the last line of {path} is cut short; left out")
                        return
                    raise _not_a_log(path, number) from error
                yield number, row
    except OSError as error:
        raise DataError(f"cannot read {path}: {error.strerror}") from error


def _not_a_log(path: Path, number: int) -> DataError:
    return DataError(f"line {number} of {path} is none of run --jsonl")


def as_dict(recording: Recording, faces: Sequence[Face]) -> dict[str, Any]:
    """Plain types, for `report --json`."""
    return {
        "log": str(recording.path),
        "sources": list(recording.sources),
        "frames": recording.frames,
        "frames_with_face": recording.frames_with_face,
        "seconds": round(recording.seconds, 3),
        "shares": recording.shares,
        "faces": [
            {
                "source": face.source,
                "track": face.track,
                "frames": len(face.shown),
                "first_s": float(face.times_s[0]),
                "seconds": round(face.seconds, 3),
                "label_changes": face.changes,
                "shares": face.shares,
            }
            for face in faces
        ],
    }
