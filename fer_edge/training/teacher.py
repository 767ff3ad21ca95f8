"""Distillation (Hinton et al. 2015) with a consistent teacher (Beyer et al. 2022): the teacher names the very
pictures, changed as they are, that the student is shown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import ModelError
from fer_edge.evaluation import predictors
from fer_edge.evaluation import scores as evaluation
from fer_edge.model import shipped


@dataclass(frozen=True)
class Teacher:
    """The mean of several models' probabilities for a picture and its mirror image.

    Each answers for the head whose expressions it names: the labels', or FER+'s votes'.
    sha256: of their files, in the order given.
    """

    sha256: tuple[str, ...] = ()
    models: tuple[predictors.Predictor, ...] = ()

    def check(self, heads: Iterable[tuple[str, ...]]) -> None:
        """Raises ModelError for a model that names none of the heads' expressions."""
        known = list(heads)
        for model in self.models:
            if not any(sorted(model.labels) == sorted(labels) for labels in known):
                raise ModelError(
                    f"teacher {model.name} names {', '.join(model.labels)}; this training learns "
                    + " and ".join(", ".join(labels) for labels in known)
                )

    def __call__(self, faces: NDArray[np.uint8], labels: tuple[str, ...]) -> NDArray[np.float32] | None:
        """Probabilities, float32 (N, len(labels)), of faces uint8 (N, 48, 48); None without a model."""
        models = [model for model in self.models if sorted(model.labels) == sorted(labels)]
        named = [evaluation.probabilities_of(model, faces, labels=labels, flip=True) for model in models]
        return np.mean(named, axis=0, dtype=np.float32) if named else None


NOBODY = Teacher()


def opened(names_or_paths: Sequence[str]) -> Teacher:
    """Shipped models by name or files by path (.tflite, .keras). Raises ModelError."""
    paths = [shipped.find_model(name) for name in names_or_paths]
    return Teacher(
        tuple(files.sha256_of(path.read_bytes()) for path in paths),
        tuple(predictors.open_model(str(path)) for path in paths),
    )
