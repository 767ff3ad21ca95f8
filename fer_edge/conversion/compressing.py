"""Weights that compress: the smallest become zero, or each layer keeps a few values only.

Neither makes a file smaller or faster where it runs, since TFLite's kernels take dense int8: what shrinks
is the compressed file, for a download. Both are done to trained weights, without training again, as
tensorflow-model-optimization's pruning and clustering begin (magnitude; linearly placed centroids); the
parity gate says how far that goes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.conversion.recipes import Recipe
from fer_edge.conversion.source import import_keras

_ROUNDS = 20


def compressed(model: Any, recipe: Recipe) -> Any:
    """A copy of the Keras model with `recipe.sparsity` and `recipe.clusters` applied; `model` itself for
    none.

    All kernels of more than one dimension but the first layer's, which is small and matters most.
    """
    if not recipe.sparsity and not recipe.clusters:
        return model
    keras = import_keras()
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    kernels = [weight for weight in copy.trainable_variables if len(weight.shape) > 1]
    for weight in kernels[1:]:
        values = np.asarray(weight)
        if recipe.sparsity:
            values = pruned(values, recipe.sparsity)
        if recipe.clusters:
            values = clustered(values, recipe.clusters)
        weight.assign(values)
    return copy


def pruned(values: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The same with that share of the values, those nearest to zero, set to zero."""
    count = round(share * values.size)
    smallest = np.argsort(np.abs(values), axis=None, kind="stable")[:count]
    out = values.copy()
    out.flat[smallest] = 0
    return out


def clustered(values: NDArray[np.float32], clusters: int) -> NDArray[np.float32]:
    """The same with at most so many different values, zeros staying zeros (Lloyd's algorithm)."""
    flat = values.ravel().astype(np.float64)
    places = flat != 0
    centres = np.linspace(flat.min(), flat.max(), clusters)
    for _ in range(_ROUNDS):
        nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, flat[places])
        counts = np.bincount(nearest, minlength=clusters)
        sums = np.bincount(nearest, flat[places], minlength=clusters)
        centres = np.sort(np.where(counts > 0, sums / np.maximum(counts, 1), centres))
    nearest = np.searchsorted((centres[1:] + centres[:-1]) / 2, flat[places])
    out = flat.copy()
    out[places] = centres[nearest]
    return out.reshape(values.shape).astype(np.float32)
