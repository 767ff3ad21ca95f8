#!/usr/bin/env python3
"""Detectors and steadiness of labels on one's own videos, as JSON and as Markdown tables.

    python benchmarks/detectors.py CLIP:FACES[@FRAMES]... [--yunet FILE] [--blazeface FILE]...
        [--size 640x480]... --out benchmarks/results/detectors

FACES: in each frame, or in the first FRAMES of them and none later. Each video is run with the cascade over
every whole frame, with fer-edge's Haar search, and with YuNet and BlazeFace where their files are given; then
its first frames are turned and shrunk. Each run has a process of its own. Writes OUT.json and OUT.md. For a
quiet machine.
"""

from __future__ import annotations

import argparse
import itertools
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from fer_edge import files, machine
from fer_edge.console import Table, milliseconds
from fer_edge.model import shipped

CHANGES = [(15, 1.0), (25, 1.0), (40, 1.0), (0, 0.5), (0, 0.25), (0, 0.15)]
"""Degrees by which the frames are turned, and the share of their size that they are shrunk to."""
CHANGED_FRAMES = 48
SAMPLED_EVERY = 6
"""Frames from one sample to the next where only samples are looked at, as by other measurements."""


class PlainHaar:
    """The cascade as tutorials use it: every frame whole, 1.1, 5 neighbours, 30 px."""

    margin = 0.0

    def __init__(self) -> None:
        from fer_edge.vision.haar import load_cascade

        self._cascade = load_cascade()

    def detect(self, frame_bgr: Any) -> list[Any]:
        """Detections of one frame."""
        from fer_edge.vision.crop import to_gray
        from fer_edge.vision.frames import Detection

        boxes = self._cascade.detectMultiScale(to_gray(frame_bgr), 1.1, 5, minSize=(30, 30))
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


def run(
    video: str,
    detector: str,
    model: str,
    threads: int,
    size: list[int] | None,
    faces: int | None = None,
    frames_with: int | None = None,
    turn_deg: float = 0,
    shrink: float = 1.0,
) -> dict[str, Any]:
    """One video with one detector, in this process: times in ms a frame, frames by their number of faces.

    detector: `plain`, or a name of fer-edge's with its `model`. size: width and height that frames are
    stretched to, None for the video's own. faces: known to be in each frame, or in the first `frames_with`.
    turn_deg, shrink: see CHANGES; such a video ends after CHANGED_FRAMES.
    """
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop import Summary
    from fer_edge.model.classifier import Classifier
    from fer_edge.sources.video import VideoFile
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import make_detector
    from fer_edge.vision.frames import FrameResult

    classifier = Classifier(shipped.DEFAULT_MODEL, threads)
    least_px = 20 if shrink < 1 else None
    finder = PlainHaar()
    if detector != "plain":
        finder = make_detector(detector, Path(model) if model else None, least_px, threads)
    analyser = Analyser(finder, classifier)
    capture = VideoFile(Path(video), threads)
    capture.open()
    times = analyser.stages
    summary, lag, counts = Summary(times), LabelLag(), []
    while True:
        with times.measure("decode"):
            frame = capture.read()
        if frame is None or ((turn_deg or shrink < 1) and len(counts) == CHANGED_FRAMES):
            break
        if size:
            frame = frame._replace(bgr=cv2.resize(frame.bgr, size))
        if turn_deg or shrink < 1:
            height, width = frame.bgr.shape[:2]
            small = cv2.resize(frame.bgr, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA)
            matrix = cv2.getRotationMatrix2D((small.shape[1] / 2, small.shape[0] / 2), turn_deg, 1.0)
            matrix[:, 2] += (width - small.shape[1]) / 2, (height - small.shape[0]) / 2
            frame = frame._replace(
                bgr=cv2.warpAffine(small, matrix, (width, height), borderMode=cv2.BORDER_REPLICATE)
            )
        cpu_s = time.thread_time()
        with times.measure("frame"):
            seen = analyser.analyse(frame)
        times.add("cpu", time.thread_time() - cpu_s)
        result = FrameResult(frame, len(counts), seen)
        summary.write(result)
        lag.add(result)
        counts.append(len(seen))
    capture.close()
    known = [0 if faces is None or (frames_with and n >= frames_with) else faces for n in range(len(counts))]
    told = summary.as_dict()
    kept = ("frames", "seconds", "tracks", "label_changes_per_minute", "unsmoothed_label_changes_per_minute")
    stages = told["stages"].items()
    return {
        "video": Path(video).name,
        "detector": f"{detector} {Path(model).stem}".strip(),
        "turn_deg": turn_deg,
        "shrink": shrink,
        "known": sum(known) if faces is not None else None,
        "found": sum(min(n, there) for n, there in zip(counts, known, strict=True)),
        "false": sum(max(n - there, 0) for n, there in zip(counts, known, strict=True)),
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


def recall(rows: list[dict[str, Any]]) -> Table:
    """Of all videos together: what was found, and what was found of faces turned and shrunk."""

    def of(detector: str, size: Any, change: tuple[float, float]) -> list[dict[str, Any]]:
        same = [row for row in rows if (row["detector"], row["size"]) == (detector, size)]
        return [
            row for row in same if (row["turn_deg"], row["shrink"]) == change and row["known"] is not None
        ]

    names = [f"turned {turn}" if turn else f"to {shrink:.0%}" for turn, shrink in CHANGES]
    table = Table(
        "faces", ("detector", "size", "found", "false", *names, "detect", "MiB"), words=["detector"]
    )
    table.notes = [
        "found: of the faces that are there, all videos together; false: boxes beyond them, in all frames. "
        f"turned (degrees) and to (a share of the size): found of the first {CHANGED_FRAMES} frames of each. "
        "detect: p50 in ms, the slowest video's."
    ]
    for detector, size in dict.fromkeys((row["detector"], tuple(row["size"] or ())) for row in rows):
        chosen = [of(detector, list(size) or None, change) for change in [(0, 1.0), *CHANGES]]
        sums = [[sum(row[key] or 0 for row in some) for key in ("found", "known")] for some in chosen]
        shares = [f"{found / known:.1%}" if known else None for found, known in sums]
        plain = chosen[0]
        slowest = max((row["detect_ms"]["p50_ms"] for row in plain), default=None)
        memory = max((row["peak_rss_mib"] or 0 for row in plain), default=None)
        false = sum(row["false"] for row in plain)
        shown = "x".join(map(str, size)) or "own"
        table.add(detector, shown, shares[0], false, *shares[1:], milliseconds(slowest), f"{memory or 0:.0f}")
    return table


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
    parser.add_argument("videos", nargs="+", metavar="CLIP:FACES[@FRAMES]")
    parser.add_argument("--yunet", default=[], action="append", metavar="FILE")
    parser.add_argument("--blazeface", default=[], action="append", metavar="FILE")
    parser.add_argument("--size", default=[], action="append", metavar="WIDTHxHEIGHT")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    sizes: list[Any] = [[int(side) for side in size.split("x")] for size in given.size] or [None]
    finders = [("plain", ""), ("haar", ""), *(("yunet", path) for path in given.yunet)]
    finders += [("blazeface", path) for path in given.blazeface]
    described, rows = machine.describe(), []
    for video, (detector, model), size in itertools.product(given.videos, finders, sizes):
        path, _, known = video.rpartition(":")
        faces, _, frames_with = known.partition("@")
        if not faces.isdecimal():
            parser.error(f"{video}: CLIP:FACES is needed, such as clip.mp4:1")
        for change in [(0, 1.0), *(CHANGES if size == sizes[0] and detector != "plain" else ())]:
            asked = [path, detector, model, given.threads, size, int(faces), int(frames_with or 0), *change]
            done = subprocess.run(
                [sys.executable, __file__, "--one", json.dumps(asked)],
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode:
                sys.exit(f"{video}, {detector}: {done.stderr.strip().splitlines()[-1]}")
            rows.append(json.loads(done.stdout.splitlines()[-1]))
    whole = [row for row in rows if (row["turn_deg"], row["shrink"]) == (0, 1.0)]
    shown = recall(rows), *tables(whole)
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
