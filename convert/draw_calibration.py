"""Draws the calibration rows that are committed: python convert/draw_calibration.py fer2013.csv"""

import sys
from pathlib import Path

from fer_edge.conversion import formats, source
from fer_edge.data import load

HERE = Path(__file__).resolve().parent

if __name__ == "__main__":
    recipe = formats.read(HERE / "recipes" / "default.toml")
    source.write_ids(load(sys.argv[1]), recipe.calibration_samples, 0, HERE / "calibration_fer2013.json")
