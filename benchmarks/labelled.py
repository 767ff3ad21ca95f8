#!/usr/bin/env python3
"""How many faces that nothing was trained on the whole loop names rightly, by network and by detector's crop.

    python benchmarks/labelled.py MEDIA [--model NAME]... [--detector haar] [--detector FILE.tflite]...
        --out benchmarks/results/labelled

MEDIA: the folder of the files in labelled.csv, which says what an onlooker saw in their frames, and whether
surely. Each frame's largest faces count, as many as are there; one that is not found is not named rightly.
Writes OUT.json and OUT.md.
"""

from __future__ import annotations

import argparse
import collections
import csv
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

HERE = Path(__file__).resolve().parent


def labels() -> dict[str, list[dict[str, str]]]:
    """File to its rows: first and last frame, label, whether it is sure, faces in each frame."""
    by_file = collections.defaultdict(list)
    with (HERE / "labelled.csv").open() as rows:
        for row in csv.DictReader(rows):
            by_file[row["file"]].append(row)
    return by_file


def count(media: Path, model: str, detector: str) -> dict[str, Any]:
    """Of all frames: `sure`, `unsure` and each sure label to [faces, named rightly raw, and smoothed]."""
    classifier, counts = Classifier(model), collections.defaultdict(lambda: [0, 0, 0])
    for name, rows in labels().items():
        file = Path(detector) if detector != "haar" else None
        capture = make_capture(str(media / name))
        finder = make_detector("haar" if file is None else "blazeface", file)
        analyser = Analyser(finder, classifier, policy=classifier.card.crop, still=capture.is_still)
        capture.open()
        for n in range(1 + max(int(row["last"]) for row in rows)):
            frame = capture.read()
            seen = analyser.analyse(frame) if frame else ()
            row = next((row for row in rows if int(row["first"]) <= n <= int(row["last"])), None)
            if row is None:
                continue
            there = int(row["faces"])
            faces = sorted(seen, key=lambda face: -face.box_xywh[2])[:there]
            raw = sum(analyser.labels[int(face.probabilities.argmax())] == row["label"] for face in faces)
            shown = sum(face.label == row["label"] for face in faces)
            for key in ("sure", row["label"]) if row["sure"] == "yes" else ("unsure",):
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
