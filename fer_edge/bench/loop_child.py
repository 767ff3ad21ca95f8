"""One run of the loop in a process of its own, with what `fer-edge run` loads and little else.

Memory is of this whole process, the command line included: what a user's run over the same video takes.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fer_edge import cli, machine
from fer_edge.bench import apart, watch

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from fer_edge.vision.frames import FrameResult


class Counter:
    """A sink that counts faces and takes the drawn pictures, as a display does.

    known: faces in every frame. found, extra: of them, and beyond them, over all frames.
    """

    wants_picture = True

    def __init__(self, known: int) -> None:
        self.frames = self.found = self.extra = 0
        self._known = known

    def write(self, result: FrameResult, annotated: NDArray[np.uint8] | None) -> None:
        """Counts one frame."""
        self.frames += 1
        self.found += min(len(result.faces), self._known)
        self.extra += max(0, len(result.faces) - self._known)

    def close(self) -> None:
        """Nothing is held."""


def main() -> None:
    """The child's side: arguments VIDEO LOG MODEL THREADS FACES; LOG is written as by `run --jsonl`."""
    video, log, model, threads, faces = sys.argv[1:]
    apart.answer(lambda: _measure_here(Path(video), Path(log), model, int(threads), int(faces)))


def _measure_here(video: Path, log: Path, model: str, threads: int, known: int) -> dict[str, Any]:
    cli.application(("run",))
    from fer_edge.vision.opencv import cv2

    cv2.setNumThreads(threads)
    from fer_edge.loop.realtime import Loop
    from fer_edge.model.classifier import Classifier
    from fer_edge.sinks.logs import JsonlLog
    from fer_edge.sources import make_capture
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import make_detector

    capture = make_capture(str(video), num_threads=threads)
    capture.open()
    classifier = Classifier(model, threads, checked=True)
    analyser = Analyser(make_detector("haar"), classifier, policy=classifier.card.crop)
    counter = Counter(known)
    loop = Loop(analyser, [JsonlLog(log, analyser.labels), counter])
    with watch.Watch() as meanwhile:
        loop.run(capture)
    elapsed = meanwhile.elapsed_s
    stages = loop.summary.as_dict()["stages"]
    frames = counter.frames
    means = {name: row["mean_ms"] * row["n"] / frames for name, row in stages.items()}
    return {
        "frames": frames,
        "fps": frames / elapsed,
        "cpu_ms": 1e3 * meanwhile.cpu_s / frames,
        "stages_ms": {**means, "other": 1e3 * elapsed / frames - sum(means.values())},
        "found": counter.found / (known * frames) if known else None,
        "extra": counter.extra,
        "peak_rss_mib": machine.peak_rss_mib(),
        "rss_mib": machine.rss_mib(),
        "disturbed": meanwhile.disturbed(),
    }
