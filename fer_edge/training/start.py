"""What a training begins with: all that its recipe learns from, and the weights of a network that has learned
already in place of random ones (fine-tuning).

Loads no Keras by itself, so that what is missing is said before that.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from fer_edge import files, shipped
from fer_edge.errors import ModelError, UsageError
from fer_edge.training.recipes import Recipe

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Start:
    """sha256: of the `.keras` file, "" for random weights. weights: each layer's, those without left out."""

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


def opened(name_or_path: str | Path | None) -> Start:
    """The weights of a shipped network, by name, or of a `.keras` file; ANEW for None.

    Raises ModelError for what is neither.
    """
    if name_or_path is None:
        return ANEW
    from fer_edge import keras_files

    path = shipped.find_network(str(name_or_path))
    layers = keras_files.load(path).layers
    weights = tuple(layer.get_weights() for layer in layers if layer.weights)
    return Start(files.sha256(path), str(path), weights)


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
