"""Agreement of a file or target with the float32 file of its family, and its accuracy."""

from __future__ import annotations

from pathlib import Path
from typing import TypedDict

import numpy as np
from numpy.typing import NDArray

from fer_edge.evaluation import metrics
from fer_edge.model.classifier import Classifier
from fer_edge.spec import Format, split_name
from fer_edge.targets.pictures import Pictures, fitted


class Scores(TypedDict):
    """Fractions 0..1 and the largest difference of a probability; None where not measured."""

    agreement: float | None
    max_abs_diff: float | None
    accuracy: float | None


def reference(
    path: Path, said: dict[Path, NDArray[np.float32]], pictures: Pictures
) -> NDArray[np.float32] | None:
    """What the family's float32 file says, None where there is none; `said`: of the files compared."""
    family, known = split_name(path.stem)
    if known is None:
        return None
    wanted = f"{family}_{Format.FLOAT32}.tflite"
    beside = path.with_name(wanted)
    among = [given for other, given in said.items() if other == beside or other.name == wanted]
    if among:
        return among[0]
    if not beside.is_file():
        return None
    subject = Classifier(beside)
    return subject.predict(fitted(pictures, subject.input_size))


def of(
    said: NDArray[np.float32] | None,
    reference: NDArray[np.float32] | None,
    subject: Classifier,
    pictures: Pictures,
) -> Scores:
    """Of the probabilities `said`, float32 (N, labels); None where nothing here can run the target."""
    scores = Scores(agreement=None, max_abs_diff=None, accuracy=None)
    if said is not None:
        scores["accuracy"] = pictures.accuracy(said, subject.labels)
        if reference is not None:
            scores["agreement"] = metrics.agreement(said, reference)
            scores["max_abs_diff"] = metrics.max_abs_diff(said, reference)
    return scores
