"""Training data as batches: pictures, their targets and their weights.

All that is random here depends only on seed, epoch and batch: a resumed training sees what any other does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge import evaluation, files
from fer_edge.data import ferplus
from fer_edge.data.dataset import Dataset
from fer_edge.errors import ModelError
from fer_edge.model import shipped
from fer_edge.training import device
from fer_edge.training.augmentation import augment
from fer_edge.training.recipes import Recipe


@dataclass(frozen=True)
class Teacher:
    """The mean of several models' probabilities, for distillation (Hinton et al. 2015).

    Each model answers for the head with its own expressions: the labels', or FER+'s votes'. sha256: of the
    file of each name.
    """

    sha256: Mapping[str, str] = field(default_factory=dict)
    models: tuple[evaluation.Predictor, ...] = ()

    @classmethod
    def opened(cls, names_or_paths: Sequence[str]) -> Self:
        """Included models by name or files by path (.tflite, .keras). Raises ModelError."""
        paths = {name: shipped.find_either(name) for name in names_or_paths}
        models = tuple(evaluation.open_model(str(path)) for path in paths.values())
        return cls({name: files.sha256(path) for name, path in paths.items()}, models)

    def __call__(self, faces: NDArray[np.uint8], labels: tuple[str, ...]) -> NDArray[np.float32] | None:
        """Probabilities, float32 (N, len(labels)), of faces uint8 (N, 48, 48); None without a model."""
        models = [model for model in self.models if sorted(model.labels) == sorted(labels)]
        answers = [evaluation.probabilities_of(model, faces, labels) for model in models]
        return np.mean(answers, axis=0, dtype=np.float32) if answers else None


def targets(dataset: Dataset) -> NDArray[np.float32]:
    """float32 (N, classes): one-hot labels, shares of votes if the classes are FER+'s.

    Where votes are attached to FER-2013's labels, 8 more columns hold their shares. A row without a vote for
    an expression has zeros there, which the loss ignores.
    """
    wanted: NDArray[np.float32] = np.eye(len(dataset.label_names), dtype=np.float32)[dataset.labels]
    if dataset.votes is None:
        return wanted
    shares = ferplus.shares(dataset.votes)
    return shares if dataset.label_names == ferplus.LABELS else np.hstack([wanted, shares])


def class_weights(labels: NDArray[np.int64], classes: int, power: float = 1.0) -> NDArray[np.float32]:
    """float32 (classes,): count to the power -`power`, of mean 1 over `labels`; 0 for a class without any."""
    counts = np.bincount(labels, minlength=classes)
    weights = np.where(counts, np.maximum(counts, 1) ** -float(power), 0).astype(np.float32)
    out: NDArray[np.float32] = weights / weights[labels].mean()
    return out


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (float32 (B, 48, 48, 1) of gray levels, `targets` float32 (B, K), weights float32 (B,)).

    The last, shorter batch of an epoch is dropped, so that batch normalisation sees full batches; the order
    changes every epoch. Of several processes (`device.workers`), each returns its part of every batch.
    Raises ModelError for a teacher with other expressions.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, seed: int, teacher: Teacher | None = None) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.dataset, self.recipe, self.seed, self.teacher = dataset, recipe, seed, teacher or Teacher()
        self.size = min(recipe.batch_size, len(dataset))
        self.worker = device.workers()
        self.part = self.worker.share(self.size)
        classes = len(dataset.label_names)
        self.heads = {dataset.label_names: slice(0, classes)}
        if recipe.votes_weight:
            self.heads[ferplus.LABELS] = slice(classes, None)
        for model in self.teacher.models:
            if not any(sorted(model.labels) == sorted(labels) for labels in self.heads):
                has, learns = ", ".join(model.labels), " and ".join(map(", ".join, self.heads))
                raise ModelError(f"teacher {model.name} has the labels {has}; this training learns {learns}")
        self.targets = targets(dataset)
        self.weights = class_weights(dataset.labels, classes, recipe.balance_classes)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Sets the order for epoch `epoch`, counted from 0."""
        self.epoch = epoch
        self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))

    def __len__(self) -> int:
        return len(self.dataset) // self.size

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        rows = self.order[index * self.size : (index + 1) * self.size][self.part]
        rng = np.random.default_rng((self.seed, self.epoch, index + 1, self.worker.index))
        faces = augment(self.dataset.images[rows], self.recipe.augmentation, rng)
        wanted, weights = self.targets[rows], self.weights[self.dataset.labels[rows]]
        if self.recipe.mixup:
            part = rng.beta(self.recipe.mixup, self.recipe.mixup, len(rows)).astype(np.float32)
            stays = np.maximum(part, 1 - part)
            faces = mixed(faces, stays).round().astype(np.uint8)
            wanted, weights = mixed(wanted, stays), mixed(weights, stays)
        taught = self.recipe.teacher_weight  # they see what the student sees (Beyer et al. 2022)
        for expressions, columns in self.heads.items():
            if (answers := self.teacher(faces, expressions)) is not None:
                wanted[:, columns] = (1 - taught) * wanted[:, columns] + taught * answers
        return faces[..., None].astype(np.float32), wanted, weights


def mixed(of: NDArray[Any], stays: NDArray[np.float32]) -> NDArray[Any]:
    """Blends each row of `of` with the next (mixup, Zhang et al. 2018); stays: (N,), its own share."""
    own = stays.reshape(-1, *[1] * (of.ndim - 1))
    blended: NDArray[Any] = own * of + (1 - own) * np.roll(of, -1, axis=0)
    return blended
