"""Faces in, probabilities out, for our models and foreign ones; and the interpreter that computes them.

The interpreter is the one installed: LiteRT, else tflite_runtime, else TensorFlow's own.
"""

import contextlib
import importlib.util
import math
import operator
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import FerEdgeError, ModelError, UsageError, first_line
from fer_edge.model import file, shipped
from fer_edge.quiet import quiet_stderr
from fer_edge.spec import LARGEST_SIDE, TensorSpec

RUNTIMES = {
    "litert": ("ai_edge_litert.interpreter", "Interpreter"),
    "tflite_runtime": ("tflite_runtime.interpreter", "Interpreter"),
    "tensorflow": ("tensorflow", "lite.Interpreter"),
}
"""Name -> module and attribute of an interpreter's class, in the order they are tried."""

VARIABLE = "FER_EDGE_INTERPRETER"  # selects one of RUNTIMES if several are installed

_GRAY_LEVELS = np.arange(256)


def find_interpreter() -> tuple[str, Any]:
    """Package name and class of the interpreter: the first that can be imported.

    Raises FerEdgeError with what to install if there is none, if one is installed but broken, or if the one
    that FER_EDGE_INTERPRETER names is missing; UsageError if that name is unknown.
    """
    wanted = os.environ.get(VARIABLE, "")
    if wanted and wanted not in RUNTIMES:
        raise UsageError(f"{VARIABLE}={wanted} is not an interpreter: choose from {', '.join(RUNTIMES)}")
    failures = []
    for module, attribute in [RUNTIMES[wanted]] if wanted else RUNTIMES.values():
        name = module.split(".")[0]
        try:
            with quiet_stderr(), _without_start(name):
                found = operator.attrgetter(attribute)(importlib.import_module(module))
        except ModuleNotFoundError:
            continue
        except Exception as error:  # a wheel built for another numpy or C library fails in its own ways
            failures.append(f"{name} is installed but fails: {first_line(error)}")
            continue
        return name, found
    named = f"{VARIABLE} names {wanted}, which is not installed (unset it to use another)"
    reason = "; ".join(failures) or (named if wanted else "no TFLite interpreter is installed")
    raise FerEdgeError(f"{reason}: pip install ai-edge-litert (32-bit Arm: tflite-runtime 'numpy<2')")


@contextlib.contextmanager
def _without_start(package: str) -> Iterator[None]:
    """Imports LiteRT's interpreter without the package's `__init__`, which on Linux loads LiteRT's newer
    interface, 1.6 MiB that nothing here uses. Later imports of the package get all of it."""
    needed = package != "ai_edge_litert" or package in sys.modules or not sys.platform.startswith("linux")
    spec = None if needed else importlib.util.find_spec(package)
    if spec is None:
        yield
        return
    sys.modules[package] = importlib.util.module_from_spec(spec)  # not executed
    try:
        yield
    finally:
        for module in (package, f"{package}.interpreter"):
            sys.modules.pop(module, None)


def load_interpreter(model: bytes, num_threads: int, name: str, **options: Any) -> Any:
    """An interpreter for the bytes of a .tflite file, its tensors allocated; with further options of its own.

    The bytes must have passed `file.check` or be trusted: interpreters do not verify them. Raises ModelError,
    naming `name`, if the runtime refuses the model, or if its input is over 1024x1024 or has no fixed size.
    """
    if num_threads > 1024:  # from some ten thousand on, starting them ends in a segmentation fault
        raise UsageError(f"{num_threads} threads are more than the 1024 that are possible")
    runtime, interpreter_class = find_interpreter()
    try:
        with quiet_stderr():
            interpreter = interpreter_class(model_content=model, num_threads=num_threads, **options)
            for details in interpreter.get_input_details():
                check_sizes(details.get("shape_signature", details["shape"]), name)
            interpreter.allocate_tensors()
    except (RuntimeError, ValueError) as error:
        raise ModelError(f"{name}: {runtime} cannot use this model: {first_line(error)}") from error
    return interpreter


def check_sizes(sizes: Iterable[int], name: str) -> None:
    """Raises ModelError for an input over 1024x1024 or with open sizes (-1); the batch size may be open."""
    shape = [int(size) for size in sizes]
    if -1 in shape[1:]:
        raise ModelError(f"{name}: its input {shape} leaves sizes open (-1): convert it with fixed ones")
    if max(shape, default=0) > LARGEST_SIDE:
        raise ModelError(f"{name}: its input {shape} is larger than {LARGEST_SIDE}x{LARGEST_SIDE} pixels")


def stored_levels(tensor: TensorSpec) -> NDArray[Any]:
    """The value an input tensor stores for each gray level 0..255, in its dtype: shape (256,)."""
    return tensor.quantize(tensor.real_min + _GRAY_LEVELS * ((tensor.real_max - tensor.real_min) / 255.0))


class Classifier:
    """A .tflite model with its labels.

    path: the model file. card, labels: from the file; labels in the order of its output.
    input, output: its tensors; shape, dtype and quantisation are the file's, range and content the
    card's. input_size: (height, width) of its faces in pixels. channels: 1, or 3 that all get the
    gray levels.
    """

    def __init__(
        self,
        model: str | Path,
        num_threads: int = 1,
        card: str | Path | None = None,
        *,
        checked: bool = False,
        load: Callable[[bytes, int, str], Any] = load_interpreter,
    ) -> None:
        """Loads `model`, the name of an included model or a path.

        card: a JSON file for a model without labels, range and kind of output inside.
        checked: the caller has already called `file.check`, so only loading is timed.
        load: returns another runtime with the interface of LiteRT's interpreter.
        Raises ModelError if the file or its card cannot be used.
        """
        self.path = shipped.find_model(str(model))
        data = file.read_bytes(self.path)
        if not checked:
            file.check(data, str(self.path))
        self._interpreter = load(data, num_threads, str(self.path))
        taken, self._input_index = self._end("input")
        given, self._output_index = self._end("output")
        if given.shape[-1:] != (math.prod(given.shape),):
            raise ModelError(
                f"{self.path}: output {given.shape} is not one list of values: a classifier gives (1, labels)"
            )
        if len(taken.shape) != 4 or taken.shape[0] != 1 or taken.shape[3] not in {1, 3}:
            raise ModelError(
                f"{self.path}: input {taken.shape} is not one picture: (1, height, width, 1 or 3) is needed"
            )
        self.card = file.find_card(self.path, data, card, (taken, given))
        self.labels, self.input, self.output = self.card.labels, self.card.input, self.card.output
        self.input_size, self.channels = taken.shape[1:3], taken.shape[3]
        # How far the sum may be from 1, since each probability is rounded to its step.
        self._tolerance = 0.02 + len(self.labels) * self.output.scale
        # Gray level -> stored value, computed once: exact for every dtype.
        self._stored = stored_levels(self.input)
        same = self.input.dtype == "uint8" and bool((self._stored == _GRAY_LEVELS).all())
        self._identity = same and self.channels == 1
        self._input = np.zeros(self.input.shape, self.input.dtype)
        self._channels = [self._input[0, ..., n] for n in range(self.channels)]  # views

    def _end(self, what: str) -> tuple[TensorSpec, int]:
        """Input or output as the file states it, and its index."""
        details = getattr(self._interpreter, f"get_{what}_details")()
        if len(details) != 1:
            raise ModelError(f"{self.path} has {len(details)} {what}s: a classifier of faces has one")
        scale, zero_point = details[0]["quantization"]
        dtype = np.dtype(details[0]["dtype"]).name
        if dtype not in {"float32", "float16", "uint8", "int8", "int16"}:
            raise ModelError(f"{self.path}: an {what} of type {dtype} cannot hold faces or probabilities")
        shape = tuple(int(n) for n in details[0]["shape"])
        return TensorSpec(dtype, shape, float(scale), int(zero_point)), details[0]["index"]

    def predict_one(self, face: NDArray[np.uint8]) -> NDArray[np.float32]:
        """One gray face, uint8 (height, width) of `input_size` -> probabilities, float32 (labels,).

        Raises ValueError for another shape or dtype, ModelError if the model does not return numbers, or not
        probabilities although its card says so.
        """
        if face.shape != self.input_size or face.dtype != np.uint8:
            raise ValueError(f"a face must be uint8 {self.input_size}, not {face.dtype} {face.shape}")
        if self._identity:
            self._interpreter.set_tensor(self._input_index, face.reshape(self.input.shape))
        else:
            first, *others = self._channels
            np.take(self._stored, face, out=first, mode="clip")
            for channel in others:
                channel[...] = first
            self._interpreter.set_tensor(self._input_index, self._input)
        self._interpreter.invoke()
        real = self.output.dequantize(self._interpreter.get_tensor(self._output_index).reshape(-1))
        values = real.tolist()  # for a few values, Python's sum and min take a third of numpy's time
        total = sum(values)
        if not math.isfinite(total):
            raise ModelError(f"{self.path} gives values that are not numbers: its weights are damaged")
        if self.output.content == "logits":
            exponentials = np.exp(real - real.max())
            return np.asarray(exponentials / exponentials.sum(), np.float32)
        if abs(total - 1) > self._tolerance or min(values) < -self._tolerance:
            raise ModelError(
                f"{self.path} gives values of {min(values):.3g} to {max(values):.3g} with the sum "
                f"{total:.3g}, which are no probabilities: if they are logits, its card must say "
                '"content": "logits"'
            )
        return real

    def predict(self, faces: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Gray faces, uint8 (N, height, width) -> probabilities, float32 (N, labels); N may be 0."""
        probabilities = np.empty((len(faces), len(self.labels)), np.float32)
        for face, row in zip(faces, probabilities, strict=True):
            row[:] = self.predict_one(face)
        return probabilities
