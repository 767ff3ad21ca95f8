"""The reference check: the trained weights in float32 on the CPU against the device that trained them.

What ships and is converted is the float32 network that this rebuilds, so a difference that the training
device's number format or a fault of its kernels hides is found before anything stands on it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import keras
import numpy as np

from fer_edge.data.dataset import Dataset
from fer_edge.model import keras_files
from fer_edge.training import networks
from fer_edge.training.batches import loss_and_accuracy, predict
from fer_edge.training.recipes import Recipe


@dataclass(frozen=True)
class ReferenceCheck:
    """agreement: share of pictures with the same class. Losses: mean cross-entropy in nats."""

    pictures: int
    agreement: float
    max_abs_diff: float
    loss_device: float
    loss_float32: float
    accuracy_device: float
    accuracy_float32: float
    passed: bool

    def __str__(self) -> str:
        return (
            f"reference check on {self.pictures} pictures: agreement {self.agreement:.4f}, largest "
            f"difference {self.max_abs_diff:.4f}, loss {self.loss_device:.4f} on the device and "
            f"{self.loss_float32:.4f} in float32"
        )

    def to_dict(self) -> dict[str, float | int | bool]:
        return asdict(self)


def rebuild(network: keras.Model, recipe: Recipe) -> keras.Model:
    """The same weights in a fresh float32 network of Keras' own layers, on the CPU."""
    policy = keras.mixed_precision.global_policy()
    keras.mixed_precision.set_global_policy("float32")
    on_torch = keras.backend.backend() == "torch"
    try:
        with keras_files.on_cpu(keras):
            reference = networks.build(recipe.network, recipe.dropout, network.output_shape[-1])
            reference.set_weights(network.get_weights())
        if on_torch:
            reference.to("cpu")
    finally:
        keras.mixed_precision.set_global_policy(policy)
    return reference


def check(network: keras.Model, reference: keras.Model, dataset: Dataset, recipe: Recipe) -> ReferenceCheck:
    """Compares both on all of `dataset`; passes within the recipe's two tolerances."""
    on_device = predict(network, dataset.images)
    with keras.device("cpu:0"):
        in_float32 = predict(reference, dataset.images)
    agreement = float((on_device.argmax(1) == in_float32.argmax(1)).mean())
    loss_device, accuracy_device = loss_and_accuracy(on_device, dataset.labels)
    loss_float32, accuracy_float32 = loss_and_accuracy(in_float32, dataset.labels)
    near = abs(loss_device - loss_float32) <= recipe.reference_loss_difference
    return ReferenceCheck(
        pictures=len(dataset),
        agreement=agreement,
        max_abs_diff=float(np.abs(on_device - in_float32).max()),
        loss_device=loss_device,
        loss_float32=loss_float32,
        accuracy_device=accuracy_device,
        accuracy_float32=accuracy_float32,
        passed=agreement >= recipe.reference_agreement and near,
    )
