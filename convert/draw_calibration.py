"""Draws the calibration rows that are committed: python convert/draw_calibration.py fer2013.csv"""

import json
import sys

from fer_edge.conversion import formats, source
from fer_edge.data import load

SEED = 0

if __name__ == "__main__":
    recipe = formats.read("default")
    dataset = load(sys.argv[1])
    ids = source.draw(dataset, recipe.calibration_samples, SEED)
    head = {"data_sha256": dataset.sha256, "split": "Training", "seed": SEED}
    lines = ",\n    ".join(", ".join(map(str, ids[k : k + 15])) for k in range(0, len(ids), 15))
    text = json.dumps(head, indent=2)[:-2] + f',\n  "ids": [\n    {lines}\n  ]\n}}\n'
    source.COMMITTED.write_text(text)
