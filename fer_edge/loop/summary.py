"""What a run has seen, counted frame by frame, and how long its stages took; said at its end."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from fer_edge.vision.frames import FrameResult

KEPT = 4096  # latest times of a stage, for its percentiles
REMEMBERED = 64  # tracks whose last label is kept; older ones have left the picture


class StageTimes:
    """Durations by stage; the count is of all, mean and percentiles are of the latest KEPT."""

    def __init__(self, names: Sequence[str]) -> None:
        self._times_s = {name: np.zeros(KEPT) for name in names}
        self._counts = dict.fromkeys(names, 0)

    @contextlib.contextmanager
    def measure(self, name: str) -> Iterator[None]:
        """Measures the block, whether it succeeds or not."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(name, time.perf_counter() - start)

    def add(self, name: str, seconds: float) -> None:
        """One duration of the stage."""
        self._times_s[name][self._counts[name] % KEPT] = seconds
        self._counts[name] += 1

    def table(self) -> dict[str, dict[str, float]]:
        """Stage to n, mean_ms, p50_ms, p95_ms; stages that never ran are left out."""
        rows = {}
        for name, count in self._counts.items():
            if count:
                ms = np.sort(self._times_s[name][:count]) * 1000
                # np.percentile would load numpy.ma: 2 MiB on a device, for two numbers.
                p50, p95 = np.interp((0.5 * (len(ms) - 1), 0.95 * (len(ms) - 1)), np.arange(len(ms)), ms)
                rows[name] = {
                    "n": count,
                    "mean_ms": round(float(ms.mean()), 3),
                    "p50_ms": round(float(p50), 3),
                    "p95_ms": round(float(p95), 3),
                }
        return rows


class Summary:
    """Counts over the frames of a run, which begins now; its memory does not grow."""

    def __init__(self, labels: tuple[str, ...], stages: list[StageTimes]) -> None:
        self.frames = 0
        self.dropped = 0
        self.unreadable = 0
        self._stages = stages
        self._labels = labels
        self._frames_with_face = 0
        self._shares: Counter[str] = Counter()
        self._last_label: dict[int, tuple[str | None, int]] = {}
        self._changes = [0, 0]
        self._tracks = 0
        self._seconds = 0.0
        self._first_s: float | None = None
        self._begun_s = time.monotonic()

    def add(self, result: FrameResult) -> None:
        """Counts a frame and its faces."""
        self.frames += 1
        if self._first_s is None:
            self._first_s = result.frame.time_s
        self._seconds = max(self._seconds, result.frame.time_s - self._first_s)
        self._frames_with_face += bool(result.faces)
        for face in result.faces:
            self._shares[face.label or "uncertain"] += 1
            own = int(face.probabilities.argmax())
            before = self._last_label.get(face.track)
            if before:
                self._changes[0] += before[0] != face.label
                self._changes[1] += before[1] != own
            else:
                self._tracks += 1
                if len(self._last_label) >= REMEMBERED:
                    self._last_label.pop(next(iter(self._last_label)))
            self._last_label[face.track] = (face.label, own)

    def as_dict(self, still: bool = False) -> dict[str, Any]:
        """Plain types, for `--json`; label changes a minute are left out for pictures."""
        faces = sum(self._shares.values())
        value: dict[str, Any] = {
            "frames": self.frames,
            "dropped": self.dropped,
            "unreadable": self.unreadable,
            "frames_with_face": self._frames_with_face,
            "faces": faces,
            "shares": {name: n / faces for name, n in self._shares.most_common()},
            "stages": {name: row for stages in self._stages for name, row in stages.table().items()},
        }
        value["took_s"] = round(time.monotonic() - self._begun_s, 3)
        if not still:
            minutes = self._seconds / 60
            value["tracks"] = self._tracks
            value["seconds"] = round(self._seconds, 3)
            value["label_changes_per_minute"] = self._changes[0] / minutes if minutes else 0.0
            value["unsmoothed_label_changes_per_minute"] = self._changes[1] / minutes if minutes else 0.0
        return value

    def lines(self, still: bool = False) -> list[str]:
        """The same for a reader, a few lines."""
        value = self.as_dict(still)
        shares = ", ".join(f"{name} {share:.0%}" for name, share in value["shares"].items()) or "none"
        if still:
            return [
                f"{self.frames} pictures, {self.unreadable} unreadable, {value['faces']} faces",
                f"expressions: {shares}",
            ]
        times = ", ".join(
            f"{name} {row['p50_ms']:.1f} ({row['p95_ms']:.1f})" for name, row in value["stages"].items()
        )
        return [
            f"{self.frames} frames of {value['seconds']:.1f} s, in {value['took_s']:.1f} s, {self.dropped} "
            f"dropped; a face in {self._frames_with_face}, {value['tracks']} different",
            f"expressions: {shares}",
            f"label changes a minute: {value['label_changes_per_minute']:.0f} "
            f"(unsmoothed {value['unsmoothed_label_changes_per_minute']:.0f})",
            f"ms a frame, p50 (p95): {times or 'none'}",
        ]
