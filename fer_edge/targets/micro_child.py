"""In a process of its own: the arena that a model needs in TFLite Micro, and what it says there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from fer_edge.errors import ModelError
from fer_edge.model import file
from fer_edge.model.classifier import Classifier
from fer_edge.model.interpreter import quiet_stderr
from fer_edge.targets import micro_interpreter

MICRO, REFERENCE = "micro.npy", "reference.npy"
FACES = "faces.npy"
CHECKED = 60
"""The first so many faces are run with LiteRT's reference kernels too, which take some hundred times as long
as those for this processor: what they are for, that both count alike, shows in few faces or never."""


def measure(folder: str, model: str, card: str) -> dict[str, Any]:
    """Gives `{"arena_bytes"}`; of faces.npy, if it is there, writes micro.npy and reference.npy."""
    return _measured(Path(folder), Path(model), Path(card) if card else None)


def _measured(folder: Path, model: Path, card: Path | None) -> dict[str, Any]:
    # The zip behind the model is no part of what a microcontroller holds.
    flatbuffer = file.without_zip(file.read_bytes(model))
    arena = micro_interpreter.smallest_arena(flatbuffer)
    faces = folder / FACES
    if faces.is_file():
        pictures = np.load(faces)
        for name, load, shown in (
            (MICRO, micro_interpreter.load, pictures),
            (REFERENCE, load_reference, pictures[:CHECKED]),
        ):
            subject = Classifier(model, card=card, checked=True, load=load)
            np.save(folder / name, subject.predict(shown))
    return {"arena_bytes": arena}


def load_reference(model: bytes, num_threads: int, name: str) -> Any:
    """LiteRT with its reference kernels, whose rounding TFLite Micro shares; XNNPACK's is its own."""
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    try:
        with quiet_stderr():
            made = Interpreter(
                model_content=model,
                num_threads=num_threads,
                experimental_op_resolver_type=OpResolverType.BUILTIN_REF,
            )
            made.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{name}: LiteRT's reference kernels cannot run it: {error}") from error
    return made
