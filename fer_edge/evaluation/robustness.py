"""Accuracy of a model on pictures that a camera has spoilt: fixed changes, uint8 in and out, one row each.

Each strength is a constant, so that a table made today can be laid beside an older one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation
from fer_edge.data.dataset import Dataset
from fer_edge.evaluation import Predictor, metrics
from fer_edge.tables import Table, percent
from fer_edge.vision.opencv import cv2

Face = NDArray[np.uint8]

TIGHT_PX = 5
SMALL_PX, SMALL_BORDER_PX = 38, 5
DARK = 0.4
GAMMA = 2.2
TURN_DEG = 15.0
BLUR_SIGMA_PX = 1.5
NOISE_SIGMA = 15.0
SIDE = 48
"""Side that the strengths in pixels are meant for."""


def tight(face: Face) -> Face:
    """A crop tighter by 5 px on each side, enlarged again."""
    return np.asarray(cv2.resize(face[TIGHT_PX:-TIGHT_PX, TIGHT_PX:-TIGHT_PX], (SIDE, SIDE)), np.uint8)


def small(face: Face) -> Face:
    """The face at 80 % (38 px of 48), its border repeated around it: a crop that is too loose."""
    inner = cv2.resize(face, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
    return np.pad(np.asarray(inner, np.uint8), SMALL_BORDER_PX, mode="edge")


def dark(face: Face) -> Face:
    """Gray levels times 0.4, rounded down."""
    return (face * DARK).astype(np.uint8)


def gamma(face: Face) -> Face:
    """Gray levels of 0..1 to the power 2.2: the middle tones darker."""
    return (255 * (face / 255.0) ** GAMMA).astype(np.uint8)


def turned(face: Face) -> Face:
    """Turned by 15 degrees counter-clockwise about the centre, the border repeated."""
    matrix = cv2.getRotationMatrix2D(((SIDE - 1) / 2, (SIDE - 1) / 2), TURN_DEG, 1)
    return np.asarray(cv2.warpAffine(face, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE), np.uint8)


def blurred(face: Face) -> Face:
    """A Gaussian blur of sigma 1.5 px."""
    return np.asarray(cv2.GaussianBlur(face, (0, 0), BLUR_SIGMA_PX), np.uint8)


def noisy(face: Face, rng: np.random.Generator) -> Face:
    """Independent Gaussian noise of sigma 15 gray levels, rounded and cut to 0..255."""
    return np.clip(face + rng.normal(0, NOISE_SIGMA, face.shape), 0, 255).round().astype(np.uint8)


CONDITIONS: dict[str, Callable[[Face, np.random.Generator], Face]] = {
    "clean": lambda face, rng: face,
    "tight crop 5 px": lambda face, rng: tight(face),
    "face at 80 %": lambda face, rng: small(face),
    "dark x0.4": lambda face, rng: dark(face),
    "gamma 2.2": lambda face, rng: gamma(face),
    "rotated 15°": lambda face, rng: turned(face),
    "blur sigma 1.5": lambda face, rng: blurred(face),
    "noise sigma 15": noisy,
}
"""Name of a condition to its function of a face, uint8 (48, 48); only noise draws from the generator."""


def measure(
    model: Predictor,
    dataset: Dataset,
    *,
    pictures: int = 1500,
    seed: int = 0,
    flip: bool = False,
    step: Callable[[int], object] = lambda done: None,
) -> dict[str, Any]:
    """Accuracy and macro-F1 of `model` under each condition, in plain Python types.

    dataset: the rows of one split; `pictures` of them (at most) are drawn by the seed, and the noise after
    them by the same generator, so that seed, split and number name the pictures exactly. flip, step: as in
    `evaluation.probabilities_of`. Raises ModelError where the model names other expressions.
    """
    rng = np.random.default_rng(seed)
    chosen = dataset.rows(rng.permutation(len(dataset))[:pictures])
    conditions: dict[str, dict[str, float]] = {}
    for name, change in CONDITIONS.items():
        probabilities = evaluation.probabilities_of(
            model,
            np.stack([change(face, rng) for face in chosen.images]),
            labels=dataset.label_names,
            flip=flip,
            step=step,
        )
        classes = probabilities.shape[1]
        cm = metrics.confusion_matrix(chosen.labels, probabilities.argmax(axis=1), classes)
        right = int(np.trace(cm))
        low, high = metrics.wilson_interval(right, len(chosen))
        conditions[name] = {
            "accuracy": right / len(chosen),
            "low": low,
            "high": high,
            "macro_f1": float(metrics.f1(cm).mean()),
        }
    return {"seed": seed, "n": len(chosen), "conditions": conditions}


def table(result: dict[str, Any], model: str, split: str) -> Table:
    """The value of `measure` as a table: accuracy with its 95 % interval, points lost, macro-F1."""
    out = Table(
        f"robustness of {model}, {result['n']} pictures of {split}, seed {result['seed']}",
        ("condition", "accuracy %", "95 % interval", "against clean", "macro-F1 %"),
    )
    clean = result["conditions"]["clean"]["accuracy"]
    for name, row in result["conditions"].items():
        lost = "" if name == "clean" else f"{100 * (row['accuracy'] - clean):+.1f}"
        interval = f"{percent(row['low'])} to {percent(row['high'])}"
        out.add(name, percent(row["accuracy"]), interval, lost, percent(row["macro_f1"]))
    return out
