"""Faces in, probabilities out: the only user of an interpreter, for our models and foreign ones alike."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import ModelError
from fer_edge.model import cards, interpreter, modelfile, shipped, trial
from fer_edge.model.quant import Quantization
from fer_edge.spec import TensorSpec

_GRAY_LEVELS = np.arange(256)


class Classifier:
    """A .tflite model with its labels.

    path: the model file. card, labels: what it says of itself; labels in the order of its output.
    input, output: its tensors; shape, dtype and quantisation are the file's, range and content the
    card's. input_size: (height, width) in pixels of the faces that it takes. channels: 1, or 3 that
    all get the gray levels.
    """

    def __init__(
        self,
        model: str | Path,
        num_threads: int = 1,
        card: Path | None = None,
        *,
        checked: bool = False,
        load: Callable[[bytes, int, str], Any] = interpreter.load,
    ) -> None:
        """Loads `model`, the name of a shipped model or a path.

        card: a JSON file for a model that does not say its labels, range and kind of output itself.
        checked: the caller has already called `check` on the file, so that loading alone is timed.
        load: gives another runtime behind the interface of LiteRT's interpreter.
        Raises ModelError if the file or its card cannot be used.
        """
        self.path = shipped.find_model(str(model))
        data = _read(self.path)
        if not checked:
            _check(data, self.path)
        self._interpreter = load(data, num_threads, str(self.path))
        ends = _ends(self._interpreter, self.path)
        self.card = cards.find(self.path, data, card, ends)
        self.labels = self.card.labels
        self.input, self.output = cards.merged(self.card, ends)
        axis = _channel_axis(self.input.shape, self.path)
        self.channels = self.input.shape[axis] if axis else 1
        self.input_size = _size(self.input.shape, axis)
        self._prepare(axis)

    def _prepare(self, axis: int | None) -> None:
        tensor = self.input
        self._input_index = self._interpreter.get_input_details()[0]["index"]
        self._output_index = self._interpreter.get_output_details()[0]["index"]
        self._dequantize = Quantization(
            self.output.scale, self.output.zero_point, self.output.dtype
        ).dequantize
        # Gray level -> what the tensor stores for it, worked out once: exact for every dtype.
        stored_as = Quantization(tensor.scale, tensor.zero_point, tensor.dtype)
        self._stored = stored_as.quantize(tensor.real_of(_GRAY_LEVELS))
        self._identity = tensor.dtype == "uint8" and bool((self._stored == _GRAY_LEVELS).all())
        self._identity = self._identity and self.channels == 1
        self._input = np.zeros(tensor.shape, tensor.dtype)
        view = self._input if axis is None else np.moveaxis(self._input, axis, -1)[..., 0]
        self._first_channel = view.reshape(self.input_size)  # a view: one picture, one channel
        self._other_channels = [
            np.moveaxis(self._input, axis or 0, -1)[..., n].reshape(self.input_size)
            for n in range(1, self.channels)
        ]

    def predict_one(self, face: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One gray face, uint8 (height, width) of `input_size` -> probabilities, float32 (labels,).

        Raises ValueError for another shape or dtype, ModelError where the model gives no numbers.
        """
        if face.shape != self.input_size or face.dtype != np.uint8:
            raise ValueError(f"a face must be uint8 {self.input_size}, not {face.dtype} {face.shape}")
        if self._identity:
            self._interpreter.set_tensor(self._input_index, face.reshape(self.input.shape))
        else:
            np.take(self._stored, face, out=self._first_channel, mode="clip")
            for channel in self._other_channels:
                channel[...] = self._first_channel
            self._interpreter.set_tensor(self._input_index, self._input)
        self._interpreter.invoke()
        real = self._dequantize(self._interpreter.get_tensor(self._output_index).reshape(-1))
        if not math.isfinite(real.sum()):
            raise ModelError(f"{self.path} gives values that are no numbers: its weights are damaged")
        return softmax(real) if self.output.content == "logits" else real

    def predict(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Gray faces, uint8 (N, height, width) -> probabilities, float32 (N, labels); N may be 0."""
        probabilities = np.empty((len(faces), len(self.labels)), np.float32)
        for face, row in zip(faces, probabilities, strict=True):
            row[:] = self.predict_one(face)
        return probabilities


def check(path: Path) -> None:
    """Raises ModelError unless the file ships with fer-edge, or is whole and runs (`modelfile.check`)."""
    _check(_read(path), path)


def _read(path: Path) -> bytes:
    if path.suffix == ".keras":
        raise ModelError(f"{path} is a Keras model: convert it first, with fer-edge convert {path}")
    return modelfile.read_bytes(path)


def _check(data: bytes, path: Path) -> None:
    if shipped.ships(data):
        return
    modelfile.check_bytes(data, str(path))
    trial.run_apart(data, str(path))


def _ends(model: Any, path: Path) -> tuple[TensorSpec, TensorSpec]:
    """Input and output as the file states them."""
    tensors = []
    for what, details in (("input", model.get_input_details()), ("output", model.get_output_details())):
        if len(details) != 1:
            raise ModelError(f"{path} has {len(details)} {what}s: a classifier of faces has one")
        scale, zero_point = details[0]["quantization"]
        shape = tuple(int(n) for n in details[0]["shape"])
        dtype = np.dtype(details[0]["dtype"]).name
        if dtype not in {"float32", "float16", "uint8", "int8", "int16"}:
            raise ModelError(f"{path}: an {what} of type {dtype} is none that faces or probabilities have")
        tensors.append(TensorSpec(dtype, shape, float(scale), int(zero_point)))
    first, last = tensors
    if last.shape[-1:] != (int(np.prod(last.shape)),):
        raise ModelError(
            f"{path}: output {last.shape} is not one list of values: a classifier gives (1, labels)"
        )
    return first, last


def _channel_axis(shape: tuple[int, ...], path: Path) -> int | None:
    """The axis of channels, None for (1, height, width). Raises ModelError for no picture's shape."""
    if len(shape) == 3 and shape[0] == 1:
        return None
    if len(shape) == 4 and shape[0] == 1:
        for axis in (3, 1):
            if shape[axis] in {1, 3}:
                return axis
    raise ModelError(
        f"{path}: input {shape} is not one picture: (1, height, width, 1 or 3), or channels first, is needed"
    )


def _size(shape: tuple[int, ...], axis: int | None) -> tuple[int, int]:
    sides = [side for n, side in enumerate(shape) if n not in (0, axis)]
    return sides[0], sides[1]


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities, float32 (..., labels), of logits float32 (..., labels)."""
    exponentials = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return np.asarray(exponentials / exponentials.sum(axis=-1, keepdims=True), np.float32)
