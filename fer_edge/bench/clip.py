"""Detectors side by side on a video, and how steady the labels are; each row in a process of its own."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge.bench import apart
from fer_edge.bench.lag import LabelLag
from fer_edge.errors import UsageError

if TYPE_CHECKING:
    from fer_edge.loop.summary import Summary
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import Detection, Detector

SAMPLED_EVERY = 6
"""Frames from one sample to the next where only samples are looked at, as by other measurements."""
_TIMEOUT_S = 900


@dataclass(frozen=True)
class Setting:
    """One row. detector: `plain` (the cascade over the whole frame, as tutorials do it), `haar`, `yunet`.

    detector_model, model, card: paths, empty for none; a shipped model's name for `model`. size: (width,
    height) that frames are stretched to, None for the video's own.
    """

    video: str
    detector: str = "haar"
    detector_model: str = ""
    model: str = ""
    card: str = ""
    threads: int = 1
    size: tuple[int, int] | None = None


def parse_size(text: str | None) -> tuple[int, int] | None:
    """`640x480` as (640, 480). Raises UsageError for anything else."""
    if text is None:
        return None
    parts = text.split("x")
    if len(parts) != 2 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(f"size {text!r}: WIDTHxHEIGHT is needed, such as 640x480")
    return int(parts[0]), int(parts[1])


def rows(videos: Sequence[Path], base: Setting, with_yunet: bool) -> tuple[Setting, ...]:
    """Each video with each detector. base: what the rows have in common."""
    detectors = ["plain", "haar"] + ["yunet"] * with_yunet
    common = asdict(base)
    return tuple(
        Setting(**{**common, "video": str(video), "detector": name}) for video in videos for name in detectors
    )


def measure(setting: Setting) -> dict[str, Any]:
    """The row's figures, in plain types. Times in ms a frame, each as p50 and p95.

    `decode_ms`; `frame_ms`: the rest, from a decoded frame to labelled faces; `cpu_ms`: processor time of
    the same, which other programs disturb less; `detect_ms`, `classify_ms`: parts of it. `faces_in_frame`:
    frames by their number of faces (keys are text). `sampled`: the same for one frame of SAMPLED_EVERY.
    `label_lag_s`: see lag.LabelLag, null where no label changed.

    Raises ModelError with the child's words if the video or a model cannot be used.
    """
    width, height = setting.size or (0, 0)
    values = (setting.video, setting.detector, setting.detector_model, setting.model, setting.card)
    arguments = [*values, str(setting.threads), str(width), str(height)]
    return apart.run("clip", arguments, setting.video, timeout_s=_TIMEOUT_S)


def main() -> None:
    """The child's side: the fields of a Setting."""
    video, detector, detector_model, model, card, threads, width, height = sys.argv[1:]
    size = (int(width), int(height)) if int(width) else None
    setting = Setting(video, detector, detector_model, model, card, int(threads), size)
    apart.answer(lambda: _measure_here(setting))


def _measure_here(setting: Setting) -> dict[str, Any]:
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(setting.threads)
    from fer_edge import machine
    from fer_edge.model import shipped
    from fer_edge.model.classifier import Classifier
    from fer_edge.vision.analysis import Analyser

    card = Path(setting.card) if setting.card else None
    classifier = Classifier(setting.model or shipped.DEFAULT_MODEL, setting.threads, card)
    analyser = Analyser(_detector(setting), classifier, policy=classifier.card.crop)
    figures = _over_video(setting, analyser)
    return {
        **asdict(setting),
        "model": classifier.path.stem,
        **figures,
        "peak_rss_mib": machine.peak_rss_mib(),
        "tensorflow_loaded": "tensorflow" in sys.modules,
    }


def _detector(setting: Setting) -> Detector:
    from fer_edge.vision.faces import make_detector

    if setting.detector == "plain":
        return PlainHaar()
    return make_detector(setting.detector, Path(setting.detector_model) if setting.detector_model else None)


class PlainHaar:
    """The cascade as tutorials use it: every frame whole, 1.1, 5 neighbours, 30 px."""

    margin = 0.0

    def __init__(self) -> None:
        from fer_edge.vision.faces import load_cascade

        self._cascade = load_cascade()

    def detect(self, frame_bgr: Any, gray: Any) -> list[Detection]:
        """Boxes of one frame."""
        from fer_edge.vision.faces import Detection

        boxes = self._cascade.detectMultiScale(gray, 1.1, 5, minSize=(30, 30))
        return [Detection((int(x), int(y), int(w), int(h))) for x, y, w, h in boxes]

    detect_still = detect


def _over_video(setting: Setting, analyser: Analyser) -> dict[str, Any]:
    from fer_edge.loop.summary import StageTimes, Summary
    from fer_edge.sources.video import VideoFile
    from fer_edge.vision.frames import FrameResult
    from fer_edge.vision.opencv import cv2

    capture = VideoFile(Path(setting.video), setting.threads)
    capture.open()
    times = StageTimes(("decode", "frame", "cpu"))
    summary, lag = Summary(analyser.labels, [times, analyser.stages]), LabelLag()
    counts: list[int] = []
    while True:
        with times.measure("decode"):
            frame = capture.read()
        if frame is None:
            break
        if setting.size:
            frame = frame._replace(bgr=cv2.resize(frame.bgr, setting.size))  # type: ignore[arg-type]
        cpu_s = time.thread_time()
        with times.measure("frame"):
            faces = analyser.analyse(frame)
        times.add("cpu", time.thread_time() - cpu_s)
        result = FrameResult(frame, len(counts), faces)
        summary.add(result)
        lag.add(result)
        counts.append(len(faces))
    capture.close()
    return _figures(summary, counts, lag)


def _figures(summary: Summary, counts: list[int], lag: LabelLag) -> dict[str, Any]:
    told = summary.as_dict()
    stages = told.pop("stages")
    kept = ("frames", "seconds", "tracks", "label_changes_per_minute", "unsmoothed_label_changes_per_minute")
    return {
        **{key: told[key] for key in kept},
        **{f"{name}_ms": {key: row[key] for key in ("p50_ms", "p95_ms")} for name, row in stages.items()},
        "faces_in_frame": histogram(counts),
        "sampled": {"every": SAMPLED_EVERY, "faces_in_frame": histogram(counts[::SAMPLED_EVERY])},
        "label_lag_s": lag.worst_s,
    }


def histogram(counts: Sequence[int]) -> dict[str, int]:
    """How often each number occurs, by rising number, as JSON's keys."""
    return {str(n): counts.count(n) for n in sorted(set(counts))}
