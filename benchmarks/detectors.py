#!/usr/bin/env python3
"""Detectors and steadiness of labels on one's own videos, as JSON and as a Markdown table.

    python benchmarks/detectors.py CLIP... [--yunet FILE] [--size 640x480] --out benchmarks/results/detectors

Each video is run with the cascade over every whole frame, with fer-edge's search, and with YuNet where its
file is given; each run in a process of its own. Writes OUT.json and OUT.md. For a quiet machine.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fer_edge import files, machine
from fer_edge.model import shipped
from fer_edge.tables import Table, milliseconds

SAMPLED_EVERY = 6
"""Frames from one sample to the next where only samples are looked at, as by other measurements."""


class PlainHaar:
    """The cascade as tutorials use it: every frame whole, 1.1, 5 neighbours, 30 px."""

    margin = 0.0

    def __init__(self) -> None:
        from fer_edge.vision.faces import load_cascade

        self._cascade = load_cascade()

    def detect(self, frame_bgr: Any, gray: Any) -> list[Any]:
        """Detections of one frame."""
        from fer_edge.vision.faces import Detection

        boxes = self._cascade.detectMultiScale(gray, 1.1, 5, minSize=(30, 30))
        return [Detection((int(x), int(y), int(w), int(h))) for x, y, w, h in boxes]

    detect_still = detect


class LabelLag:
    """How late smoothing shows a change: from the first of the frames that said it to the label's change.

    worst_s: the longest of a video in seconds, None before the first change.
    """

    def __init__(self) -> None:
        self.worst_s: float | None = None
        self._own: dict[int, int] = {}
        self._since: dict[tuple[int, int], float] = {}
        self._shown: dict[int, str | None] = {}

    def add(self, result: Any) -> None:
        """The next frame, a FrameResult."""
        for face in result.faces:
            own, time_s = int(face.probabilities.argmax()), result.frame.time_s
            if self._own.get(face.track) != own:
                self._own[face.track] = own
                self._since[face.track, own] = time_s
            before = self._shown.get(face.track, face.label)
            self._shown[face.track] = face.label
            if face.label is not None and face.label != before:
                began_s = self._since.get((face.track, int(face.smoothed.argmax())), time_s)
                self.worst_s = max(self.worst_s or 0.0, round(time_s - began_s, 3))


def run(video: str, detector: str, model: str, threads: int, size: list[int] | None) -> dict[str, Any]:
    """One video with one detector, in this process: times in ms a frame, frames by their number of faces.

    detector: `plain`, `haar`, or `yunet` with its `model`. size: width and height that frames are stretched
    to, None for the video's own.
    """
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop.summary import StageTimes, Summary
    from fer_edge.model.classifier import Classifier
    from fer_edge.sources.video import VideoFile
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import make_detector
    from fer_edge.vision.frames import FrameResult

    classifier = Classifier(shipped.DEFAULT_MODEL, threads)
    finder = PlainHaar() if detector == "plain" else make_detector(detector, Path(model) if model else None)
    analyser = Analyser(finder, classifier, policy=classifier.card.crop)
    capture = VideoFile(Path(video), threads)
    capture.open()
    times = StageTimes(("decode", "frame", "cpu"))
    summary, lag, counts = Summary(analyser.labels, [times, analyser.stages]), LabelLag(), []
    while True:
        with times.measure("decode"):
            frame = capture.read()
        if frame is None:
            break
        if size:
            frame = frame._replace(bgr=cv2.resize(frame.bgr, size))
        cpu_s = time.thread_time()
        with times.measure("frame"):
            faces = analyser.analyse(frame)
        times.add("cpu", time.thread_time() - cpu_s)
        result = FrameResult(frame, len(counts), faces)
        summary.add(result)
        lag.add(result)
        counts.append(len(faces))
    capture.close()
    told = summary.as_dict()
    kept = ("frames", "seconds", "tracks", "label_changes_per_minute", "unsmoothed_label_changes_per_minute")
    stages = told["stages"].items()
    return {
        "video": Path(video).name,
        "detector": detector,
        "threads": threads,
        "size": size,
        "model": classifier.path.stem,
        **{key: told[key] for key in kept},
        **{f"{name}_ms": {key: row[key] for key in ("p50_ms", "p95_ms")} for name, row in stages},
        "faces_in_frame": histogram(counts),
        "sampled": {"every": SAMPLED_EVERY, "faces_in_frame": histogram(counts[::SAMPLED_EVERY])},
        "label_lag_s": lag.worst_s,
        "peak_rss_mib": machine.peak_rss_mib(),
    }


def histogram(counts: list[int]) -> dict[str, int]:
    """How often each number occurs, by rising number, as JSON's keys."""
    return {str(n): counts.count(n) for n in sorted(set(counts))}


def by_faces(counts: dict[str, int]) -> str:
    """`2, 470, 0`: frames without a face, with one, with two ..."""
    most = max(map(int, counts), default=0)
    return ", ".join(str(counts.get(str(n), 0)) for n in range(max(most, 1) + 1))


def tables(rows: list[dict[str, Any]]) -> tuple[Table, Table]:
    """Time and memory; what was found, and how steady the labels are."""
    times = ("p50", "p95", "cpu p50", "cpu p95", "detect", "classify", "decode")
    words = ("video", "detector")
    speed = Table("ms of a frame", (*words, "size", *times, "MiB"), words=words)
    steady = ("0, 1, 2 .. faces", "sampled", "ids", "raw/min", "shown/min", "late s")
    found = Table("faces and labels", (*words, *steady), words=words)
    speed.notes = [
        f"{rows[0]['model']}, {rows[0]['threads']} thread(s). p50 and p95: from a decoded frame to labelled "
        "faces; cpu: processor time of the same; detect and classify: p50 of these parts. MiB: peak of the "
        "process. plain: the cascade over every whole frame at 1.1, 5 neighbours, 30 px."
    ]
    found.notes = [
        "0, 1, 2 .. faces: frames by the number of faces found in them; sampled: the same for one frame of "
        f"{SAMPLED_EVERY}. raw and shown: changes of labels a minute, as the model gives them and smoothed; "
        "late: the longest time from the first frame that said a label to its being shown."
    ]
    for row in rows:
        size = "x".join(map(str, row["size"])) if row["size"] else "own"
        ends = [row[name][key] for name in ("frame_ms", "cpu_ms") for key in ("p50_ms", "p95_ms")]
        parts = [row.get(f"{name}_ms", {}).get("p50_ms") for name in ("detect", "classify", "decode")]
        memory = f"{row['peak_rss_mib']:.0f}" if row["peak_rss_mib"] else None
        speed.add(row["video"], row["detector"], size, *map(milliseconds, (*ends, *parts)), memory)
        changes = (row["unsmoothed_label_changes_per_minute"], row["label_changes_per_minute"])
        late = None if row["label_lag_s"] is None else f"{row['label_lag_s']:.2f}"
        seen = (by_faces(row["faces_in_frame"]), by_faces(row["sampled"]["faces_in_frame"]), row["tracks"])
        found.add(row["video"], row["detector"], *seen, *(f"{change:.0f}" for change in changes), late)
    return speed, found


def main() -> None:
    if sys.argv[1:2] == ["--one"]:
        print(json.dumps(run(*json.loads(sys.argv[2]))))
        return
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", nargs="+", type=Path)
    parser.add_argument("--yunet", type=Path)
    parser.add_argument("--size", metavar="WIDTHxHEIGHT")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    size = [int(part) for part in given.size.split("x")] if given.size else None
    described, rows = machine.describe(), []
    for video in given.videos:
        for detector in ["plain", "haar"] + ["yunet"] * bool(given.yunet):
            asked = json.dumps([str(video), detector, str(given.yunet or ""), given.threads, size])
            done = subprocess.run(
                [sys.executable, __file__, "--one", asked], capture_output=True, text=True, check=False
            )
            if done.returncode:
                sys.exit(f"{video}, {detector}: {done.stderr.strip().splitlines()[-1]}")
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    shown = tables(rows)
    for table in shown:
        table.show()
    files.write_text(
        given.out.with_suffix(".json"),
        json.dumps({"machine": described, "detectors": rows}, indent=2) + "\n",
    )
    where = f"{described['cpu']}, {described['system']}, {described['opencv']}.\n"
    text = "\n".join(table.markdown() for table in shown)
    files.write_text(given.out.with_suffix(".md"), f"{text}\n{where}")


if __name__ == "__main__":
    main()
