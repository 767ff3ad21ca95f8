"""Target `microcontroller`: a model as C source for TFLite Micro, with its arena size."""

import bisect
import importlib
import re
import tempfile
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge.errors import GateError, ModelError, first_line
from fer_edge.model import file, graph
from fer_edge.model.classifier import Classifier, find_interpreter, load_interpreter, stored_levels
from fer_edge.quiet import quiet_stderr
from fer_edge.targets import Artifact, OtherRuntime, Pictures, in_child, template

CHECKED = 60
"""Pictures, at most, for LiteRT's reference kernels, which are a hundred times slower than XNNPACK's; whether
both runtimes compute the same shows on few faces or never."""
STEPS_ALLOWED = 2
"""Steps of the output by which TFLite Micro may differ from those kernels, because it rounds its int8 softmax
differently. It also rounds its int8 fully connected layer differently, by a step of the logits, which moves a
probability by at most half as much."""
FLOAT_ALLOWED = 1e-4  # the same in probability for float sums, which are added in another order
_ROOM = 64 << 20  # bytes: a larger arena than any microcontroller's, to see how much is used
_STEP = 1024  # bytes, in which the smallest arena is searched
_C_TYPES = {"int8": "int8_t", "uint8": "uint8_t", "int16": "int16_t", "float32": "float"}


def make(classifier: Classifier, pictures: Pictures) -> Artifact:
    """Header, array and example. Report: `arena_bytes`, as measured here, and `flash_bytes`.

    Raises ModelError if TFLite Micro cannot run the model, GateError if it does not compute what LiteRT's
    reference kernels compute.
    """
    with in_child(run_here, classifier, pictures) as (folder, arena):
        given, reference = (np.load(folder / f"{name}.npy") for name in ("micro", "reference"))
        flatbuffer = (folder / "model.tflite").read_bytes()
    check(classifier, given, reference)
    values = _values(classifier, flatbuffer, arena)
    sources = tuple(template("c", name, values).encode() for name in ("model.h", "model.c", "main.cc"))
    needs = f"{len(flatbuffer) / 1024:.0f} KiB flash, {arena / 1024:.0f} KiB arena"
    return Artifact(sources, {"arena_bytes": arena, "flash_bytes": len(flatbuffer)}, needs, given)


def check(classifier: Classifier, micro: NDArray[np.float32], reference: NDArray[np.float32]) -> None:
    """Raises GateError unless both gave the same, except for rounding, on the pictures that both ran."""
    logit_step = graph.logit_step(file.read_bytes(classifier.path))
    allowed = max(STEPS_ALLOWED * classifier.output.scale + 0.5 * logit_step, FLOAT_ALLOWED)
    largest = float(np.abs(micro[: len(reference)] - reference).max())
    if not largest <= allowed:
        raise GateError(
            f"{classifier.path} differs by up to {largest:.4f} in a probability between TFLite Micro and "
            f"LiteRT's reference kernels, {allowed:.4f} allowed: not written"
        )


def run_here(folder: str, model: str) -> int:
    """In the child: bytes of the smallest arena; runs faces.npy, writes micro.npy and reference.npy."""
    flatbuffer, faces = Path(folder, "model.tflite").read_bytes(), np.load(Path(folder, "faces.npy"))
    micro = Classifier(model, checked=True, load=partial(OtherRuntime, micro_runtime(flatbuffer)))
    np.save(Path(folder, "micro.npy"), micro.predict(faces))
    # These round as TFLite Micro does; XNNPACK rounds differently.
    kernels = importlib.import_module(find_interpreter()[1].__module__).OpResolverType.BUILTIN_REF
    load = partial(load_interpreter, experimental_op_resolver_type=kernels)
    reference = Classifier(model, checked=True, load=load)
    np.save(Path(folder, "reference.npy"), reference.predict(faces[:CHECKED]))
    return smallest_arena(flatbuffer, np.zeros(micro.input.shape, micro.input.dtype))


def micro_runtime(flatbuffer: bytes, arena: int = _ROOM) -> Callable[[NDArray[Any]], NDArray[Any]]:
    """TFLite Micro with `arena` bytes of memory: takes the input tensor, returns the output tensor.

    Raises ModelError with TFLite Micro's own reason if it cannot run the model; what it returns, too.
    """
    from tflite_micro.python.tflite_micro import runtime

    interpreter = _called(lambda: runtime.Interpreter.from_bytes(flatbuffer, arena_size=arena))

    def run(value: NDArray[Any]) -> NDArray[Any]:
        interpreter.set_input(value, 0)
        _called(interpreter.invoke)  # some models are refused only here
        return np.asarray(interpreter.get_output(0))

    return run


def smallest_arena(flatbuffer: bytes, value: NDArray[Any]) -> int:
    """Bytes of the smallest arena, in steps of 1 KiB, with which the model runs on this machine.

    Planning needs more memory than stays allocated, so the size is found by trying. value: an input tensor.
    """

    def runs(size: int) -> bool:
        try:
            micro_runtime(flatbuffer, size)(value)
        except ModelError:
            return False
        return True

    sizes = range(_STEP, _ROOM + 1, _STEP)
    return sizes[bisect.bisect_left(sizes[:-1], True, key=runs)]  # it ran in the largest


def _called(call: Callable[[], Any]) -> Any:
    """Result of the call. Raises ModelError with what native code prints on standard error."""
    with tempfile.TemporaryFile() as said:
        try:
            with quiet_stderr(said.fileno()):
                return call()
        except (RuntimeError, ValueError) as error:
            said.seek(0)
            lines = [line.strip() for line in said.read().decode(errors="replace").splitlines()]
            told = [line for line in lines if line and "Allocat" not in line][-2:]
            reasons = [re.sub(r"^\S*/(\S+\.(cc|h)):?\d*\s*", "", line) for line in told]
            raise ModelError(f"TFLite Micro refuses: {'; '.join(reasons) or first_line(error)}") from error


def _values(classifier: Classifier, flatbuffer: bytes, arena: int) -> dict[str, object]:
    """The values for the templates in `c/`."""
    taken, given = classifier.input, classifier.output
    name = re.sub(r"\W", "_", classifier.path.stem, flags=re.ASCII)
    name = f"model_{name}" if name[:1].isdigit() else name
    labels = (
        "".join(f"\\{ord(c):03o}" if c in '"\\?' or ord(c) < 32 else c for c in label)
        for label in classifier.labels
    )
    operators = graph.operators(flatbuffer)
    adds = (f"  if (resolver.Add{camel_case(op)}() != kTfLiteOk) return 1;" for op in operators)
    zero = f"{name.upper()}_OUTPUT_ZERO_POINT"
    probability = given.content == "probabilities"
    return {
        "file": classifier.path.stem,
        "name": name,
        "upper": name.upper(),
        "model": _rows([f"0x{byte:02x}" for byte in flatbuffer]),
        "model_bytes": len(flatbuffer),
        "labels": ", ".join(f'"{label}"' for label in labels),
        "label_count": len(classifier.labels),
        "arena_bytes": arena,
        "height": classifier.input_size[0],
        "width": classifier.input_size[1],
        "channels": classifier.channels,
        "output_scale": f"{given.scale!r}f",
        "output_zero_point": given.zero_point,
        "input_type": _C_TYPES[taken.dtype],
        "output_type": _C_TYPES[given.dtype],
        "stored": _rows(stored_levels(taken).tolist()),
        "meaning": "probability" if probability else "logit",
        "content": "probabilities" if probability else "logits (apply softmax)",
        "real": f"{name.upper()}_OUTPUT_SCALE * (value - {zero})" if given.scale else "(float)value",
        "operators": "\n".join(adds),
        "operator_count": len(operators),
    }


def _rows(values: Sequence[object]) -> str:
    """The lines of an array in C, sixteen values each."""
    starts = range(0, len(values), 16)
    return "\n".join(f"  {', '.join(map(str, values[start : start + 16]))}," for start in starts)


def camel_case(operator: str) -> str:
    """TFLite's name of an operator as TFLite Micro's resolver spells it: MAX_POOL_2D -> MaxPool2D."""
    name = "".join(part.capitalize() if part != "2D" else part for part in operator.split("_"))
    return name.replace("Matmul", "MatMul").replace("Padv2", "PadV2").replace("Cumsum", "CumSum")
