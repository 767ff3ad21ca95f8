"""What a training begins with: all that its recipe learns from, and the weights of a network that has learned
already in place of random ones (fine-tuning), or the mean of several (model soups, Wortsman et al. 2022).

Loads no Keras by itself, so that what is missing is said before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import files
from fer_edge.errors import ModelError, UsageError
from fer_edge.model import shipped
from fer_edge.training.recipes import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Start:
    """sha256: of the `.keras` files, "" for random weights. weights: each layer's, those without left out."""

    sha256: str = ""
    path: str = ""
    weights: tuple[list[NDArray[Any]], ...] = ()

    def give(self, network: keras.Model) -> None:
        """Puts the weights into `network`; a last layer for another number of classes stays as it is.

        Raises ModelError where the networks differ in more than that.
        """
        if not self.weights:
            return
        weighted = [layer for layer in network.layers if layer.weights]
        same = [
            [w.shape for w in mine] == [tuple(w.shape) for w in layer.weights]
            for mine, layer in zip(self.weights, weighted, strict=False)
        ]
        if len(self.weights) != len(weighted) or not all(same[:-1]):
            raise ModelError(f"{self.path} is not of the recipe's network {network.name}: it cannot start it")
        for mine, layer, fits in zip(self.weights, weighted, same, strict=True):
            if fits:
                layer.set_weights(mine)


ANEW = Start()


def opened(names_or_paths: Sequence[str | Path]) -> Start:
    """The mean weights of shipped networks, by name, or of `.keras` files; ANEW for none.

    Raises ModelError for what is neither, and for networks of different layers.
    """
    if not names_or_paths:
        return ANEW
    from fer_edge.model import keras_files

    paths = [shipped.find_network(str(name)) for name in names_or_paths]
    networks = [[x.get_weights() for x in keras_files.load(path).layers if x.weights] for path in paths]
    shapes = [[[w.shape for w in layer] for layer in network] for network in networks]
    for path, other in zip(paths, shapes, strict=True):
        if other != shapes[0]:
            raise ModelError(f"{path} is not of the network that {paths[0]} is: they have no mean")
    layers = zip(*networks, strict=True)
    weights = tuple([np.mean(ws, axis=0) for ws in zip(*layer, strict=True)] for layer in layers)
    return Start(" ".join(map(files.sha256, paths)), " and ".join(map(str, paths)), weights)


def check(
    recipe: Recipe, teachers: Sequence[str] = (), votes: Path | None = None, labels: str | None = None
) -> None:
    """Raises UsageError where teachers and the recipe's teacher_weight do not go together, or where it learns
    votes and neither `votes` nor `labels` (as in ferplus.chosen) gives them."""
    if bool(teachers) != bool(recipe.teacher_weight):
        raise UsageError(
            f"recipe {recipe.name} has teacher_weight {recipe.teacher_weight:g}: "
            + ("it learns from no --teacher" if teachers else "name whom it learns from with --teacher MODEL")
        )
    if recipe.votes_weight and votes is None and not (labels or "").startswith("ferplus:"):
        raise UsageError(f"recipe {recipe.name} learns from FER+'s votes: add --votes fer2013new.csv")
