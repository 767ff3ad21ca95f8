#!/usr/bin/env python3
"""How many faces that nothing was trained on the whole loop names rightly, by network and by detector's crop.

    python benchmarks/labelled.py MEDIA [--model NAME]... [--detector haar] [--detector FILE.tflite]...
        --out benchmarks/results/labelled

MEDIA: the folder of the files in LABELLED, which says what an onlooker saw in their frames, and whether
surely (labels and frame numbers alone: the files themselves are not here). Each frame's largest faces count,
as many as are there; one that is not found is not named rightly.
Writes OUT.json and OUT.md.
"""

from __future__ import annotations

import argparse
import collections
import json
from pathlib import Path
from typing import Any

from fer_edge import files
from fer_edge.console import Table
from fer_edge.model import shipped
from fer_edge.model.classifier import Classifier
from fer_edge.sources import make_capture
from fer_edge.vision.analysis import Analyser
from fer_edge.vision.faces import make_detector

LABELLED = {
    "emotions_pexels.mp4": [
        (0, 60, "sad", True, 1),
        (61, 143, "sad", False, 1),
        (144, 227, "fear", False, 1),
        (228, 248, "happy", False, 1),
        (249, 272, "happy", True, 1),
        (273, 291, "happy", False, 1),
        (292, 471, "happy", True, 1),
    ],
    "neutral_to_smile.mp4": [
        (0, 15, "neutral", True, 1),
        (16, 20, "happy", False, 1),
        (21, 71, "happy", True, 1),
    ],
    "man_smile_turning.mp4": [
        (0, 61, "happy", True, 1),
    ],
    "face_then_noface.mov": [
        (0, 15, "neutral", True, 1),
        (16, 20, "happy", False, 1),
        (21, 71, "happy", True, 1),
    ],
    "two_heads_turning.mp4": [
        (0, 55, "neutral", True, 2),
    ],
    "astronaut.png": [
        (0, 0, "happy", True, 1),
    ],
    "biden2.jpg": [
        (0, 0, "happy", True, 1),
    ],
    "justin.jpg": [
        (0, 0, "happy", False, 1),
    ],
    "obama_480p.jpg": [
        (0, 0, "happy", True, 1),
    ],
    "obama_small_240p.jpg": [
        (0, 0, "happy", True, 1),
    ],
    "partial_face_left_edge.jpg": [
        (0, 0, "happy", True, 1),
    ],
    "single_face.jpg": [
        (0, 0, "happy", True, 1),
    ],
    "two_people.jpg": [
        (0, 0, "neutral", True, 2),
    ],
}
"""What one onlooker saw: of each file first and last frame, label, whether surely, faces in each frame."""


def count(media: Path, model: str, detector: str) -> dict[str, Any]:
    """Of all frames: `sure`, `unsure` and each sure label to [faces, named rightly raw, and smoothed]."""
    classifier, counts = Classifier(model), collections.defaultdict(lambda: [0, 0, 0])
    for name, rows in LABELLED.items():
        file = Path(detector) if detector != "haar" else None
        capture = make_capture(str(media / name))
        finder = make_detector("haar" if file is None else "blazeface", file)
        analyser = Analyser(finder, classifier, still=capture.is_still)
        capture.open()
        for first, last, label, sure, there in rows:
            for _ in range(first, last + 1):
                frame = capture.read()
                seen = analyser.analyse(frame) if frame else ()
                faces = sorted(seen, key=lambda face: -face.box_xywh[2])[:there]
                raw = sum(analyser.labels[int(face.probabilities.argmax())] == label for face in faces)
                shown = sum(face.label == label for face in faces)
                for key in ("sure", label) if sure else ("unsure",):
                    counts[key] = [a + b for a, b in zip(counts[key], (there, raw, shown), strict=True)]
        capture.close()
    return {"model": model, "detector": Path(detector).stem, "counts": dict(counts)}


def table(results: list[dict[str, Any]]) -> Table:
    """Shares of faces that are named rightly."""
    columns = ("model", "detector", "raw %", "smoothed %", "happy", "neutral", "sad", "unsure")
    shown = Table("faces named rightly", columns, words=columns[:2])
    faces = results[0]["counts"]["sure"][0]
    shown.notes = [
        f"raw and smoothed: of the {faces} faces labelled surely, as the network says of each frame and as "
        "it is shown; then as it is shown, by label, and of faces labelled in doubt."
    ]
    for one in results:
        of = one["counts"]
        share = {
            key: (f"{100 * raw / n:.1f}", f"{100 * smooth / n:.1f}") for key, (n, raw, smooth) in of.items()
        }
        rest = [share[key][1] for key in ("happy", "neutral", "sad", "unsure")]
        shown.add(one["model"], one["detector"], *share["sure"], *rest)
    return shown


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("media", type=Path)
    parser.add_argument("--model", action="append")
    parser.add_argument("--detector", action="append", metavar="haar|FILE")
    parser.add_argument("--out", type=Path, required=True)
    given = parser.parse_args()
    models = given.model or [path.stem for path in shipped.models() if path.stem.endswith("_int8")]
    results = [count(given.media, model, how) for model in models for how in given.detector or ["haar"]]
    shown = table(results)
    shown.show()
    files.write_text(given.out.with_suffix(".json"), json.dumps(results, indent=2) + "\n")
    files.write_text(given.out.with_suffix(".md"), shown.markdown())


if __name__ == "__main__":
    main()
