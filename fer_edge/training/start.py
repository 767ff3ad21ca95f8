"""Training on from a network that has learned already, in place of random weights (fine-tuning)."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
from numpy.typing import NDArray

from fer_edge import files, keras_files
from fer_edge.errors import ModelError


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


def opened(path: Path | None) -> Start:
    """The weights of a `.keras` file; ANEW for None. Raises ModelError for what is no such file."""
    if path is None:
        return ANEW
    if not path.is_file():
        raise ModelError(f"there is no {path} to start from: give a .keras file that a training wrote")
    layers = keras_files.load(path).layers
    weights = tuple(layer.get_weights() for layer in layers if layer.weights)
    return Start(files.sha256(path), str(path), weights)
