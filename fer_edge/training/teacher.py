"""Distillation (Hinton et al. 2015) with a consistent teacher (Beyer et al. 2022): the teacher names the very
pictures, changed as they are, that the student is shown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation, files, predictors, shipped


@dataclass(frozen=True)
class Teacher:
    """The mean of several models' probabilities. sha256: of their files, in the order given."""

    sha256: tuple[str, ...] = ()
    models: tuple[predictors.Predictor, ...] = ()

    def __call__(self, faces: NDArray[np.uint8], labels: tuple[str, ...]) -> NDArray[np.float32]:
        """Probabilities, float32 (N, len(labels)), of faces uint8 (N, 48, 48).

        Raises ModelError where a model names other expressions than `labels`.
        """
        named = [evaluation.probabilities_of(model, faces, labels=labels) for model in self.models]
        out: NDArray[np.float32] = np.mean(named, axis=0, dtype=np.float32)
        return out


NOBODY = Teacher()


def opened(names_or_paths: Sequence[str]) -> Teacher:
    """Shipped models by name or files by path (.tflite, .keras). Raises ModelError."""
    paths = [shipped.find_model(name) for name in names_or_paths]
    return Teacher(
        tuple(files.sha256_of(path.read_bytes()) for path in paths),
        tuple(predictors.open_model(str(path)) for path in paths),
    )
