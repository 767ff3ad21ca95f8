"""The whole loop on a video: frames a second, where a frame's time goes, faces found, memory.

The video is brought to each size beforehand (its proportions kept, black bars round it, MPEG-4); then
every size is run in turn, each run in a process of its own, with one face log written and every frame
drawn, as for a live view, but not encoded.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import machine
from fer_edge.bench import apart
from fer_edge.bench.accuracy import Progress
from fer_edge.errors import OutputError
from fer_edge.model.classifier import check
from fer_edge.sources.video import VideoFile
from fer_edge.vision.opencv import cv2

SIZES = ((320, 240), (640, 480), (1280, 720))
"""Width and height of the frames, pixels."""
ROUNDS = 3
_TIMEOUT_S = 600


@dataclass(frozen=True)
class Setting:
    """faces: how many are in every frame of the video, by whoever knows it. threads: of everything."""

    video: Path
    faces: int
    model: Path
    threads: int = 1
    rounds: int = ROUNDS
    sizes: tuple[tuple[int, int], ...] = SIZES


def run(setting: Setting, progress: Progress) -> dict[str, Any]:
    """The value of `bench --loop --json`. Raises SourceError, ModelError, OutputError."""
    described = machine.describe()
    check(setting.model)
    about = {"video": setting.video.name, "faces": setting.faces, "model": setting.model.stem}
    rows = measure(setting, progress)
    return {
        "schema": 1,
        "machine": described,
        "loop": {**about, "threads": setting.threads, "rounds": setting.rounds, "rows": rows},
    }


def measure(setting: Setting, progress: Progress) -> list[dict[str, Any]]:
    """A row a size; see `_merged`. Raises SourceError for no video, ModelError, OutputError."""
    runs: dict[tuple[int, int], list[dict[str, Any]]] = {size: [] for size in setting.sizes}
    with tempfile.TemporaryDirectory() as folder, progress("loop", len(runs) * (setting.rounds + 1)) as step:
        clips = {}
        for width, height in setting.sizes:
            clips[width, height] = resized(
                setting.video, Path(folder, f"{width}x{height}.mp4"), (width, height)
            )
            step(1)
        for _ in range(setting.rounds):
            for size, clip in clips.items():
                log = str(clip.with_suffix(".jsonl"))
                arguments = (str(clip), log, str(setting.model), str(setting.threads), str(setting.faces))
                runs[size].append(
                    apart.run("loop_child", arguments, str(setting.video), timeout_s=_TIMEOUT_S)
                )
                step(1)
    return [{"width": size[0], "height": size[1], **_merged(rows)} for size, rows in runs.items()]


def resized(video: Path, target: Path, size_wh: tuple[int, int]) -> Path:
    """Writes the video with frames of `size_wh`, proportions kept, black round it; gives `target`."""
    capture = VideoFile(video)
    capture.open()
    writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), capture.fps or 25.0, size_wh)
    if not writer.isOpened():
        raise OutputError("this OpenCV cannot write MPEG-4: the loop cannot be measured at other sizes")
    try:
        while (frame := capture.read()) is not None:
            writer.write(framed(frame.bgr, size_wh))
    finally:
        writer.release()
        capture.close()
    return target


def framed(frame_bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 (height, width, 3) of `size_wh`: the picture as large as fits, centred, black round it."""
    height, width = frame_bgr.shape[:2]
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner = max(1, round(width * scale)), max(1, round(height * scale))
    filter_ = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    out = np.zeros((size_wh[1], size_wh[0], 3), np.uint8)
    left, top = (size_wh[0] - inner[0]) // 2, (size_wh[1] - inner[1]) // 2
    out[top : top + inner[1], left : left + inner[0]] = cv2.resize(frame_bgr, inner, interpolation=filter_)
    return out


def _merged(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """One row of several runs: the run with the median of `fps`, and the lowest and highest `fps`.

    frames, fps, cpu_ms (a frame), stages_ms (mean a frame of read, detect, crop, classify, draw, write
    and other), found (share of the known faces), extra (boxes too many), peak_rss_mib, rss_mib, disturbed.
    """
    ordered = sorted(rows, key=lambda row: row["fps"])
    middle = ordered[(len(ordered) - 1) // 2]
    ends = {"fps_low": ordered[0]["fps"], "fps_high": ordered[-1]["fps"]}
    return {**middle, **ends, "disturbed": any(row["disturbed"] for row in rows)}
