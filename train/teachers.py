"""How often teachers are right, alone and together, each picture with its mirror image, as they teach.

    python train/teachers.py MODEL... --data fer2013.csv

MODEL: shipped names or files, .tflite or .keras, of FER-2013's seven expressions.
"""

from __future__ import annotations

import argparse

import numpy as np

from fer_edge.data import load
from fer_edge.spec import LABELS
from fer_edge.training import teacher


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("models", nargs="+", metavar="MODEL")
    parser.add_argument("--data", required=True)
    asked = parser.parse_args()
    parts = [load(asked.data).part(split) for split in ("PublicTest", "PrivateTest")]
    together = [asked.models] if len(asked.models) > 1 else []
    print("PublicTest PrivateTest")
    for names in [*([name] for name in asked.models), *together]:
        one = teacher.opened(names)
        one.check([LABELS])
        answers = [np.argmax(one(part.images, LABELS), axis=1) for part in parts]
        right = [100 * (given == part.labels).mean() for given, part in zip(answers, parts, strict=True)]
        print(f"{right[0]:10.2f} {right[1]:11.2f}  {' + '.join(names)}", flush=True)


if __name__ == "__main__":
    main()
