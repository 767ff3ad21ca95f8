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

Faces = NDArray[np.uint8]

TIGHT_PX = 5
SMALL_PX, SMALL_BORDER_PX = 38, 5
DARK = 0.4
GAMMA = 2.2
TURN_DEG = 15.0
BLUR_SIGMA_PX = 1.5
NOISE_SIGMA = 15.0
SIDE = 48
"""Side that the strengths in pixels are meant for."""


def tight(faces: Faces) -> Faces:
    """A crop tighter by 5 px on each side, enlarged again."""
    inner = faces[:, TIGHT_PX:-TIGHT_PX, TIGHT_PX:-TIGHT_PX]
    return np.stack([cv2.resize(face, (SIDE, SIDE)) for face in inner])


def small(faces: Faces) -> Faces:
    """The face at 80 % (38 px of 48), its border repeated around it: a crop that is too loose."""
    out, edge = [], SMALL_BORDER_PX
    for face in faces:
        inner = cv2.resize(face, (SMALL_PX, SMALL_PX), interpolation=cv2.INTER_AREA)
        out.append(cv2.copyMakeBorder(inner, edge, edge, edge, edge, cv2.BORDER_REPLICATE))
    return np.stack(out)


def dark(faces: Faces) -> Faces:
    """Gray levels times 0.4, rounded down."""
    return (faces * DARK).astype(np.uint8)


def gamma(faces: Faces) -> Faces:
    """Gray levels of 0..1 to the power 2.2: the middle tones darker."""
    return (255 * (faces / 255.0) ** GAMMA).astype(np.uint8)


def turned(faces: Faces) -> Faces:
    """Turned by 15 degrees counter-clockwise about the centre, the border repeated."""
    centre = ((SIDE - 1) / 2, (SIDE - 1) / 2)
    matrix = cv2.getRotationMatrix2D(centre, TURN_DEG, 1)
    return np.stack(
        [cv2.warpAffine(face, matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REPLICATE) for face in faces]
    )


def blurred(faces: Faces) -> Faces:
    """A Gaussian blur of sigma 1.5 px."""
    return np.stack([cv2.GaussianBlur(face, (0, 0), BLUR_SIGMA_PX) for face in faces])


def noisy(faces: Faces, rng: np.random.Generator) -> Faces:
    """Independent Gaussian noise of sigma 15 gray levels, rounded and cut to 0..255."""
    return np.clip(faces + rng.normal(0, NOISE_SIGMA, faces.shape), 0, 255).round().astype(np.uint8)


CONDITIONS: dict[str, Callable[[Faces, np.random.Generator], Faces]] = {
    "clean": lambda faces, rng: faces,
    "tight crop 5 px": lambda faces, rng: tight(faces),
    "face at 80 %": lambda faces, rng: small(faces),
    "dark x0.4": lambda faces, rng: dark(faces),
    "gamma 2.2": lambda faces, rng: gamma(faces),
    "rotated 15°": lambda faces, rng: turned(faces),
    "blur sigma 1.5": lambda faces, rng: blurred(faces),
    "noise sigma 15": noisy,
}
"""Name of a condition to its function of faces, uint8 (N, 48, 48); only noise draws from the generator."""


PICTURES = 1500
"""How many pictures are drawn by default."""


def measure(
    model: Predictor,
    dataset: Dataset,
    *,
    pictures: int = PICTURES,
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
    faces = np.asarray(chosen.images)
    conditions: dict[str, dict[str, float]] = {}
    for name, change in CONDITIONS.items():
        probabilities = evaluation.probabilities_of(
            model, change(faces, rng), labels=dataset.label_names, flip=flip, step=step
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
