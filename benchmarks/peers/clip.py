"""A whole video through fer's pipeline and through ours, one thread each, no display, no saved video."""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path


def ours(clip: str, most: int) -> dict[str, int]:
    """Frames and frames with a face."""
    from fer_edge.loop import Loop, Pace
    from fer_edge.model import shipped
    from fer_edge.model.classifier import Classifier
    from fer_edge.sinks.logs import JsonlLog
    from fer_edge.sources.video import VideoFile
    from fer_edge.vision.analysis import Analyser
    from fer_edge.vision.faces import make_detector

    classifier = Classifier(shipped.best_here(), 1)
    analyser = Analyser(make_detector("haar"), classifier, policy=classifier.card.crop)
    capture = VideoFile(Path(clip))
    capture.open()
    with tempfile.TemporaryDirectory() as folder:
        loop = Loop(
            analyser, [JsonlLog(Path(folder, "f.jsonl"), analyser.labels)], pace=Pace(max_frames=most)
        )
        loop.run(capture)
    value = loop.summary.as_dict()
    return {"frames": value["frames"], "frames_with_face": value["frames_with_face"]}


def fer(clip: str, most: int) -> dict[str, int]:
    """The same by fer's Video.analyze with its Haar detector and its quantised model, its default."""
    from fer.classes import Video
    from fer.fer import FER

    quiet = {"save_frames": False, "save_video": False, "annotate_frames": False, "zip_images": False}
    with tempfile.TemporaryDirectory() as folder:
        video = Video(clip, outdir=folder)
        rows = video.analyze(FER(), output="pandas", max_results=most, use_async_io=False, **quiet)
    boxes = [name for name in rows.columns if name.startswith("box")][:1]
    return {"frames": len(rows), "frames_with_face": int(rows[boxes].notna().any(axis=1).sum())}


if __name__ == "__main__":
    import cv2

    from fer_edge import machine

    cv2.setNumThreads(1)
    which = {"ours": ours, "fer": fer}[sys.argv[1]]
    which(sys.argv[2], 2)  # imports and loading, which are not the pipeline's speed
    start = time.perf_counter()
    found = which(sys.argv[2], int(sys.argv[3]))
    seconds = time.perf_counter() - start
    print(json.dumps({**found, "fps": found["frames"] / seconds, "peak_rss_mib": machine.peak_rss_mib()}))
