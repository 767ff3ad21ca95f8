#!/usr/bin/env python3
"""What it brings to level a tilted head by its eyes before the crop: PublicTest, upright and turned.

    python benchmarks/align.py --data fer2013.csv --detector FILE.tflite [--model NAME] [--every N]

Each picture is enlarged to 192 px, padded and turned; where BlazeFace finds a face in it, it is classified as
it is, and levelled. Prints how many are named rightly, as a Markdown table.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from fer_edge.data import load
from fer_edge.model.classifier import Classifier
from fer_edge.vision.blazeface import BlazeFaceDetector
from fer_edge.vision.crop import crop_face
from fer_edge.vision.opencv import cv2

SIDE, EDGE = 192, 48  # px: of the enlarged picture, and of what is added on each side of it
WHOLE = SIDE + 2 * EDGE


def turned(picture, degrees):
    """uint8 (WHOLE, WHOLE), turned round the middle."""
    matrix = cv2.getRotationMatrix2D(((WHOLE - 1) / 2, (WHOLE - 1) / 2), degrees, 1.0)
    return cv2.warpAffine(picture, matrix, (WHOLE, WHOLE), borderMode=cv2.BORDER_REPLICATE)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True)
    parser.add_argument("--detector", type=Path, required=True)
    parser.add_argument("--model", default="edge_int8")
    parser.add_argument("--every", type=int, default=1, help="one picture of so many")
    given = parser.parse_args()
    dataset, classifier = load(given.data).part("PublicTest"), Classifier(given.model)
    rows = range(0, len(dataset.labels), given.every)
    detector = BlazeFaceDetector(given.detector)
    print("| turned by | found | as it is | eyes levelled |\n| --: | --: | --: | --: |")
    for degrees in (0, -15, 15, -25, 25, -40, 40):
        plain, level, labels = [], [], []
        for row in rows:
            large = cv2.resize(dataset.images[row], (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
            whole = cv2.copyMakeBorder(large, EDGE, EDGE, EDGE, EDGE, cv2.BORDER_REPLICATE)
            picture = turned(whole, degrees)
            found = detector.detect_still(cv2.cvtColor(picture, cv2.COLOR_GRAY2BGR))
            if found:
                labels.append(dataset.labels[row])
                box = (EDGE, EDGE, SIDE, SIDE)
                plain.append(crop_face(picture, box))
                level.append(crop_face(picture, box, roll_deg=found[0].roll_deg))
        shares = [
            float((classifier.predict(np.stack(faces)).argmax(axis=1) == labels).mean())
            for faces in (plain, level)
        ]
        print(
            f"| {degrees}° | {len(labels)} of {len(rows)} | {shares[0]:.1%} | {shares[1]:.1%} |", flush=True
        )


if __name__ == "__main__":
    main()
