"""Target `microcontroller`: a model as C source for TFLite Micro, with the arena that it needs."""

from __future__ import annotations

import importlib.util
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import child
from fer_edge.errors import GateError, MissingExtraError
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier
from fer_edge.targets import c_example, c_source, micro_child
from fer_edge.targets.made import Made
from fer_edge.targets.pictures import Pictures, compare, fitted

STEPS_ALLOWED = 2
"""Steps of the output by which TFLite Micro may differ from LiteRT's reference kernels: its int8 softmax
rounds by itself. Its int8 fully connected layer does so too, by a step of the logits (all layers before it
gave the same on 60 real pictures), which moves a probability by half as much where it meets two logits."""
FLOAT_ALLOWED = 1e-4
"""The same in probability where sums are float: in another order."""
_SAME_VALUES = {"RESHAPE", "DEQUANTIZE", "QUANTIZE", "REDUCE_MAX"}


def require() -> None:
    """Raises MissingExtraError where TFLite Micro's interpreter is not installed."""
    if importlib.util.find_spec("tflite_micro") is None:
        raise MissingExtraError("tflite-micro", "microcontroller", "the target microcontroller")


def measure(
    classifier: Classifier, card: Path | None = None, pictures: Pictures | None = None
) -> dict[str, Any]:
    """`{"arena_bytes"}`, and with `pictures` the probabilities `micro`, float32 (N, labels), and `reference`,
    of the first `micro_child.CHECKED`.

    Raises ModelError if TFLite Micro cannot run the model.
    """
    require()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if pictures is not None:
            np.save(folder / micro_child.FACES, fitted(pictures, classifier.input_size))
        arguments = str(folder), str(classifier.path.resolve()), str(card or "")
        found: dict[str, Any] = child.run(micro_child.measure, *arguments, what=str(classifier.path))
        for key in ("micro", "reference"):
            if pictures is not None:
                found[key] = np.load(folder / f"{key}.npy")
    return found


def make(classifier: Classifier, folder: Path, pictures: Pictures, card: Path | None = None) -> Made:
    """The files' contents under `folder`/NAME_microcontroller, verified.

    Raises GateError if TFLite Micro does not give what LiteRT's reference kernels give.
    """
    found = measure(classifier, card, pictures)
    check(classifier, found["micro"], found["reference"])
    flatbuffer = file.without_zip(file.read_bytes(classifier.path))
    stem = classifier.path.stem
    source = c_source.Source(c_source.identifier(stem), flatbuffer, classifier, found["arena_bytes"])
    apart_folder = folder / f"{stem}_microcontroller"
    files = {
        apart_folder / f"{stem}.h": c_source.header(source).encode(),
        apart_folder / f"{stem}.c": c_source.array(source).encode(),
        apart_folder / "main.cc": c_example.example(source).encode(),
    }
    litert = classifier.predict(fitted(pictures, classifier.input_size))
    agreement = compare(found["micro"], litert, pictures, classifier.labels)
    report = {"arena_bytes": found["arena_bytes"], "flash_bytes": len(flatbuffer)}
    return Made("microcontroller", files, agreement, report, found["micro"])


def check(classifier: Classifier, micro: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
    """Raises GateError unless both interpreters give the same, but for rounding, as far as both were run."""
    steps = STEPS_ALLOWED * classifier.output.scale + 0.5 * _logit_step(classifier.path)
    allowed = max(steps, FLOAT_ALLOWED)
    largest = float(np.abs(micro[: len(reference)] - reference).max())
    if not largest <= allowed:
        raise GateError(
            f"{classifier.path} differs by up to {largest:.4f} in a probability between TFLite Micro and "
            f"LiteRT's reference kernels, {allowed:.4f} allowed: not written"
        )


def _logit_step(path: Path) -> float:
    """Scale of the integers that a softmax at the end is made from; 0 for floats, or without one."""
    main = graph.read(file.read_bytes(path))[0]
    makers = {n: operator for operator in main.operators for n in operator.outputs}
    maker = makers.get(main.outputs[0])
    while maker is not None and maker.name in _SAME_VALUES:
        maker = makers.get(maker.inputs[0])
    if maker is None or maker.name != "SOFTMAX":
        return 0.0
    wanted = maker.inputs[0]
    while not main.tensors[wanted].scales:
        maker = makers.get(wanted)
        if maker is None or maker.name not in _SAME_VALUES:
            return 0.0
        wanted = maker.inputs[0]
    return main.tensors[wanted].scales[0]
