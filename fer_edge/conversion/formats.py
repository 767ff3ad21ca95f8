"""The formats: how each is made from a Keras network, and how closely it must agree with it.

`FORMATS` is their only table. A file takes raw gray levels and returns probabilities, has the signature
`serving_default` (input `face`, output `probabilities`), and only TFLite's own operators.
"""

import dataclasses
import re
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import console, files
from fer_edge.conversion import folding, rounding
from fer_edge.conversion.gate import LEAST_PICTURES, Thresholds
from fer_edge.errors import ModelError, UsageError, first_line
from fer_edge.files import BelowOne, Count, Share
from fer_edge.model import graph, shipped
from fer_edge.quiet import quiet_stderr
from fer_edge.spec import Format

_WIDE = ("EXPERIMENTAL_TFLITE_BUILTINS_ACTIVATIONS_INT16_WEIGHTS_INT8", "TFLITE_BUILTINS")


@dataclass(frozen=True)
class Recipe:
    """One way of converting; recipes/*.toml have the values in use.

    calibration_samples: pictures of Training that set the ranges of integer files. parity_pictures: at most
    this many of PublicTest are used to check a file.

    sparsity: share of weights set to 0; clusters: distinct weights per layer; 0 for neither. qat: train with
    the rounding of int8. steps, qat_steps: of `batch` pictures each, for pruning and clustering, and for QAT.
    rate, qat_rate: Adam's initial rate, which falls to 0. label_share: share of the labels in the target,
    0..1; the rest is the float network's probabilities.

    limits: of formats, and of `COMPRESSED`: the fields of `Thresholds` that it sets otherwise.
    """

    name: str = "default"
    calibration_samples: Count = 490
    parity_pictures: Annotated[int, (LEAST_PICTURES, 1e9)] = 4000
    sparsity: BelowOne = 0.0
    clusters: Annotated[int, (0, 256)] = 0
    qat: bool = False
    steps: Count = 300
    qat_steps: Count = 400
    batch: Count = 64
    rate: Annotated[float, (1e-9, 1)] = 1e-4
    qat_rate: Annotated[float, (1e-9, 1)] = 3e-5
    label_share: Share = 0.1
    limits: dict[str, dict[str, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        files.check(self, f"recipe {self.name}", {"clusters must be 0 or 2 to 256": self.clusters != 1})

    @property
    def compresses(self) -> bool:
        """Whether the network is pruned or clustered."""
        return bool(self.sparsity or self.clusters)

    def trains(self, name: str) -> bool:
        """Whether quantisation-aware training makes the file of that format."""
        return self.qat and name in FORMATS and FORMATS[name].trainable

    def limits_of(self, name: str) -> Thresholds:
        """Limits of a format, or of `COMPRESSED`: usually looser after quantisation-aware training."""
        usual = COMPRESSED_LIMITS if name == COMPRESSED else known(name).limits
        trained = {"agreement": 0.97, "max_abs_diff": 0.5, "mean_abs_diff": 0.02} if self.trains(name) else {}
        return dataclasses.replace(usual, **trained | self.limits.get(name, {}))

    def said(self, name: str) -> dict[str, Any]:
        """How a file of that format was made, for its card."""
        keys = ["sparsity", "clusters", "steps", "rate"] if self.compresses else []
        keys += ["qat_steps", "qat_rate"] if self.trains(name) else []
        keys += ["batch", "label_share"] if keys else []
        limits = dataclasses.asdict(self.limits_of(name))
        return {"name": self.name, "thresholds": limits, **{key: getattr(self, key) for key in keys}}


def read(name_or_path: str | Path, **values: Any) -> Recipe:
    """Reads an included recipe or a TOML file; the file's name is the recipe's unless it says another.

    values: replace the file's, if not None. Raises UsageError, naming file and key, for what is no recipe.
    """
    path = shipped.recipe("convert", str(name_or_path))
    table = files.read_toml(path)
    limits = {
        name: files.checked(Thresholds, table.pop(name), f"{path} [{name}]")
        for name in (*FORMATS, COMPRESSED)
        if name in table
    }
    asked = {key: value for key, value in values.items() if value is not None}
    return Recipe(**{"name": path.stem, **files.checked(Recipe, table, str(path)), **asked}, limits=limits)


@dataclass(frozen=True)
class Material:
    """What a format is made from.

    network: Keras, gray levels to probabilities. faces: for calibration, uint8 (N, height, width), including
    levels 0 and 255; none for formats without. origin: where they are from, for cards. compressed: whether it
    was pruned or clustered, with large kernels `rounding.on_one_step`. aware: the folded network after
    quantisation-aware training, and the ranges it learned.
    """

    network: Any
    faces: NDArray[np.uint8] = field(default_factory=lambda: np.empty(0, np.uint8))
    origin: str = ""
    compressed: bool = False
    aware: Any = None
    ranges: rounding.Ranges = field(default_factory=dict)


@dataclass(frozen=True)
class Making:
    """How a format is made. make: returns the file's bytes, the same each time; may raise ModelError.

    limits: of its file, unless a recipe overrides them. calibrated: whether `make` needs pictures.
    trainable: whether --qat applies to it. usual: whether it is made by default.
    """

    make: Callable[[Material], bytes]
    limits: Thresholds
    calibrated: bool = False
    trainable: bool = False
    usual: bool = False


FORMATS: dict[str, Making] = {
    Format.FLOAT32: Making(
        lambda of: tflite(of.network), Thresholds(0.9995, 0.001, 0.0001, 0.0005, 0.01), usual=True
    ),
    Format.FLOAT16: Making(
        lambda of: tflite(of.network, optimise=True, types=("float16",)),
        Thresholds(0.999, 0.02, 0.001, 0.001, 0.02),
        usual=True,
    ),
    # 8-bit weights; the ranges of activations are found at run time.
    Format.DYNAMIC_RANGE: Making(
        lambda of: tflite(_rounded_weights(of), optimise=True),
        Thresholds(0.99, 0.2, 0.005, 0.005, 0.05),
        calibrated=True,
        usual=True,
    ),
    # The last layer with weights, and a mean before it, in float: in int8, logits would have a step of 0.15.
    Format.INT8: Making(
        lambda of: _integer(of, "uint8", "float32"),
        Thresholds(0.99, 0.25, 0.004, 0.002, 0.05),
        calibrated=True,
        trainable=True,
        usual=True,
    ),
    # No floats: for microcontrollers and accelerators.
    Format.FULL_INTEGER: Making(
        lambda of: _integer(of, "int8", "int8"),
        Thresholds(0.98, 0.25, 0.008, 0.005, 0.05),
        calibrated=True,
        trainable=True,
    ),
    # 16-bit activations, 8-bit weights: for accelerators with these kernels; slow on processors.
    Format.INT16X8: Making(
        lambda of: tflite(_rounded_weights(of), optimise=True, wide_for=of.faces),
        Thresholds(0.99, 0.2, 0.004, 0.002, 0.05),
        calibrated=True,
    ),
}
COMPRESSED = "compressed"
COMPRESSED_LIMITS = Thresholds(0.85, 1.0, 0.1, 0.01, 0.1)
"""Limits of a pruned or clustered network compared with the dense one."""


def known(name: str) -> Making:
    """The entry of a format. Raises UsageError for an unknown one."""
    if name not in FORMATS:
        raise UsageError(f"there is no format {name!r}: choose from {', '.join(FORMATS)}")
    return FORMATS[name]


def _rounded_weights(material: Material) -> Any:
    try:
        network = folding.folded(material.network)
    except ModelError:  # of more than layers: the converter alone rounds it
        return material.network
    return rounding.compensated(network, {}, material.faces[::2], compressed=material.compressed)


def _integer(material: Material, taken: str, given: str) -> bytes:
    float_end = given == "float32"
    network = material.aware or folding.folded(material.network, centred=True)
    ranges = rounding.measured(network, material.faces, float_end=float_end)
    ranges |= {name: ends for name, ends in material.ranges.items() if name in ranges}
    if material.aware is None:
        network = rounding.compensated(network, ranges, material.faces[::2], compressed=material.compressed)
    integers = partial(rounding.rounded, network, ranges, float_end=float_end)
    made = tflite(network, integers, optimise=True, ends=(taken, given), one_step=material.compressed)
    inner = () if float_end else graph.read(made)[0].operators
    floats = {op.name for op in inner if "float32" in {tensor.dtype for tensor in op.taken + op.given}}
    if floats := floats - {"QUANTIZE", "DEQUANTIZE"}:
        console.warn(f"{', '.join(sorted(floats))} compute in float, which other layers would not need")
    return made


def tflite(
    network: Any,
    function: Callable[[Any], Any] | None = None,
    *,
    optimise: bool = False,
    types: tuple[str, ...] = (),
    wide_for: NDArray[np.uint8] | None = None,
    ends: tuple[str, str] | None = None,
    one_step: bool = False,
) -> bytes:
    """The .tflite file of a Keras network, gray levels (1, height, width, 1) to probabilities (1, n).

    function: computes with the network's weights on float32 gray levels; by default the network itself.
    optimise: let the converter round weights, to `types`. wide_for: faces that calibrate 16-bit activations.
    ends: types of input and output of a function that contains the rounding; by default uint8 and float32.
    one_step: large kernels are `rounding.on_one_step`.
    Raises ModelError, naming them, for operators that TFLite lacks.
    """
    import keras
    import tensorflow as tf

    shape = (1, *network.inputs[0].shape[1:])
    # As constants: the converter would write a Keras model's weights as variables.
    values = [(variable, tf.constant(variable.numpy())) for variable in network.variables]

    def serve(face: Any) -> dict[str, Any]:
        state = values
        if one_step:
            state = [(variable, rounding.with_one_step(value)) for variable, value in values]
        with keras.StatelessScope(state_mapping=state):
            return {"probabilities": (function or network)(tf.cast(face, tf.float32))}

    module = tf.Module()
    spec = tf.TensorSpec(shape, tf.float32 if ends else tf.uint8, name="face")
    module.serve = tf.function(serve, input_signature=[spec])
    with quiet_stderr(), tempfile.TemporaryDirectory() as folder:
        tf.saved_model.save(module, folder, signatures={"serving_default": module.serve})
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        if optimise:
            converter.optimizations = [tf.lite.Optimize.DEFAULT]
            converter.target_spec.supported_types = [tf.as_dtype(name) for name in types]
        if wide_for is not None:
            converter.target_spec.supported_ops = [tf.lite.OpsSet[name] for name in _WIDE]
            converter.representative_dataset = lambda: ([face.reshape(shape)] for face in wide_for)
        if ends is not None:
            converter.inference_input_type, converter.inference_output_type = map(tf.as_dtype, ends)
        try:
            converted = bytes(converter.convert())
        except (MemoryError, OSError):  # the machine's
            raise
        except Exception as error:  # ConverterError, which TensorFlow does not export, and others
            why = f"TensorFlow cannot convert the network: {first_line(error)[:200]}"
            if named := re.search(r"^(?:Flex|Custom) ops: (.+)$", str(error), re.MULTILINE):
                why = f"the network uses operators that TFLite lacks ({named[1]}): build it from other layers"
            raise ModelError(why) from error
    return tidied(converted)


def tidied(flatbuffer: bytes) -> bytes:
    """The same network from fewer bytes: a twentieth of a small float16 file.

    TensorFlow names a tensor after every operation that went into it; here an operator's output is
    `7_conv_2d`, its weights and bias `7_1` and `7_2`, counted in the order in which they run. Tensors without
    values share buffer 0, which schema.fbs keeps empty, and have no quantisation where it says nothing.
    """
    model, shown = graph.unpacked(flatbuffer), graph.read(flatbuffer)[0]
    main = model.subgraphs[0]
    for n, operator in enumerate(shown.operators):
        for k, tensor in enumerate(operator.taken):
            if tensor.constant:
                main.tensors[tensor.index].name = f"{n}_{k}"
        for tensor in operator.given:
            main.tensors[tensor.index].name = f"{n}_{operator.name.lower()}"
    main.tensors[main.inputs[0]].name = "face"
    main.tensors[main.outputs[0]].name = "probabilities"
    for tensor in main.tensors:
        if tensor.quantization is not None and tensor.quantization.scale is None:
            tensor.quantization = None
    # Without the converter's versions and options, which the card has.
    model.metadata = [note for note in model.metadata or [] if note.name != b"CONVERSION_METADATA"]
    holders = (*main.tensors, *model.metadata)
    full = [n for n, buffer in enumerate(model.buffers) if buffer.data is not None and len(buffer.data)]
    kept = [0, *dict.fromkeys(holder.buffer for holder in holders if holder.buffer in full)]
    for holder in holders:
        holder.buffer = kept.index(holder.buffer) if holder.buffer in kept else 0
    model.buffers = [model.buffers[n] for n in kept]
    return graph.packed(model)
