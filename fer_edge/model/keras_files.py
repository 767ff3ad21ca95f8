"""Loads a `.keras` file without trusting it.

Keras' safe mode refuses code in the file, but has had holes: layers that read other files, functions that
download. So the archive's members, their sizes and the names in its configuration are checked first. Its
weights are first read in a separate process, since damaged addresses can send HDF5 round in circles.
"""

import importlib
import io
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from fer_edge import child, files
from fer_edge.errors import ModelError, first_line
from fer_edge.model.file import CHILD_MEMORY
from fer_edge.quiet import quiet_stderr, quiet_training

_LIMITS = {"config.json": 1 << 24, "metadata.json": 1 << 16, "model.weights.h5": 1 << 30}
"""The members of a model without assets -> their largest unpacked size in bytes."""
_CPU_S = 10  # to read all weights, however busy the processor is

_LAYERS = """
    InputLayer Rescaling Normalization Conv2D DepthwiseConv2D SeparableConv2D Conv2DTranspose Dense Flatten
    Reshape Permute BatchNormalization LayerNormalization GroupNormalization Activation ReLU LeakyReLU PReLU
    ELU Softmax MaxPooling2D AveragePooling2D GlobalMaxPooling2D GlobalAveragePooling2D Dropout
    SpatialDropout2D GaussianNoise GaussianDropout ZeroPadding2D Cropping2D UpSampling2D Resizing Add Subtract
    Multiply Average Maximum Minimum Concatenate Dot Identity ActivityRegularization
"""
_INITIALIZERS = """
    Zeros Ones Constant RandomNormal RandomUniform TruncatedNormal VarianceScaling GlorotNormal GlorotUniform
    HeNormal HeUniform LecunNormal LecunUniform Orthogonal Identity
"""
_OPERATIONS = """
    Add Subtract Multiply Divide TrueDivide Mean Max Min Sum Maximum Minimum Absolute Sqrt Square Clip Reshape
    Concatenate GetItem Negative Power Exp Log Transpose ExpandDims Squeeze
"""
ALLOWED = {
    module: frozenset(names.split())
    for module, names in {
        "": "__keras_tensor__ __slice__ __ellipsis__",
        "keras": "Sequential Functional Model DTypePolicy",
        "keras.models": "Sequential Functional Model",
        "keras.src.models.functional": "Functional",
        "keras.layers": _LAYERS,
        "keras.initializers": _INITIALIZERS,
        "keras.regularizers": "L1 L2 L1L2 OrthogonalRegularizer",
        "keras.constraints": "MaxNorm NonNeg UnitNorm MinMaxNorm",
        "keras.dtype_policies": "DTypePolicy",
        "keras.random": "SeedGenerator",
        "keras.src.random.seed_generator": "SeedGenerator",
        "keras.src.ops.numpy": _OPERATIONS,
        "keras.src.ops.core": "Cast",
        "keras.src.ops.nn": "Relu Relu6 Sigmoid Softmax Silu Gelu HardSwish HardSigmoid",
    }.items()
}
"""What a network may consist of, by Keras module; nothing else is loaded."""
_FUNCTIONS = "linear relu relu6 sigmoid softmax silu swish gelu elu tanh hard_sigmoid"


def load(path: Path) -> Any:
    """The file's Keras model, on any backend, not compiled; runs no code from the file.

    Raises ModelError in one line for anything else, MissingExtraError without Keras.
    """
    check(path)
    quiet_training()
    keras = importlib.import_module("keras")
    try:
        with quiet_stderr():
            return on_cpu(lambda: keras.models.load_model(path, compile=False, safe_mode=True))
    except Exception as error:  # a damaged file fails in zipfile, h5py, json or Keras, each in its own way
        raise ModelError(f"{path} is not a Keras model that can be read: {first_line(error)}") from error


def on_cpu(make: Callable[[], Any]) -> Any:
    """The model that `make` returns, on the CPU. PyTorch cannot create a dropout layer's integer state there,
    so there the model is moved."""
    keras = importlib.import_module("keras")
    if keras.backend.backend() == "torch":
        return make().to("cpu")
    with keras.device("cpu:0"):
        return make()


def in_float32(model: Any) -> Any:
    """A copy with the same weights, of Keras' own layers, in float32, on the CPU. Raises ModelError."""
    keras = importlib.import_module("keras")
    copy = on_cpu(lambda: keras.models.clone_model(model, clone_function=rebuilt))
    for layer in layers_of(copy):
        layer.dtype_policy = "float32"  # of those inside others, too
    set_weights(copy, model.get_weights())
    return copy


def rebuilt(layer: Any) -> Any:
    """The layer again, in float32, without weights; of a derived class, Keras' own. Raises ModelError."""
    own: Any = next(kind for kind in type(layer).__mro__ if kind.__module__.startswith("keras."))
    if own.__name__ == "Layer":
        raise ModelError(f"a network of other layers than Keras' own cannot be written: {layer.name}")
    return own.from_config({**layer.get_config(), "dtype": "float32"})


def layers_of(model: Any) -> list[Any]:
    """All its layers, with those of networks inside it, and activations that are layers."""
    return list(model._flatten_layers(include_self=False))


def set_weights(model: Any, weights: list[Any]) -> None:
    """Of a model or layer; an adapted Normalization computes with copies of its own, which follow."""
    model.set_weights(weights)
    for layer in (model, *layers_of(model)):
        if hasattr(layer, "finalize_state"):
            layer.finalize_state()


def check(path: Path) -> None:
    """Raises ModelError unless it has what a model needs, only layers in `ALLOWED`, and readable weights."""
    if path.suffix in (".h5", ".hdf5"):
        raise ModelError(f"{path} is in Keras 2's format: keras.models.load_model it and save it as .keras")
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                name, limit = member.filename, _LIMITS.get(member.filename)
                if limit is None:
                    raise ValueError(f"{name} is not part of a plain Keras model")
                if member.file_size > limit:
                    raise ValueError(f"{name} in it unpacks to more than {limit >> 20} MiB")
            if missing := sorted(_LIMITS.keys() - set(archive.namelist())):
                raise ValueError(f"no {', '.join(missing)} in it")
            config = files.parse_json(archive.read("config.json"))
            weights = archive.read("model.weights.h5")
    except Exception as error:  # as above
        raise ModelError(f"{path} is not a Keras model that can be read: {first_line(error)}") from error
    if isinstance(config, dict):
        config.pop("compile_config", None)  # Keras drops it: the model is not compiled
    for module, name in _named(config):
        if name not in ALLOWED.get(module, ()):
            why = "which this program does not load: it could run code or read other files"
            raise ModelError(f"{path} needs {module}.{name}, {why}")
    try:
        child.run(_read_weights, _CPU_S, what=str(path), data=weights)
    except child.ChildError as error:
        raise ModelError(f"{path}: its weights cannot be read to their end: the file is damaged") from error


def _read_weights(cpu_s: int) -> None:
    """In the child: reads every weight from standard input, within this many seconds of processor time."""
    import h5py

    def read(_: str, item: Any) -> None:
        if isinstance(item, h5py.Dataset):
            item[()]
        else:
            "vars" in item  # noqa: B015  as Keras asks

    child.limit(cpu_s=cpu_s, memory_bytes=CHILD_MEMORY)
    try:
        with h5py.File(io.BytesIO(sys.stdin.buffer.read()), "r") as weights:
            weights.visititems(read)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError) as error:
        raise ModelError(f"its weights cannot be read: {first_line(error)}") from error


def _named(value: Any) -> Iterator[tuple[str, str]]:
    """Every (module, class) in a Keras configuration, without allowed functions."""
    if isinstance(value, dict):
        name, module = value.get("class_name"), value.get("module") or ""
        function = (module, name) == ("builtins", "function") and value.get("config") in _FUNCTIONS.split()
        if ("class_name" in value or module) and not function:
            yield str(module), str(name)
    if isinstance(value, dict | list):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _named(inner)
