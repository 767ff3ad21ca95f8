"""The whole loop on a video: frames per second, time per stage, memory.

The video is first scaled to each size (same proportions, black bars, MPEG-4). Then each size is run in turn,
in a separate process, which writes a face log and draws every frame, as for a live view, without encoding it.
"""

import contextlib
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import child, console, machine
from fer_edge.console import Table, milliseconds
from fer_edge.errors import OutputError
from fer_edge.model import file
from fer_edge.sources.video import VideoFile
from fer_edge.vision.crop import resize_face
from fer_edge.vision.opencv import cv2

STAGES = ("read", "detect", "crop", "classify", "draw", "write", "other")
"""Stages of the loop, in order; other: the rest."""


def run(
    video: Path,
    model: Path,
    threads: int = 1,
    detector: str = "auto",
    detector_model: Path | None = None,
    *,
    rounds: int = 3,
    sizes: Sequence[tuple[int, int]] = ((320, 240), (640, 480), (1280, 720)),
) -> dict[str, Any]:
    """The value of `bench --loop --json`: one row per size.

    threads: of everything. detector, detector_model: as for `run`. rounds: runs per size, of which that with
    the median `fps` counts. sizes: width and height of the frames, pixels.
    Raises SourceError if it is not a video, ModelError, OutputError.
    """
    described = machine.describe()
    file.check(file.read_bytes(model), str(model))
    given = (str(model), threads, detector, str(detector_model or ""))
    runs: dict[tuple[int, int], list[dict[str, Any]]] = {size: [] for size in sizes}
    with tempfile.TemporaryDirectory() as folder:
        clips = {size: Path(folder, f"{size[0]}.mp4") for size in sizes}
        for size, clip in console.each("bringing the video to each size", list(clips.items())):
            resized(video, clip, size)
        for size, clip in console.each("loop", list(clips.items()) * rounds):
            runs[size].append(child.run(run_here, str(clip), *given, what=str(video), timeout_s=600))
    rows = []
    for (width, height), own in runs.items():
        middle = sorted(own, key=lambda row: row["fps"])[(len(own) - 1) // 2]
        disturbed = any(row["disturbed"] for row in own)
        rows.append({"width": width, "height": height, **middle, "disturbed": disturbed})
    about = {"video": video.name, "model": model.stem, "threads": threads}
    about |= {"detector": detector, "rounds": rounds, "rows": rows}
    return {"schema": 1, "machine": described, "loop": about}


def table(result: dict[str, Any]) -> Table:
    """One row per size: frames per second, ms of each stage, memory."""
    about = result["loop"]
    headers = ("frame", "fps", *STAGES, "MiB")
    found = Table("the loop", headers, optional=("other", "write", "crop"))
    for row in about["rows"]:
        size, fps = f"{row['width']}x{row['height']}", f"{row['fps']:.0f}" + "*" * row["disturbed"]
        times = (milliseconds(row["stages_ms"].get(name)) for name in STAGES)
        found.add(size, fps, *times, milliseconds(row["peak_rss_mib"]))
    found.notes = [
        f"{about['video']}, {about['rows'][0]['frames']} frames, {about['model']}, "
        f"{about['detector']}, {about['threads']} thread(s), "
        f"{result['machine'].get('cpu')}. fps: the whole loop, with a face log and drawing. Stages: mean "
        "ms a frame. MiB: peak of the process."
    ]
    return found


def resized(video: Path, target: Path, size_wh: tuple[int, int]) -> None:
    """Writes the video with frames of `size_wh` to `target`, each as `framed` gives it."""
    with contextlib.closing(VideoFile(video)) as capture:
        capture.open()
        writer = cv2.VideoWriter(str(target), cv2.VideoWriter.fourcc(*"mp4v"), capture.fps or 25.0, size_wh)
        if not writer.isOpened():
            raise OutputError("this OpenCV cannot write MPEG-4: the loop cannot be measured at other sizes")
        while (frame := capture.read()) is not None:
            writer.write(framed(frame.bgr, size_wh))
        writer.release()


def framed(frame_bgr: NDArray[np.uint8], size_wh: tuple[int, int]) -> NDArray[np.uint8]:
    """uint8 (height, width, 3) of `size_wh`: the picture as large as fits, centred, black round it."""
    height, width = frame_bgr.shape[:2]
    scale = min(size_wh[0] / width, size_wh[1] / height)
    inner_hw = max(1, round(height * scale)), max(1, round(width * scale))
    whole = np.zeros((*size_wh[::-1], 3), np.uint8)
    top, left = (whole.shape[0] - inner_hw[0]) // 2, (whole.shape[1] - inner_hw[1]) // 2
    whole[top : top + inner_hw[0], left : left + inner_hw[1]] = resize_face(frame_bgr, inner_hw)
    return whole


def run_here(video: str, model: str, threads: int, detector: str, detector_model: str) -> dict[str, Any]:
    """One run, in a process that loads what `fer-edge run` loads; its face log is beside the video.

    frames, fps, stages_ms (mean a frame of STAGES), peak_rss_mib of the whole process, disturbed.
    """
    from fer_edge import cli

    cli.application(("run",))
    cv2.setNumThreads(threads)
    from fer_edge.loop import Loop
    from fer_edge.model.classifier import Classifier
    from fer_edge.sinks import PictureSink
    from fer_edge.sinks.logs import JsonlLog
    from fer_edge.sources import make_capture
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import make_detector

    capture = make_capture(video, num_threads=threads)
    capture.open()
    classifier = Classifier(model, threads, checked=True)
    finder = make_detector(detector, Path(detector_model) if detector_model else None, None, threads)
    analyser = Analyser(finder, classifier)
    log = Path(video).with_suffix(".jsonl")
    loop = Loop(analyser, [JsonlLog(log, analyser.labels), PictureSink()])
    with machine.Watch() as meanwhile:
        loop.run(capture)
    frames, elapsed = len(log.read_text().splitlines()), meanwhile.elapsed_s
    stages = loop.summary.as_dict()["stages"]
    means = {n: row["mean_ms"] * row["n"] / frames for n, row in stages.items() if n in STAGES}
    return {
        "frames": frames,
        "fps": frames / elapsed,
        "stages_ms": {**means, "other": 1e3 * elapsed / frames - sum(means.values())},
        "peak_rss_mib": machine.peak_rss_mib(),
        "disturbed": meanwhile.disturbed,
    }
