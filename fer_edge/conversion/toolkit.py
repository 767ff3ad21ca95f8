"""tensorflow-model-optimization: pruning, clustering and quantisation-aware training.

It knows Keras 2 alone, and a process has one Keras inside TensorFlow. So it works in a process of its own, on
a tf_keras network that gives what the Keras 3 network gives within 1e-5; the weights come back, and
conversion goes on from there as ever. The float network teaches, its probabilities and the labels together.
"""

from __future__ import annotations

import contextlib
import json
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fer_edge import child, console
from fer_edge.conversion import rounding
from fer_edge.conversion.formats import Material, Recipe
from fer_edge.conversion.rounding import inputs_of
from fer_edge.errors import ModelError
from fer_edge.vision.crop import resize_faces

_ENVIRONMENT = {"TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3", "PYTHONWARNINGS": "ignore"}
_TIMEOUT_S = 24 * 3600.0
_CHECKED = 64
_EQUAL = 1e-5
_IN_FLOAT = ("Rescaling", "GlobalAveragePooling2D", "AveragePooling2D", "Flatten", "Reshape", "Softmax")


def retrain(
    material: Material, images: NDArray[np.uint8], labels: NDArray[np.int64], recipe: Recipe, seed: int
) -> Material:
    """The material with its network pruned, clustered and trained for int8, as the recipe asks.

    images: of Training, uint8 (N, height, width), of any size; labels: int64 (N,), in the model's order.
    Ranges start as they are measured: the toolkit's own, -6 to 6, would need thousands of steps to settle.
    Raises ModelError for layers that Keras 2 lacks, and where the toolkit refuses the network.
    """
    import keras

    network, ranges = rounding.folded(material.network, centred=True), {}
    if recipe.qat:
        assert material.faces is not None
        with console.working("measuring ranges"):
            ranges = rounding.measured(network, material.faces, float_end=True)
    centre = rounding.centre_of(network)
    # What the toolkit calls the layer that rounds the input.
    job = {"ranges": ranges | {"quantize_layer": (-centre, 255 - centre)}, "centre": centre, "seed": seed}
    job |= {"recipe": asdict(recipe), "layers": _described(network)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "job.json").write_text(json.dumps(job))
        probe = resize_faces(images[:_CHECKED], network.inputs[0].shape[1:3])
        wanted = np.asarray(network(probe[..., None].astype(np.float32), training=False))
        lesson: dict[str, Any] = {"images": images, "labels": labels, "probe": probe, "wanted": wanted}
        np.savez(folder / "given.npz", **lesson, **_weights(network, "network"))
        with _bars() as heard:
            learnt = child.run(
                work,
                name,
                what="tensorflow-model-optimization",
                timeout_s=_TIMEOUT_S,
                environment=_ENVIRONMENT,
                heard=heard,
            )
        with np.load(folder / "found.npz") as found:
            if recipe.compresses:
                trained = _set_weights(keras.models.clone_model(network), found, "network")
                material = replace(material, network=trained, compressed=True)
            if recipe.qat:
                trained = _set_weights(keras.models.clone_model(network), found, "aware")
                material = replace(
                    material, aware=trained, ranges={n: (a, b) for n, (a, b) in learnt.items()}
                )
    return material


def _weights(model: Any, stage: str) -> dict[str, Any]:
    return {f"{stage}/{la.name}/{k}": w for la in model.layers for k, w in enumerate(la.get_weights())}


def _set_weights(model: Any, found: Any, stage: str) -> Any:
    for layer in model.layers:
        layer.set_weights([found[f"{stage}/{layer.name}/{k}"] for k in range(len(layer.weights))])
    return model


def _described(network: Any) -> list[dict[str, Any]]:
    """The layers as JSON has them, without what only centres gray levels, which the toolkit does not know."""
    names = {id(layer.output): layer.name for layer in network.layers}
    if rounding.centre_of(network):
        names[id(network.layers[1].output)] = network.layers[0].name
    described = []
    for layer in network.layers:
        if names[id(layer.output)] != layer.name:
            continue
        plain = {
            k: v for k, v in layer.get_config().items() if isinstance(v, int | float | str | list | tuple)
        }
        plain.pop("dtype", None)
        is_input = layer is network.layers[0]
        described.append(
            {
                "class": type(layer).__name__,
                "config": {"shape": layer.output.shape[1:]} if is_input else plain,
                "name": layer.name,
                "inputs": [] if is_input else [names[id(tensor)] for tensor in inputs_of(layer)],
            }
        )
    return described


@contextlib.contextmanager
def _bars() -> Iterator[Callable[[str], None]]:
    """What turns the child's lines, `name total`, one a step, into a bar for each name."""
    with contextlib.ExitStack() as shown:
        shown.enter_context(console.working("starting tensorflow-model-optimization"))
        now = ""
        step: Callable[[int], object] = bool

        def heard(line: str) -> None:
            nonlocal now, step
            what, _, total = line.rpartition(" ")
            if what != now:
                now = what
                shown.close()
                step = shown.enter_context(console.progress(what, int(total)))
            step(1)

        yield heard


# From here on: in the process of its own.


def work(name: str) -> dict[str, tuple[float, float]]:
    """Reads what `retrain` wrote into the folder `name`, does it, writes `found.npz`, gives the ranges."""
    import tensorflow as tf
    import tf_keras

    folder = Path(name)
    job = json.loads((folder / "job.json").read_text())
    recipe, centre = Recipe(**job["recipe"]), np.float32(job["centre"])
    tf_keras.utils.set_random_seed(job["seed"])
    tf.config.experimental.enable_op_determinism()
    twin, teacher = _built(job["layers"]), _built(job["layers"])
    with np.load(folder / "given.npz") as given:
        for model in (twin, teacher):
            _set_weights(model, given, "network")
        images, labels, probe, wanted = (given[key] for key in ("images", "labels", "probe", "wanted"))
    got = twin(probe[..., None].astype(np.float32) - centre, training=False).numpy()
    if np.abs(got - wanted).max() > _EQUAL:
        raise ModelError(f"its copy in Keras 2 differs by {np.abs(got - wanted).max():.2g} in a probability")
    train = _trainer(teacher, images, labels, recipe, job["seed"], centre)
    if recipe.sparsity:
        twin = _pruned(twin, recipe, train)
    if recipe.clusters:
        twin = _clustered(twin, recipe, train)
    if recipe.compresses:
        _onto_steps(twin)
    found, learnt = _weights(twin, "network"), {}
    if recipe.qat:
        learnt = _aware(twin, recipe, train, job["ranges"])
        if recipe.compresses:
            _onto_steps(twin)
        found |= _weights(twin, "aware")
    np.savez(folder / "found.npz", **found)
    return learnt


def _built(layers: list[dict[str, Any]]) -> Any:
    import tf_keras

    made: dict[str, Any] = {}
    for layer in layers:
        if layer["class"] == "InputLayer":
            made[layer["name"]] = tf_keras.Input(layer["config"]["shape"], name=layer["name"])
            continue
        kind = getattr(tf_keras.layers, layer["class"], None)
        if kind is None:
            raise ModelError(f"Keras 2 has no layer {layer['class']}")
        given = [made[name] for name in layer["inputs"]]
        made[layer["name"]] = kind.from_config(layer["config"])(given if len(given) > 1 else given[0])
    return tf_keras.Model(made[layers[0]["name"]], made[layers[-1]["name"]])


def _onto_steps(model: Any) -> None:
    for layer in model.layers:
        layer.set_weights([rounding.on_one_step(weight) for weight in layer.get_weights()])


_Train = Callable[..., None]
"""Fits a model; called with it, what is done, how many steps, the learning rate, and callbacks of Keras 2."""


def _trainer(
    teacher: Any,
    images: NDArray[np.uint8],
    labels: NDArray[np.int64],
    recipe: Recipe,
    seed: int,
    centre: np.float32,
) -> _Train:
    import tensorflow as tf
    import tf_keras

    share, exact = recipe.label_share, np.eye(teacher.output_shape[-1], dtype=np.float32)
    probabilities = tf.function(lambda faces: teacher(faces, training=False))

    def batches() -> Iterator[tuple[Any, Any]]:
        rng = np.random.default_rng(seed)
        while True:
            rows = rng.integers(0, len(images), recipe.batch)
            faces = resize_faces(images[rows], teacher.input_shape[1:3])
            mirrored = rng.random((len(rows), 1, 1)) < 0.5
            given = np.where(mirrored, faces[:, :, ::-1], faces)[..., None].astype(np.float32) - centre
            yield given, share * exact[labels[rows]] + (1 - share) * probabilities(given)

    def train(model: Any, what: str, steps: int, rate: float, *callbacks: Any) -> None:
        told = tf_keras.callbacks.LambdaCallback(
            on_batch_end=lambda batch, logs: print(what, steps, flush=True)
        )
        schedule = tf_keras.optimizers.schedules.CosineDecay(rate, steps)
        model.compile(tf_keras.optimizers.Adam(schedule), "categorical_crossentropy")
        model.fit(batches(), steps_per_epoch=steps, verbose=0, callbacks=[told, *callbacks])

    return train


def _weighted(model: Any) -> list[str]:
    """Names of the layers with a kernel but the first, which is small and matters most."""
    return [layer.name for layer in model.layers if hasattr(layer, "kernel")][1:]


def _wrapped(model: Any, names: list[str], wrap: Any) -> Any:
    """Layer by layer, since the toolkit refuses some that it need not change. The layers are those of
    `model`: it gets what is trained."""
    import tf_keras

    return tf_keras.models.clone_model(
        model, clone_function=lambda layer: wrap(layer) if layer.name in names else layer
    )


def _pruned(model: Any, recipe: Recipe, train: _Train) -> Any:
    """The smallest weights become 0 during the first half, along a polynomial; the rest makes up for it."""
    from tensorflow_model_optimization import sparsity

    toolkit = sparsity.keras
    half = max(recipe.steps // 2, 1)
    schedule = toolkit.PolynomialDecay(0.0, recipe.sparsity, 0, half, frequency=max(half // 20, 1))
    model = _wrapped(model, _weighted(model), lambda layer: toolkit.prune_low_magnitude(layer, schedule))
    train(model, "pruning", recipe.steps, recipe.rate, toolkit.UpdatePruningStep())
    return toolkit.strip_pruning(model)


def _clustered(model: Any, recipe: Recipe, train: _Train) -> Any:
    """Each layer keeps so many values, which are trained; zeros of pruning stay.

    They start evenly spaced: where k-means++ puts them, each is as frequent as the next, and no packer gains.
    """
    from tensorflow_model_optimization import clustering
    from tensorflow_model_optimization.python.core.clustering.keras.experimental.cluster import (
        cluster_weights,
    )

    toolkit = clustering.keras
    start = toolkit.CentroidInitialization.LINEAR
    keep = recipe.sparsity > 0
    model = _wrapped(
        model,
        _weighted(model),
        lambda layer: cluster_weights(layer, recipe.clusters, start, preserve_sparsity=keep),
    )
    train(model, "clustering", recipe.steps, recipe.rate)
    return toolkit.strip_clustering(model)


def _aware(
    model: Any, recipe: Recipe, train: _Train, ranges: dict[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Trains `model` with all rounded as int8 rounds it but the normalisation and the float end; gives the
    ranges learnt. ranges: where they begin."""
    from tensorflow_model_optimization import quantization
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        cluster_utils,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.cluster_preserve import (
        default_8bit_cluster_preserve_quantize_scheme as with_clusters,
    )
    from tensorflow_model_optimization.python.core.quantization.keras.collab_opts.prune_preserve import (
        default_8bit_prune_preserve_quantize_scheme as with_zeros,
    )

    toolkit = quantization.keras
    end = [layer.name for layer in model.layers].index(_weighted(model)[-1])
    rounded = [layer.name for layer in model.layers[1:end] if type(layer).__name__ not in _IN_FLOAT]
    keep_zeros = recipe.sparsity > 0
    combined = []
    if recipe.clusters:
        combined = [with_clusters.Default8BitClusterPreserveQuantizeScheme(keep_zeros)]
    elif keep_zeros:
        combined = [with_zeros.Default8BitPrunePreserveQuantizeScheme()]
    with toolkit.quantize_scope():
        aware = toolkit.quantize_apply(_wrapped(model, rounded, toolkit.quantize_annotate_layer), *combined)
    ends = {weight.name: weight for weight in aware.weights}
    learnt = {}  # name -> smallest and largest value, as they are trained
    for name, smallest in ends.items():
        if of := re.fullmatch(r"(?:quant_)?(.+)/(post_activation|output|quantize_layer)_min:0", name):
            learnt[of[1]] = smallest, ends[name.replace("_min:0", "_max:0")]
    for name, pair in learnt.items():
        for variable, value in zip(pair, ranges.get(name, ()), strict=False):
            variable.assign(value)
    train(aware, "quantisation-aware training", recipe.qat_steps, recipe.qat_rate)
    if recipe.clusters:
        aware = cluster_utils.strip_clustering_cqat(aware)
    values = {weight.name: weight.numpy() for weight in aware.weights}
    for layer in model.layers:
        found = [values[f"{layer.name}/{weight.name.split('/')[-1]}"] for weight in layer.weights]
        if found and keep_zeros:  # which drift by a fraction of a step
            found[0] = np.where(layer.get_weights()[0] == 0, 0, found[0])
        layer.set_weights(found)
    return {
        name: (float(low.numpy()), float(high.numpy()))
        for name, (low, high) in learnt.items()
        if name in rounded
    }
