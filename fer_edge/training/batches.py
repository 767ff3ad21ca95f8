"""Training data as batches; order and augmentation follow from (seed, epoch, batch) alone.

Nothing else is random here, so a resumed training sees what an unbroken one would have seen.
"""

from __future__ import annotations

import math
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from fer_edge.data.dataset import Dataset
from fer_edge.training import objective, workers
from fer_edge.training.augmentation import augment
from fer_edge.training.recipes import Recipe
from fer_edge.training.teacher import NOBODY, Teacher


def class_weights(labels: NDArray[np.int64], classes: int, power: float = 1.0) -> NDArray[np.float32]:
    """float32 (classes,): count to the power -`power`, of mean 1 over `labels`; 0 for a class without any."""
    counts = np.bincount(labels, minlength=classes)
    present = counts > 0
    weights = np.zeros(classes, np.float32)
    weights[present] = counts[present] ** -float(power)
    out: NDArray[np.float32] = weights / weights[labels].mean()
    return out


class TrainingBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batches of (float32 (B, 48, 48, 1) of gray levels, targets float32 (B, K), weights float32 (B,)).

    The targets are `objective.targets`'.
    The last, shorter batch of an epoch is left out, so that batch normalisation sees whole batches;
    the order changes each epoch, so no picture is left out for long.
    Of several processes (`workers`) each gives its part of every batch.
    """

    def __init__(self, dataset: Dataset, recipe: Recipe, seed: int, teacher: Teacher = NOBODY) -> None:
        super().__init__(workers=1, use_multiprocessing=False, max_queue_size=8)
        self.dataset, self.recipe, self.seed = dataset, recipe, seed
        self.size = min(recipe.batch_size, len(dataset))
        self.among = workers.current()
        self.part = self.among.share(self.size)
        self.heads = objective.heads(dataset.label_names, recipe)
        teacher.check(expressions for expressions, _ in self.heads)
        self.teacher = teacher
        self.targets = objective.targets(dataset, recipe)
        classes = len(dataset.label_names)
        self.weights = class_weights(dataset.labels, classes, recipe.balance_classes)
        self.start_epoch(0)

    def start_epoch(self, epoch: int) -> None:
        """Lays the order of epoch `epoch`, counted from 0."""
        self.epoch = epoch
        self.order = np.random.default_rng((self.seed, epoch)).permutation(len(self.dataset))

    def __len__(self) -> int:
        return len(self.dataset) // self.size

    def __getitem__(self, index: int) -> tuple[Any, Any, Any]:
        rows = self.order[index * self.size : (index + 1) * self.size][self.part]
        rng = np.random.default_rng((self.seed, self.epoch, index + 1, *self.among.mark))
        faces = augment(self.dataset.images[rows], self.recipe.augmentation, rng)
        weights = self.weights[self.dataset.labels[rows]]
        targets = self.targets[rows]
        if self.recipe.mixup:
            faces, targets, weights = mixed(self.recipe.mixup, rng, faces, targets, weights)
        return faces[..., None].astype(np.float32), self._taught(faces, targets), weights

    def _taught(self, faces: NDArray[np.uint8], targets: NDArray[np.float32]) -> NDArray[np.float32]:
        part = self.recipe.teacher_weight
        for expressions, columns in self.heads:
            if (answers := self.teacher(faces, expressions)) is not None:
                targets[:, columns] = (1 - part) * targets[:, columns] + part * answers
        return targets


def mixed(
    alpha: float,
    rng: np.random.Generator,
    faces: NDArray[np.uint8],
    targets: NDArray[np.float32],
    weights: NDArray[np.float32],
) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """Each picture with part of the next one in it, and so targets and weights (mixup, Zhang et al. 2018).

    The part that stays is drawn from Beta(alpha, alpha), its larger half, for each picture.
    """
    part = rng.beta(alpha, alpha, len(faces)).astype(np.float32)
    stays = np.maximum(part, 1 - part)

    def blend(of: NDArray[Any]) -> NDArray[np.float32]:
        own = stays.reshape(-1, *[1] * (of.ndim - 1))
        out: NDArray[np.float32] = own * of + (1 - own) * np.roll(of, -1, axis=0)
        return out

    return blend(faces).round().astype(np.uint8), blend(targets), blend(weights)


def predict(model: keras.Model, images: NDArray[np.uint8], batch_size: int = 256) -> NDArray[np.float32]:
    """The model's outputs, float32 (N, outputs), for faces uint8 (N, 48, 48)."""
    parts = []
    for k in range(math.ceil(len(images) / batch_size)):
        faces = images[k * batch_size : (k + 1) * batch_size, ..., None].astype(np.float32)
        with workers.alone():
            outputs = model.predict_on_batch(faces)
        parts.append(keras.ops.convert_to_numpy(outputs).astype(np.float32))
    return np.concatenate(parts)


def loss_and_accuracy(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[float, float]:
    """Mean cross-entropy in nats and accuracy 0..1 of probabilities float32 (N, 7)."""
    true = probabilities[np.arange(len(labels)), labels].astype(np.float64)
    return float(-np.log(np.maximum(true, 1e-12)).mean()), float((probabilities.argmax(1) == labels).mean())
